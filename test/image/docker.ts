import { execFile, execFileSync, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { until } from "../support/until.ts";

const run = promisify(execFile);
const MOST_OUTPUT = 64 * 1024 * 1024;
/** The image under test. */
export const IMAGE = "sse-mcp-server";
/** As docs/docker.md says to run it. */
export const HARDENED: readonly string[] = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];

/** Runs `docker` and returns its output without the last line break; rejects if it fails. */
export async function docker(...words: readonly string[]): Promise<string> {
  const { stdout } = await run("docker", words, { maxBuffer: MOST_OUTPUT });
  return stdout.trimEnd();
}

/** Runs `docker` to its end, whatever that is. */
export function attempt(...words: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync("docker", words, { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

/** A container from our image, with its port 8000; removed at the end. */
export class Container implements Disposable {
  readonly id: string;

  private constructor(id: string) {
    this.id = id;
  }

  /** `options` are those of `docker run`. */
  static start(options: readonly string[] = [], words: readonly string[] = []): Container {
    const all = ["run", "--detach", ...HARDENED, ...options, IMAGE, ...words];
    return new Container(execFileSync("docker", all, { encoding: "utf8" }).trim());
  }

  /** Where it can be reached from the host. */
  async url(): Promise<string> {
    const address = await this.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    return `http://${address}:8000`;
  }

  /** One value of `docker inspect`. */
  inspect(format: string): Promise<string> {
    return docker("inspect", "--format", format, this.id);
  }

  /** Resolves when Docker itself says that it is healthy. */
  async healthy(): Promise<void> {
    await until("the container is healthy", async () => {
      const state = await this.inspect("{{.State.Status}} {{.State.Health.Status}}");
      if (state.startsWith("exited")) throw new Error(this.logs());
      return state === "running healthy";
    });
  }

  exec(...words: readonly string[]): Promise<string> {
    return docker("exec", this.id, ...words);
  }

  /** What it has printed, on both outputs. */
  logs(): string {
    return attempt("logs", this.id).output;
  }

  [Symbol.dispose](): void {
    attempt("rm", "--force", "--volumes", this.id);
  }
}

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { COMPILED } from "./compiled.ts";
import { until } from "./until.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What it reads on standard input, which then ends. */
  readonly input?: string | Uint8Array;
  /** Standard input stays open. */
  readonly open?: boolean;
}

/** The command line as a process of its own, with nothing of this one's settings. */
export class Cli {
  stdout = "";
  stderr = "";
  code: number | undefined;
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exit: Promise<void>;

  constructor(words: readonly string[], { env = {}, cwd, input = "", open = false }: CliOptions = {}) {
    const { PATH = "", HOME = "" } = process.env;
    this.child = spawn(process.execPath, [MAIN, ...words], {
      env: { PATH, HOME, ...COMPILED, ...env },
      cwd,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.#exit = this.#ended();
    this.child.stdin.on("error", () => {});
    if (!open) this.child.stdin.end(input);
  }

  /** Resolves with the exit code; -1 if a signal ended it. */
  async exit(): Promise<number> {
    const late = AbortSignal.timeout(20_000);
    const tooLate = new Promise<never>((_, reject) => {
      late.addEventListener("abort", () => {
        // The test process would wait for it, whatever came of the test.
        this.kill("SIGKILL");
        reject(new Error(`still runs: ${this.stdout}${this.stderr}`));
      });
    });
    await Promise.race([this.#exit, tooLate]);
    return this.code ?? -1;
  }

  /** Waits for what a server that started says; resolves with where it listens. */
  async url(): Promise<string> {
    await until("the server listens", () => /listens on \S+\n/.test(this.stdout) || this.code !== undefined);
    const url = /listens on (\S+)\n/.exec(this.stdout)?.[1];
    if (url === undefined) throw new Error(`it ended with ${this.code}: ${this.stderr}`);
    return url;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async #ended(): Promise<void> {
    const [code] = (await once(this.child, "close")) as [number | null];
    this.code = code ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.code === undefined) this.child.kill("SIGKILL");
    await this.#exit;
  }
}

/** Runs a command to its end. */
export async function runCli(words: readonly string[], options: CliOptions = {}): Promise<Cli> {
  const cli = new Cli(words, options);
  await cli.exit();
  return cli;
}

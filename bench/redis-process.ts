import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SERVER_CORE } from "./cores.ts";
import { processSeconds } from "./kernel.ts";
import { freePort } from "./server-process.ts";

const START_WAIT = 5000;
const BINARY = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "redis-server"))
  .find((file) => existsSync(file));

/** Why no Redis can be started here, or undefined. */
export function redisMissing(): string | undefined {
  return BINARY === undefined ? "there is no redis-server in PATH (Debian: apt-get install redis-server)" : undefined;
}

/** How a Redis keeps what it has. */
export interface RedisOptions {
  /** When it flushes its append-only file to the disk; "off": it has none. */
  readonly fsync?: "off" | "no" | "everysec" | "always";
  readonly replicaOf?: RedisProcess;
}

/** A Redis of its own that is thrown away at the end. */
export class RedisProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port;
    this.#child = child;
    this.#directory = directory;
  }

  static async start({ fsync = "everysec", replicaOf }: RedisOptions = {}): Promise<RedisProcess> {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), "bench-redis-"));
    const [file = "", ...words] = [
      ...SERVER_CORE,
      BINARY ?? "redis-server",
      ...flags({ port, bind: "127.0.0.1", dir: directory, save: "", "repl-diskless-sync-delay": 0 }),
      ...flags(fsync === "off" ? { appendonly: "no" } : { appendonly: "yes", appendfsync: fsync }),
      ...(replicaOf === undefined ? [] : ["--replicaof", "127.0.0.1", String(replicaOf.port)]),
    ];
    const redis = new RedisProcess(port, spawn(file, words, { stdio: "ignore" }), directory);
    const state = replicaOf === undefined ? "redis_version:" : "master_link_status:up";
    const deadline = performance.now() + START_WAIT;
    while (!(await redis.info()).includes(state)) {
      if (performance.now() > deadline) {
        await redis[Symbol.asyncDispose]();
        throw new Error("redis-server did not start");
      }
      await pause(50);
    }
    return redis;
  }

  /** Seconds of CPU used since the start. */
  cpuSeconds(): number {
    return processSeconds([this.#child.pid ?? 0]);
  }

  /** What it says of itself; empty while it does not answer. */
  info(): Promise<string> {
    return this.#say("INFO everything");
  }

  /** The answer to a command, which is one line. */
  async ask(command: string): Promise<string> {
    return /^\$\d+\r\n(.*)\r\n/.exec(await this.#say(command))?.[1] ?? "";
  }

  #say(command: string): Promise<string> {
    return new Promise((resolve) => {
      let text = "";
      const socket = connect(this.port, "127.0.0.1", () => socket.write(`${command}\r\nQUIT\r\n`));
      socket.setEncoding("latin1");
      socket.setTimeout(1000, () => socket.destroy());
      socket.on("data", (more: string) => (text += more));
      socket.on("error", () => {});
      socket.on("close", () => resolve(text));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function flags(settings: Readonly<Record<string, string | number>>): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

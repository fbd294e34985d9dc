import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SERVER_CORE } from "./cores.ts";
import { processSeconds, processTree } from "./kernel.ts";
import type { ServerKind } from "./targets.ts";

const START_WAIT = 15_000;
const PAGE = 4096;

/** A server under test in a process of its own, and what the kernel says about it. */
export class ServerProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;
  /** The process and its children: nginx works in one. */
  #pids: readonly number[] = [];

  private constructor(child: ChildProcess, directory: string, port: number) {
    this.port = port;
    this.#child = child;
    this.#directory = directory;
  }

  static async start(kind: ServerKind): Promise<ServerProcess> {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), `bench-${kind.name}-`));
    const [file = "", ...words] = [...SERVER_CORE, ...kind.command(directory, port)];
    const child = spawn(file, words, { stdio: ["ignore", "ignore", "pipe"] });
    let complaints = "";
    child.stderr.on("data", (text) => (complaints = `${complaints}${text}`.slice(-2000)));
    const server = new ServerProcess(child, directory, port);
    const deadline = performance.now() + START_WAIT;
    while (!(await answers(port, kind.ready))) {
      if (performance.now() < deadline && child.exitCode === null) {
        await pause(50);
        continue;
      }
      await server[Symbol.asyncDispose]();
      throw new Error(`${kind.name} did not start: ${complaints}`);
    }
    server.#pids = processTree(child.pid ?? 0);
    return server;
  }

  /** Seconds of CPU used since the start. */
  cpuSeconds(): number {
    return processSeconds(this.#pids);
  }

  cpuSecondsOfEach(): readonly number[] {
    return [this.cpuSeconds()];
  }

  /** Resident memory in bytes: of the worker if there is one, otherwise of the process itself. */
  residentBytes(): number {
    const pids = this.#pids.length > 1 ? this.#pids.slice(1) : this.#pids;
    const pages = pids.map((pid) => Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]));
    return pages.reduce((sum, value) => sum + value, 0) * PAGE;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      // nginx would leave its worker behind if it were killed; the others leave nothing behind.
      this.#child.kill(this.#pids.length > 1 ? "SIGTERM" : "SIGKILL");
      await Promise.race([ended, pause(5000)]);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A port on which no process listens now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      resolve((response.statusCode ?? 500) < 500);
      response.destroy();
    });
    request.on("error", () => resolve(false));
    request.setTimeout(1000, () => request.destroy(new Error("no answer")));
  });
}

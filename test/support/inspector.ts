import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { COMPILED } from "./compiled.ts";

const PACKAGE = fileURLToPath(import.meta.resolve("@modelcontextprotocol/inspector/package.json"));
const MAIN = join(PACKAGE, "../clients/launcher/build/index.js");

/** The command line of the MCP Inspector: one request to a server, in one era, from a folder that is its home, too. */
export class Inspector {
  readonly child: ChildProcess;
  readonly #stdout: Promise<string>;
  readonly #stderr: Promise<string>;
  readonly #exit: Promise<unknown>;

  constructor(url: string, era: "legacy" | "modern", folder: string, words: readonly string[]) {
    const fixed = ["--cli", `${url}/mcp`, "--transport", "http", "--format", "json", "--protocol-era", era];
    this.child = spawn(process.execPath, [MAIN, ...fixed, ...words], {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: folder, MCP_INSPECTOR_SECRET_STORE: "memory", ...COMPILED },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 30_000,
    });
    this.#stdout = text(this.child.stdout as Readable);
    this.#stderr = text(this.child.stderr as Readable);
    this.#exit = once(this.child, "close");
  }

  /** Resolves at its end with the exit code, -1 if a signal ended it, and what it said. */
  async end(): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    const [stdout, stderr] = await Promise.all([this.#stdout, this.#stderr, this.#exit]);
    return { code: this.child.exitCode ?? -1, stdout, stderr };
  }
}

import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { COMPILED } from "./compiled.ts";
import { shownText, typedIn, type Block } from "./page-blocks.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Written after each command, so that its output and its exit code can be told. */
const END = "end-of-command";
/** Programs that are not part of this project. */
const FOREIGN = /^claude /;

type Shell = ChildProcessByStdio<Writable, Readable, Readable>;

/** What runs in a terminal of its own. */
export interface Started {
  readonly child: Shell;
  readonly output: string;
}

interface Stream {
  readonly command: string;
  readonly prints: RegExp;
  output: string;
}

/**
 * A folder in which someone follows a page: what its `sh` blocks start runs in a terminal of its own, and what is shown
 * after `$` is typed in another. The page's addresses stand for those of the test.
 */
export class Recipe implements AsyncDisposable {
  readonly port: number;
  readonly #addresses: readonly (readonly [shown: string, real: string])[];
  readonly #folder = new TemporaryFolder();
  readonly #shell: Shell;
  readonly #running: Shell[] = [];
  readonly #streams: Stream[] = [];
  #output = "";

  private constructor(port: number, addresses: Readonly<Record<string, string>>) {
    this.port = port;
    this.#addresses = Object.entries(addresses);
    const bin = this.file("bin");
    mkdirSync(bin);
    writeFileSync(
      join(bin, "sse-mcp-server"),
      `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, "src/cli/main.ts")} "$@"\n`,
    );
    chmodSync(join(bin, "sse-mcp-server"), 0o755);
    symlinkSync(join(ROOT, "node_modules"), this.file("node_modules"));
    writeFileSync(this.file(".curlrc"), "silent\nshow-error\nmax-time = 60\n");
    this.#shell = this.#spawn([]);
    this.#shell.stdout.on("data", (text: string) => (this.#output += text));
    this.#shell.stdin.write("exec 2>&1\n");
  }

  /** Opens one on a free port; `addresses` says what those on the page stand for, beside `localhost:8000`. */
  static async open(
    addresses: (port: number) => Promise<Readonly<Record<string, string>>> = async () => ({}),
  ): Promise<Recipe> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    return new Recipe(port, { "localhost:8000": `localhost:${port}`, ...(await addresses(port)) });
  }

  file(name: string): string {
    return this.#folder.file(name);
  }

  /**
   * Does what a block says; resolves with what a server that it starts has printed. Programs in TypeScript go into the
   * file that their first line names.
   */
  async follow({ language, text }: Block): Promise<string> {
    if (language === "sh") return (await this.start(text)).output;
    if (language === "console") for (const typed of typedIn(text)) await this.#type(typed.command, typed.prints);
    if (language === "ts") {
      const [, name] = /^\/\/ (\S+)\n/.exec(text) ?? [];
      assert.ok(name !== undefined, "a program begins with the name of its file");
      writeFileSync(this.file(name), this.real(text));
    }
    return "";
  }

  /** Runs lines in a terminal of their own until they are ready: at first, until a server says where it listens. */
  async start(text: string, isReady: (output: string) => boolean | Promise<boolean> = listens): Promise<Started> {
    const child = this.#spawn(["-ec", this.real(text)]);
    const started = { child, output: "" };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (more: string) => (started.output += more));
    }
    await until(`${text} is ready`, async () => child.exitCode !== null || (await isReady(started.output)));
    assert.equal(child.exitCode, null, `${text}\n${started.output}`);
    return started;
  }

  /** What stands on the page, with the addresses of the test. */
  real(text: string): string {
    return this.#addresses.reduce((changed, [shown, real]) => changed.replaceAll(shown, real), text);
  }

  /** Waits until every stream has shown what the page says. */
  async streamsShowed(): Promise<void> {
    for (const { command, prints, output } of this.#streams) {
      await until(`${command} shows what is on the page: ${output}`, () =>
        prints.test(this.#streams.find((stream) => stream.command === command)?.output ?? ""),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "close");
      // Its own group: with what it started.
      process.kill(-(child.pid ?? assert.fail("it never ran")), "SIGTERM");
      await ended;
    }
    this.#folder[Symbol.dispose]();
  }

  async #type(shown: string, prints: string): Promise<void> {
    if (FOREIGN.test(shown)) return;
    const command = this.real(shown).replace(
      /\bsse-mcp-server (publish|tail)/,
      `sse-mcp-server $1 --url http://localhost:${this.port}`,
    );
    const expected = shownText(this.real(prints));
    if (command.startsWith("curl -N")) return this.#stream(command, expected);
    this.#output = "";
    this.#shell.stdin.write(`${command}\nprintf '\\n${END} %s\\n' $?\n`);
    const end = new RegExp(`\n${END} (\\d+)\n`);
    await until(`${command} ends: ${this.#output}`, () => end.test(this.#output));
    const [output = ""] = this.#output.split(`\n${END}`);
    assert.equal(end.exec(this.#output)?.[1], "0", `${command}\n${output}`);
    assert.match(output.trimEnd(), expected, command);
  }

  async #stream(command: string, prints: RegExp): Promise<void> {
    const stream: Stream = { command, prints, output: "" };
    this.#streams.push(stream);
    const child = this.#spawn(["-c", `exec ${command}`]);
    for (const part of [child.stdout, child.stderr]) part?.on("data", (more: string) => (stream.output += more));
    await until("the stream begins", () => stream.output !== "");
  }

  #spawn(words: readonly string[]): Shell {
    const { PATH = "" } = process.env;
    const env = {
      PATH: `${this.file("bin")}:${dirname(process.execPath)}:${PATH}`,
      HOME: this.#folder.path,
      PORT: String(this.port),
      DATA: "memory:",
      DRAIN: "0",
      ...COMPILED,
    };
    const child = spawn("bash", words, { cwd: this.#folder.path, env, stdio: "pipe", detached: true });
    child.stdout.setEncoding("utf8");
    child.stderr.setEncoding("utf8");
    this.#running.push(child);
    return child;
  }
}

function listens(output: string): boolean {
  return output.includes(" listens on ");
}

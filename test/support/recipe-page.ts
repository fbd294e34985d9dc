import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { blocksIn, type Block } from "./page-blocks.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const PAGES = join(import.meta.dirname, "../../docs/recipes");
/** The packages by their names, as a project that installed them has them. */
const NODE_OPTIONS = `--import=${new URL("from-source.ts", import.meta.url).href}`;

/** A folder with the files that a page of `docs/recipes` shows; the first line of each names it. */
export class RecipePage implements AsyncDisposable {
  readonly blocks: readonly Block[];
  readonly #folder = new TemporaryFolder();
  readonly #programs: Program[] = [];

  constructor(name: string) {
    this.blocks = blocksIn(readFileSync(join(PAGES, `${name}.md`), "utf8"));
    writeFileSync(this.file("package.json"), '{ "type": "module" }');
    for (const { text } of this.blocks) {
      const [, file] = /^(?:\/\/|#) (\S+\.\w+)\n/.exec(text) ?? [];
      if (file === undefined) continue;
      mkdirSync(dirname(this.file(file)), { recursive: true });
      writeFileSync(this.file(file), `${text}\n`);
    }
  }

  file(name: string): string {
    return this.#folder.file(name);
  }

  /** The block in a language that stands at this place among those in it. */
  block(language: string, index = 0): string {
    const found = this.blocks.filter((block) => block.language === language)[index];
    if (found === undefined) throw new Error(`the page has no such block of ${language}`);
    return found.text;
  }

  /** Starts a program in the folder. */
  start(file: string, words: readonly string[], env: Readonly<Record<string, string>>, input = ""): Program {
    const program = new Program(file, words, { cwd: this.file("."), env: { NODE_OPTIONS, ...env } }, input);
    this.#programs.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
    this.#folder[Symbol.dispose]();
  }
}

/** A program of a page. */
export class Program {
  output = "";
  code: number | undefined;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ended: Promise<unknown>;

  constructor(
    file: string,
    words: readonly string[],
    { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
    input: string,
  ) {
    // A group of its own: with what it starts.
    this.#child = spawn(file, words, { cwd, env: { ...process.env, ...env }, detached: true, stdio: "pipe" });
    this.#ended = once(this.#child, "close").then(([code]) => (this.code = Number(code ?? -1)));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
    this.#child.stdin.on("error", () => {});
    this.#child.stdin.end(input);
  }

  /** Resolves with what it printed, once it has ended by itself. */
  async ended(): Promise<string> {
    await this.#ended;
    return this.output;
  }

  async end(): Promise<void> {
    if (this.code === undefined && this.#child.pid !== undefined) process.kill(-this.#child.pid, "SIGKILL");
    await this.#ended;
  }
}

import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Readable } from "node:stream";
import { leashed } from "../support/leash.ts";
import { ask } from "./http.ts";
import type { Place } from "./place.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const CLOCK = join(import.meta.dirname, "shifted-clock.ts");
/** Milliseconds after which a node that ended by itself is started again. */
const RESTART = 300;
/** Compiled code from earlier starts, which makes the next ones twice as fast. */
const COMPILED = join(import.meta.dirname, "../../.cache/compile");
const OUTPUT = 20_000;

/** A node of the hub in a process of its own, which is started again when it ends by itself, as a supervisor does. */
export class HubProcess implements Place, AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  /** The end of what it wrote, over all its starts. */
  output = "";
  /** Called if it ends by itself after it had served. */
  onCrash: (text: string) => void = () => {};
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcessByStdio<null, Readable, Readable> | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #isWanted = false;
  #isServing = false;
  #clockShift = 0;

  constructor(name: string, port: number, env: Readonly<Record<string, string>>) {
    this.name = name;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#env = env;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts it if it does not run. `clockShift` milliseconds are added to its clock, until it is started with others. */
  start(clockShift = 0): void {
    this.#isWanted = true;
    this.#clockShift = clockShift;
    if (this.#child === undefined) this.#spawn();
  }

  /** Sends a signal; resolves when one that ends it has done so. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const isEnd = signal === "SIGKILL" || signal === "SIGTERM";
    if (isEnd) this.#isWanted = false;
    this.#child?.kill(signal);
    if (!isEnd) return;
    // A stopped process does not notice anything but SIGKILL.
    this.#child?.kill("SIGCONT");
    await this.#ended;
  }

  async isHealthy(): Promise<boolean> {
    // Whoever answers before that is not this node.
    if (!this.#isServing) return false;
    const reply = await ask(`${this.url}/health`, { patience: 1000 }).catch(() => undefined);
    return reply?.status === 200;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
  }

  #spawn(): void {
    const { PATH = "", HOME = "" } = process.env;
    const words = [process.execPath, "--import", CLOCK, MAIN, "serve"];
    const [command, ...rest] = leashed(...words);
    const own = { PORT: String(this.port), CLOCK_SHIFT: String(this.#clockShift), NODE_COMPILE_CACHE: COMPILED };
    const env = { PATH, HOME, ...this.#env, ...own };
    const child = spawn(command, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#log(`--- started as ${child.pid} at ${new Date().toISOString()}\n`);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes("listens on")) this.#isServing = true;
      else this.#log(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#log(text));
    this.#ended = this.#end(child);
  }

  async #end(child: ChildProcess): Promise<void> {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    this.#log(`--- ended with ${code ?? signal} at ${new Date().toISOString()}\n`);
    this.#child = undefined;
    const hasServed = this.#isServing;
    this.#isServing = false;
    if (!this.#isWanted) return;
    if (hasServed) this.onCrash(`${this.name} ended with ${code ?? signal}: ${this.output.slice(-2000)}`);
    await pause(RESTART);
    if (this.#isWanted && this.#child === undefined) this.#spawn();
  }

  #log(text: string): void {
    this.output = `${this.output}${text}`.slice(-OUTPUT);
  }
}

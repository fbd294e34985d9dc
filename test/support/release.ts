import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { TemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** What a command printed, and how it ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A clone of this project, in which a release can be made without touching this one. */
export class Checkout implements Disposable {
  readonly #folder = new TemporaryFolder();

  constructor() {
    const words = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    const files = execFileSync("git", words, { cwd: ROOT, encoding: "utf8" }).split("\0").filter(Boolean);
    for (const file of files.filter((name) => existsSync(join(ROOT, name)))) {
      mkdirSync(dirname(this.file(file)), { recursive: true });
      cpSync(join(ROOT, file), this.file(file));
    }
    symlinkSync(join(ROOT, "node_modules"), this.file("node_modules"));
    this.git("init", "--quiet");
    appendFileSync(this.file(".git/info/exclude"), "node_modules\n");
    this.commit();
  }

  file(name: string): string {
    return this.#folder.file(name);
  }

  /** Runs a script of `package.json`, or another command of npm. */
  npm(...words: readonly string[]): Promise<Ended> {
    return command("npm", words, this.file("."));
  }

  git(...words: readonly string[]): void {
    const who = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
    execFileSync("git", [...who, ...words], { cwd: this.file("."), stdio: "pipe" });
  }

  commit(): void {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--message", "test");
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** A folder in which someone installed packed packages. */
export class Installed implements Disposable {
  readonly #folder = new TemporaryFolder();

  /**
   * Installs a file of `npm pack` as `npm install` does, and what it depends on in the versions of our lock file, which are
   * in npm's cache since we have them ourselves.
   */
  static async open(packed: string): Promise<Installed> {
    const installed = new Installed();
    const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lock;
    const { name, version, dependencies, bin } = manifestIn(packed);
    const needed = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && dev !== true);
    const root = { name: "project", version: "1.0.0", dependencies: { [name]: `file:${packed}` } };
    const integrity = `sha512-${createHash("sha512").update(readFileSync(packed)).digest("base64")}`;
    const own = { version, resolved: `file:${packed}`, integrity, dependencies, bin };
    const packages = { "": root, [`node_modules/${name}`]: own, ...Object.fromEntries(needed) };
    installed.write("package.json", JSON.stringify({ ...root, private: true, type: "module" }));
    installed.write("package-lock.json", JSON.stringify({ ...lock, ...root, packages }));
    const { code, stderr } = await installed.run("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund");
    if (code !== 0) throw new Error(`npm could not install ${packed}: ${stderr}`);
    return installed;
  }

  /** A folder with nothing but a packed package. */
  static alone(packed: string): Installed {
    const installed = new Installed();
    installed.write("package.json", '{ "private": true, "type": "module" }');
    mkdirSync(installed.file("node_modules"));
    installed.add(packed);
    return installed;
  }

  /** Adds a packed package that depends on nothing. */
  add(packed: string): void {
    const folder = this.file(join("node_modules", manifestIn(packed).name));
    mkdirSync(folder);
    execFileSync("tar", ["-xzf", packed, "-C", folder, "--strip-components=1"]);
  }

  file(name: string): string {
    return this.#folder.file(name);
  }

  write(name: string, text: string): void {
    writeFileSync(this.file(name), text);
  }

  run(file: string, ...words: readonly string[]): Promise<Ended> {
    return command(file, words, this.file("."));
  }

  /** Starts a hub with a command; it ends with all that the command started. */
  async start(file: string, ...words: readonly string[]): Promise<AsyncDisposable & { readonly url: string }> {
    const child = spawn(file, words, { cwd: this.file("."), env: environment(), detached: true, stdio: "pipe" });
    const ended = once(child, "close");
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (more: Buffer) => (output += more.toString()));
    const url = (): string | undefined => /listens on (\S+)\n/.exec(output)?.[1];
    await until("the hub listens", () => url() !== undefined || child.exitCode !== null);
    return {
      url: url() ?? assert.fail(output),
      async [Symbol.asyncDispose]() {
        process.kill(-(child.pid ?? assert.fail("it never ran")), "SIGTERM");
        await ended;
      },
    };
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

/** What `package.json` in a packed package says. */
export function manifestIn(packed: string): Manifest {
  return JSON.parse(execFileSync("tar", ["-xzOf", packed, "package/package.json"], { encoding: "utf8" })) as Manifest;
}

/** The names of all files in a folder, from there. */
export function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

async function command(file: string, words: readonly string[], cwd: string): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(file, words, {
      cwd,
      env: environment(),
      timeout: 240_000,
      maxBuffer: 2 ** 26,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    if (typeof code !== "number") throw error;
    return { code, stdout, stderr };
  }
}

/** Without the settings of the npm that runs the tests, which the npm of a test would take. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
}

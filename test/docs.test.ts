import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { describe as settingText, settingNames, variable } from "../src/config.ts";
import { HubError, hubErrorCodes } from "../src/core/errors.ts";
import { CLOSE_CODES } from "../src/protocol/ws-frames.ts";
import { blocksIn, shownText } from "./support/page-blocks.ts";

const ROOT = join(import.meta.dirname, "..");
const MAIN = join(ROOT, "src/cli/main.ts");
const START = join(ROOT, "scripts/start.js");
const DEADLINE = 20_000;

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const pages = [
  "README.md",
  "PROTOCOL.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...markdown("docs"),
  ...markdown("docs/decisions"),
];

describe("the documentation", () => {
  for (const page of ["README.md", "docs/operating.md", "docs/mcp.md"]) {
    it(`${page} shows what really happens`, { timeout: 120_000 }, async () => {
      await using walk = await Walk.start();
      for (const { language, text } of blocksIn(read(page))) {
        if (language === "console") await walk.console(text);
        if (language === "js") await walk.script(text);
      }
      await walk.streamsShowed();
    });
  }

  it("links only to files that exist", () => {
    for (const page of pages) {
      const folder = join(ROOT, page, "..");
      for (const [, target = ""] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
        assert.ok(existsSync(join(folder, target)), `${page} links to ${target}, which does not exist`);
      }
    }
  });

  it("has a map of the code that names what is in src, and files that exist", () => {
    const inSource = readdirSync(join(ROOT, "src"), { withFileTypes: true })
      .map((entry) => `${entry.name}${entry.isDirectory() ? "/" : ""}`)
      .toSorted();
    const drawn = [...section("README.md").matchAll(/^ {2}(\S+)/gm)].map(([, name = ""]) => name);
    assert.deepEqual(drawn.toSorted(), inSource);
    const listed = tableRows(section("CONTRIBUTING.md"), /^\| in `src\/`/).map(([name = ""]) => name.slice(1, -1));
    assert.deepEqual(listed.toSorted(), inSource);
    for (const [, path = ""] of section("CONTRIBUTING.md").matchAll(/`([a-z]+\/[\w./-]*)`/g)) {
      assert.ok(
        [path, `src/${path}`].some((file) => existsSync(join(ROOT, file))),
        `there is no ${path}`,
      );
    }
  });

  it("lists every setting with its default", () => {
    const rows = tableRows(read("docs/operating.md"), /^\| variable/);
    const told = rows.map(([name, fallback]) => [name, fallback]);
    const known = settingNames.map((name) => [variable(name), settingText(name).fallback]);
    assert.deepEqual(told, known);
  });

  it("has a row and a section for every error, and for no other", () => {
    const page = read("docs/errors.md");
    const known = hubErrorCodes.map((code) => {
      const { status, rpcCode, retry } = new HubError(code, "");
      return [code, String(status), String(rpcCode), retry ? "yes" : "no"];
    });
    assert.deepEqual(tableRows(page, /^\| code/), known);
    assert.deepEqual(
      [...page.matchAll(/^## (\S+)$/gm)].map(([, code]) => code),
      hubErrorCodes,
    );
  });

  it("lists every close code", () => {
    const told = tableRows(read("PROTOCOL.md"), /^\| code \| why/).map(([code]) => Number(code));
    assert.deepEqual(told, Object.values(CLOSE_CODES));
  });

  it("gives a reason for every dependency", () => {
    const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
      string,
      Record<string, string>
    >;
    const page = read("docs/decisions/0007-dependencies.md");
    for (const name of Object.keys(dependencies ?? {})) assert.ok(page.includes(name), `${name} has no reason`);
    const development = Object.keys(devDependencies ?? {}).filter((name) => !name.startsWith("@types/"));
    const short = (name: string): string => (name === "@arethetypeswrong/cli" ? "attw" : name);
    for (const name of development) assert.ok(page.includes(short(name)), `${name} has no reason`);
  });

  it("has a test that cites each requirement of the protocol, and cites no other", () => {
    const ids = [...read("PROTOCOL.md").matchAll(/^- `([A-Z]+-\d+)`/gm)].map(([, id]) => id as string);
    const required = new Set(ids);
    assert.deepEqual(
      ids.filter((id, at) => ids.indexOf(id) !== at),
      [],
      "ids of two requirements",
    );
    const tests = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".ts"),
    );
    const cited = new Set<string>();
    for (const file of tests) {
      for (const [, id] of read(join("test", file)).matchAll(/\[([A-Z]+-\d+)\]/g)) cited.add(id as string);
    }
    assert.deepEqual(
      [...required].filter((id) => !cited.has(id)),
      [],
      "requirements without a test",
    );
    assert.deepEqual(
      [...cited].filter((id) => !required.has(id)),
      [],
      "tests of requirements that are not there",
    );
  });
});

/** Runs what a page shows, block after block, against one server. */
class Walk {
  readonly #folder = mkdtempSync(join(tmpdir(), "docs-"));
  readonly #running: ChildProcess[] = [];
  readonly #streams: { readonly command: string; readonly expected: RegExp; output: string }[] = [];
  #url = "";
  #readers = 0;

  static async start(): Promise<Walk> {
    const walk = new Walk();
    const { scripts } = JSON.parse(read("package.json")) as { scripts: { start: string } };
    assert.equal(scripts.start, "node scripts/start.js", "npm start runs something else than this test");
    let output = "";
    const server = walk.#spawn(process.execPath, [START], (text) => (output += text));
    await until(
      () => /listens on (\S+)/.test(output) || server.exitCode !== null,
      () => output,
    );
    walk.#url = /listens on (\S+)/.exec(output)?.[1] ?? "";
    return walk;
  }

  /** A command after `$`, over as many lines as the shell reads, and what it prints; … stands for anything. */
  async console(text: string): Promise<void> {
    const [typed = "", ...expected] = text.split("\n");
    assert.match(typed, /^\$ /, "a console block begins with a command");
    // It takes long, and test/conformance/conformance.test.ts compares what it prints.
    if (typed === "$ npm run conformance") return;
    let line = typed.slice(2);
    while (expected.length > 0 && (line.endsWith("\\") || line.split("'").length % 2 === 0)) {
      line += `\n${expected.shift()}`;
    }
    const command = line
      .replaceAll("http://localhost:8000", this.#url)
      .replace(/^sse-mcp-server (\w+)/, `${process.execPath} ${MAIN} $1 --url ${this.#url}`)
      .replace(/^npm run /, `npm --prefix ${ROOT} run `);
    const pattern = shownText(expected.join("\n").trimEnd());
    if (command.startsWith("curl -N")) {
      const stream = { command, expected: pattern, output: "" };
      this.#streams.push(stream);
      this.#spawn("bash", ["-c", `exec ${command} -s`], (more) => (stream.output += more));
      await this.#connected();
      return;
    }
    if (command.includes("/questions?")) void this.#answer();
    let output = "";
    const child = this.#spawn(
      "bash",
      ["-c", `${command.startsWith("curl ") ? `${command} -sS` : command} 2>&1`],
      (more) => (output += more),
    );
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(code, 0, `${command}\n${output}`);
    assert.match(output.trim(), pattern, command);
  }

  /** A script as a page would run it; it goes on until the walk ends. */
  async script(text: string): Promise<void> {
    const file = join(this.#folder, `${this.#running.length}.mjs`);
    const eventSource = `import { EventSource } from ${JSON.stringify(import.meta.resolve("eventsource"))};\n`;
    const body = text.replaceAll("localhost:8000", new URL(this.#url).host);
    writeFileSync(file, `${text.includes("EventSource") ? eventSource : ""}${body}`);
    let output = "";
    this.#spawn(process.execPath, [file], (more) => (output += more));
    await this.#connected();
    if (text.includes('"publish"'))
      await until(
        () => output.includes("published"),
        () => output,
      );
  }

  async streamsShowed(): Promise<void> {
    for (const { command, expected, output } of this.#streams) {
      await until(
        () => {
          const shown = this.#streams.find((stream) => stream.command === command)?.output ?? "";
          // They come when they come.
          return expected.test(shown.replaceAll(/^: heartbeat\n/gm, ""));
        },
        () => `${command}\n${output}`,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.#folder, { recursive: true });
  }

  /** Answers the question that is asked next, as the button of the page does. */
  async #answer(): Promise<void> {
    let id: string | undefined;
    const open = async (): Promise<boolean> => {
      const { questions } = (await (await fetch(`${this.#url}/questions?state=open`)).json()) as {
        questions: readonly { readonly id: string }[];
      };
      id = questions[0]?.id;
      return id !== undefined;
    };
    await until(open, () => "nobody asked");
    await fetch(`${this.#url}/questions/${id}/answer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ value: true, by: "Ana" }),
    });
  }

  /** Waits until one more reader is connected. */
  async #connected(): Promise<void> {
    this.#readers++;
    let open = 0;
    await until(
      async () => {
        const metrics = await (await fetch(`${this.#url}/metrics`)).text();
        open = [...metrics.matchAll(/^sse_mcp_connections\{.*\} (\d+)$/gm)].reduce(
          (sum, [, count]) => sum + Number(count),
          0,
        );
        return open >= this.#readers;
      },
      () => `${open} of ${this.#readers} readers are connected`,
    );
  }

  #spawn(file: string, words: readonly string[], collect: (text: string) => void): ChildProcess {
    const env = {
      ...process.env,
      PORT: "0",
      DATA: `file:${join(this.#folder, "hub.db")}`,
      DRAIN: "0",
      LOG_LEVEL: "warn",
    };
    const child = spawn(file, words, { cwd: this.#folder, env, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    this.#running.push(child);
    return child;
  }
}

/** The map of the code on a page. */
function section(page: string): string {
  return (
    read(page)
      .split("\n## ")
      .find((part) => part.startsWith("The map of the code")) ?? ""
  );
}

function tableRows(text: string, head: RegExp): string[][] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => head.test(line));
  assert.notEqual(start, -1, `no table with ${String(head)}`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end === -1 ? undefined : end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function markdown(folder: string): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `${folder}/${file}`);
}

async function until(condition: () => boolean | Promise<boolean>, told: () => string): Promise<void> {
  const end = performance.now() + DEADLINE;
  while (!(await condition())) {
    if (performance.now() > end) assert.fail(`not within ${DEADLINE / 1000} seconds: ${told()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

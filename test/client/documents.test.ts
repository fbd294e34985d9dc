import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const FROM_SOURCE = join(ROOT, "test/support/from-source.ts");
const EXAMPLES = join(ROOT, "examples");

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const page = read("docs/client.md");

/** Runs a script to its end against a hub of its own; rejects where its exit code is not 0. */
async function execute(file: string, url: string): Promise<string> {
  const options = { env: { ...process.env, HUB: url }, timeout: 20_000 };
  const { stdout } = await run(process.execPath, ["--import", FROM_SOURCE, file], options);
  return stdout;
}

/** The first column of the table behind a heading that has one. */
function firstColumn(heading: string): string[] {
  const section = page.slice(page.indexOf(heading));
  const rows = section.slice(section.indexOf("| ---")).split("\n").slice(1);
  const end = rows.findIndex((row) => !row.startsWith("|"));
  return rows.slice(0, end).map((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? row);
}

/** The members of an interface, in their order. */
function members(file: string, name: string): string[] {
  const text = read(file);
  const body = text.slice(text.indexOf(`interface ${name}`)).split("\n}\n", 1)[0] as string;
  return [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, member]) => member as string);
}

describe("the client's documentation", { concurrency: true }, () => {
  for (const file of readdirSync(EXAMPLES).filter((name) => name.endsWith(".js"))) {
    it(`examples/${file} runs and finds what it expects`, async () => {
      await using server = await startServer();
      assert.notEqual(await execute(join(EXAMPLES, file), server.url), "");
    });

    it(`examples/${file} begins with how to run it, in a checkout, too`, () => {
      const head = read(`examples/${file}`).split("\nimport ", 1)[0] as string;
      assert.match(head, new RegExp(`npm run build[^]*npm start[^]* node examples/${file}$`));
      assert.ok(head.split("\n").every((line) => line.startsWith("// ")));
    });
  }

  it("docs/client.md shows code that runs", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const blocks = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);
    assert.equal(blocks.length, 4);
    for (const [number, code] of blocks.entries()) {
      const file = folder.file(`${number}.mjs`);
      writeFileSync(file, code.replaceAll("http://localhost:8000", server.url));
      assert.notEqual(await execute(file, server.url), "");
    }
  });

  it("docs/client.md lists every option, state and code, and no other", () => {
    const options = [
      ...members("src/client/hub.ts", "ConnectOptions"),
      ...members("src/client/http-client.ts", "HttpClientOptions"),
    ];
    assert.deepEqual(firstColumn("## `connect(").sort(), options.sort());
    assert.deepEqual(firstColumn("## `hub.subscribe("), members("src/client/subscription.ts", "SubscribeOptions"));
    assert.deepEqual(firstColumn("## Publishing"), members("src/client/requests.ts", "PublishOptions"));
    const codes = [...read("src/client/errors.ts").matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(([, code]) => code);
    assert.deepEqual(firstColumn("## When something fails"), codes);
    const states = [...read("src/client/transport.ts").matchAll(/^ {2}\| \{ readonly kind: "(\w+)"/gm)].map(
      ([, kind]) => kind,
    );
    const told = firstColumn("`hub.close()` ends everything");
    assert.deepEqual(told, states.slice(0, told.length));
  });
});

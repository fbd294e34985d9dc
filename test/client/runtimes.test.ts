import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const SOURCE = join(import.meta.dirname, "../../src");
const MODULES = join(import.meta.dirname, "../../node_modules");
const run = promisify(execFile);

/** What came later than the oldest runtimes that the library promises to run in. */
const LATER = [
  "Promise.withResolvers",
  "Promise.try",
  "Array.fromAsync",
  "AbortSignal.any",
  "AbortSignal.timeout",
  "URL.canParse",
  "URL.parse",
  "Iterator.from",
  "Set.prototype.union",
  "globalThis.WebSocket",
  "globalThis.navigator",
];

/** Reads, publishes and calls, and says when it is over; the process has to end by itself then. */
const USE = `
  import { connect } from "./client/index.js";
  const hub = connect(process.argv[2]);
  const messages = hub.subscribe("a");
  await messages.ready;
  await hub.publish("a", 1, { signal: new AbortController().signal });
  for await (const { data } of messages) {
    console.log(data, (await hub.tools()).length > 0);
    break;
  }
  try {
    connect(process.argv[2], { transport: "websocket" });
    console.log("websocket");
  } catch (error) {
    console.log(error.name);
  }
  hub.close();
  try {
    connect("nowhere");
  } catch ({ code }) {
    console.log(code);
  }`;

/** The library as JavaScript, with a script that uses it. */
function written(folder: TemporaryFolder, script: string): string {
  for (const part of ["client", "protocol"]) {
    mkdirSync(folder.file(part));
    for (const name of readdirSync(join(SOURCE, part))) {
      const code = stripTypeScriptTypes(readFileSync(join(SOURCE, part, name), "utf8"));
      const named = code.replaceAll(/(from "\.[^"]+)\.ts"/g, '$1.js"');
      writeFileSync(folder.file(join(part, name.replace(/ts$/, "js"))), named);
    }
  }
  symlinkSync(MODULES, folder.file("node_modules"));
  writeFileSync(folder.file("package.json"), '{"type":"module"}');
  writeFileSync(folder.file("use.js"), script);
  return folder.file("use.js");
}

/** A Node of this version among the machine's own. */
async function nodeOf(version: RegExp): Promise<string | undefined> {
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "node"));
  for (const path of paths.filter((one) => existsSync(one))) {
    const { stdout } = await run(path, ["--version"]).catch(() => ({ stdout: "" }));
    if (version.test(stdout)) return path;
  }
  return undefined;
}

describe("the library in an older runtime", () => {
  it("needs nothing that came later than what it promises to run in", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer();
    const script = written(
      folder,
      `${LATER.map((name) => `delete ${name};`).join("\n")}\n(await import("./used.js"));`,
    );
    writeFileSync(folder.file("used.js"), USE);
    const { stdout } = await run(process.execPath, [script, server.url], { timeout: 20_000 });
    assert.equal(stdout, "1 true\nTypeError\nINVALID_URL\n");
  });

  it("runs in Node 20", async (test) => {
    const node = await nodeOf(/^v20\./);
    if (node === undefined) return test.skip("there is no Node 20 on this machine");
    using folder = new TemporaryFolder();
    await using server = await startServer();
    const { stdout } = await run(node, [written(folder, USE), server.url], { timeout: 20_000 });
    assert.equal(stdout, "1 true\nTypeError\nINVALID_URL\n");
  });
});

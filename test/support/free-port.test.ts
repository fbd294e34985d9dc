import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { freePort } from "./free-port.ts";
import { leashed } from "./leash.ts";

describe("a free port in tests", () => {
  it("is not given to two processes, even before anything listens on it", async (test) => {
    // Both would choose the same ports.
    test.mock.method(Math, "random", () => 0.5);
    const script = `
      Math.random = () => 0.5;
      const { freePort } = await import(${JSON.stringify(import.meta.resolve("./free-port.ts"))});
      console.log(JSON.stringify(await Promise.all([freePort(), freePort(), freePort()])));
      process.stdin.resume();
    `;
    const [command, ...words] = leashed(process.execPath, "--input-type=module", "--eval", script);
    const other = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(other, "close");
    try {
      const [text] = (await once(other.stdout, "data")) as [Buffer];
      const theirs = JSON.parse(text.toString()) as readonly number[];
      const ours = await Promise.all([freePort(), freePort(), freePort()]);
      assert.equal(new Set([...theirs, ...ours]).size, 6, `${theirs.join(", ")} and ${ours.join(", ")}`);
    } finally {
      other.stdin.end();
      await ended;
    }
  });

  it("is not one on which something listens", async () => {
    const first = await freePort();
    await using server = createServer().listen(first + 1, "127.0.0.1");
    await once(server, "listening");
    assert.notEqual(await freePort(), first + 1);
  });
});

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { it } from "node:test";
import { startServer } from "./support/server.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";

it("a server warns at its start of files of secrets that other users of the machine can read", async () => {
  using folder = new TemporaryFolder();
  const [bridgesFile, webhooksFile] = [folder.file("bridges.json"), folder.file("webhooks.json")];
  writeFileSync(bridgesFile, "[]");
  writeFileSync(webhooksFile, '{"webhooks": []}');
  const warned = async (...modes: [number, number]): Promise<readonly (string | undefined)[]> => {
    for (const [index, path] of [bridgesFile, webhooksFile].entries()) chmodSync(path, modes[index] ?? 0);
    const logStream = new PassThrough();
    let lines = "";
    logStream.setEncoding("utf8").on("data", (text: string) => (lines += text));
    await using _ = await startServer({ bridgesFile, webhooksFile, logLevel: "info", logStream });
    return Array.from(lines.matchAll(/can read or write [^"]*, which (\w+) names; chmod 600 it/g), ([, name]) => name);
  };
  assert.deepEqual(await warned(0o600, 0o600), []);
  assert.deepEqual(await warned(0o644, 0o600), ["BRIDGES_FILE"]);
  assert.deepEqual(await warned(0o604, 0o660), ["WEBHOOKS_FILE", "BRIDGES_FILE"]);
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { load } from "../../support/soak.ts";

const ROOT = join(import.meta.dirname, "../../..");

describe("a server whose clients abandon their sessions", () => {
  it("ends with the heap it began with, and nothing counted as open", { timeout: 120_000 }, async () => {
    const words = ["bench/sessions.ts", "--sessions", String(load(2000)), "--most", "50", "--bound", "4"];
    const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: ROOT });
    assert.match(stdout, /within 4 MiB/);
  });
});

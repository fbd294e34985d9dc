import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { MemoryLog } from "../../src/logs/memory.ts";
import { openLog } from "../../src/logs/open.ts";
import { SqliteLog } from "../../src/logs/sqlite/log.ts";
import { disposable, draftOf, FOREVER } from "../support/sample.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const options = { retention: FOREVER, durability: "normal" } as const;

describe("DATA", () => {
  it("names a log in memory or a file, whose folders are made", async () => {
    using folder = new TemporaryFolder();
    await using memory = disposable(await openLog({ ...options, data: "memory:" }));
    assert.ok(memory instanceof MemoryLog);
    const path = folder.file("deep/er/hub.db");
    await using file = disposable(await openLog({ ...options, data: `file:${path}` }));
    assert.ok(file instanceof SqliteLog);
    await file.append(draftOf("a", 1));
    assert.ok(existsSync(path));
  });

  it("of another kind is refused with what is right", async () => {
    for (const data of ["", "hub.db", "redis://localhost", "memory"]) {
      await assert.rejects(openLog({ ...options, data }), {
        code: "LOG_UNAVAILABLE",
        message: `DATA is ${JSON.stringify(data)}; use file:PATH, memory: or redis://HOST:PORT`,
      });
    }
  });
});

import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runCli } from "./support/cli.ts";
import { request } from "./support/request.ts";
import { startServer } from "./support/server.ts";
import { openDatabase } from "./support/sqlite-file.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";

/**
 * A log that version 0.1.0 wrote (format 1): `orders.eu` 1 to 3 and `orders.us` 4 with the idempotency keys `order-1` to
 * `order-4`, `review` 5 by an agent's tool, `default` 6.
 */
const OLD = join(import.meta.dirname, "fixtures/log-0.1.0.db");
const id = (offset: number): string => `2ab1d823f8-${offset}`;
/** Longer than it can be since the log was written. */
const retentionAge = 3650 * 86_400;

describe("a log of version 0.1.0", () => {
  it("opens with its ids, messages and times, and its readers resume", async () => {
    using folder = new TemporaryFolder();
    copyFileSync(OLD, folder.file());
    await using server = await startServer({ data: `file:${folder.file()}`, retentionAge });
    const { text } = await server.request("/channels/orders.us/messages");
    const { messages } = JSON.parse(text) as { messages: unknown };
    const data = { order: 4, note: "Zoë, 東京" };
    const time = "2026-11-29T14:23:07.657Z";
    assert.deepEqual(messages, [{ id: id(4), channel: "orders.us", event: "shipped", data, sender: "anyone", time }]);
    const reader = await server.events("?channel=*", { lastEventId: id(3) });
    for (const [offset, said] of [
      [4, JSON.stringify(data)],
      [5, "May I deploy?"],
      [6, "Order 123 was processed"],
    ]) {
      const event = await reader.next();
      assert.deepEqual([event.id, event.data], [id(Number(offset)), said]);
    }
    assert.equal((await reader.next()).event, "live");
    await server.publish("orders.eu", "new");
    assert.equal((await reader.next()).data, "new");
    reader.close();
  });

  it("has the format that docs/upgrading.md names, once it was opened", async () => {
    using folder = new TemporaryFolder();
    copyFileSync(OLD, folder.file());
    await (await startServer({ data: `file:${folder.file()}`, retentionAge })).close();
    using database = openDatabase(folder.file());
    const page = readFileSync(join(import.meta.dirname, "../docs/upgrading.md"), "utf8");
    const [, format] = /^\| the log file, `hub\.db` +\| (\d+)/m.exec(page) ?? [];
    assert.deepEqual({ ...database.prepare("PRAGMA user_version").get() }, { user_version: Number(format) });
  });

  it("keeps its idempotency keys: what was published is not published again", async () => {
    using folder = new TemporaryFolder();
    copyFileSync(OLD, folder.file());
    await using server = await startServer({ data: `file:${folder.file()}`, retentionAge });
    const publish = async (key: string): Promise<{ id: string }> => {
      const headers = { "content-type": "application/json", "idempotency-key": key };
      const url = `${server.url}/channels/orders.eu/messages`;
      return (await request(url, { method: "POST", headers, body: '{"order":2}' })).json() as { id: string };
    };
    assert.equal((await publish("order-2")).id, id(2));
    assert.notEqual((await publish("order-9")).id, id(2));
  });

  it("is read by export as it is, and moves to another place", async () => {
    using folder = new TemporaryFolder();
    copyFileSync(OLD, folder.file());
    const { code, stdout, stderr } = await runCli(["export", `file:${folder.file()}`]);
    assert.deepEqual([code, stderr], [0, ""]);
    const offsets = [...stdout.matchAll(/^\{"offset":(\d+)/gm)].map(([, offset]) => Number(offset));
    assert.deepEqual(offsets, [1, 2, 3, 4, 5, 6]);
  });
});

describe("a log of a newer version", () => {
  it("is refused in one sentence, and left as it is", async () => {
    using folder = new TemporaryFolder();
    copyFileSync(OLD, folder.file());
    {
      using database = openDatabase(folder.file());
      database.exec("PRAGMA user_version = 99");
    }
    const before = readFileSync(folder.file());
    const { code, stdout, stderr } = await runCli(["serve", "--port", "0", "--data", `file:${folder.file()}`]);
    assert.deepEqual([code, stdout], [1, ""]);
    const sentence = `The log ${folder.file()} was written by a newer sse-mcp-server (format 99); use that version`;
    assert.equal(stderr, `sse-mcp-server: ${sentence}\n`);
    assert.deepEqual(readFileSync(folder.file()), before);
  });
});

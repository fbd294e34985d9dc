import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openHub, patternsOf } from "../../support/sample.ts";
import { openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { TestSink } from "../../support/test-sink.ts";
import { until } from "../../support/until.ts";

const PUBLISHER = fileURLToPath(new URL("../../support/crash-publisher.ts", import.meta.url));
const PUBLISHERS = 16;
const ROUNDS = 10;

/** An acknowledged message: its offset, its publisher, and that one's count. */
type Acknowledged = readonly [number, number, number];

/** Lets a process publish until so many messages are acknowledged, and kills it in the middle of its work. */
async function publishAndKill(path: string, counts: readonly number[], enough: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [PUBLISHER, path, counts.join(",")], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  let lines = 0;
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    lines += part.split("\n").length - 1;
    if (lines > enough) child.kill("SIGKILL");
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  assert.deepEqual([code, signal], [null, "SIGKILL"], text.slice(0, 1000));
  // What stands behind the last line break may be cut off.
  const acknowledged = text.split("\n").slice(1, -1);
  return acknowledged.map((line) => line.split(" ").map(Number) as unknown as Acknowledged);
}

describe("a process that is killed while 16 publishers publish", () => {
  it("[LOG-8] has kept every message it acknowledged, in order, once, and readers resume without a gap", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    const counts = Array.from({ length: PUBLISHERS }, () => 0);
    const acknowledged = new Map<number, string>();
    let cursor = "earliest";
    let seen = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [offset, publisher, count] of await publishAndKill(path, counts, 200 + round * 150)) {
        assert.ok(!acknowledged.has(offset), `${offset} was given out twice`);
        acknowledged.set(offset, JSON.stringify([publisher, count]));
      }
      await using hub = await openHub(await openSqlite(path), { page: 256 });
      const sink = new TestSink();
      hub.subscribe({ channels: patternsOf("p.*"), after: cursor }, sink);
      await until("the reader is live", () => sink.of("live").length === 1);
      assert.deepEqual(sink.of("gap"), []);
      const offsets = sink.ids.map((id) => Number(id?.split("-")[1]));
      assert.ok(offsets.every((offset, index) => index === 0 || offset > Number(offsets[index - 1])));
      for (const [index, data] of sink.data.entries()) {
        const [publisher, count] = data as [number, number];
        assert.equal(count, counts[publisher], `publisher ${publisher}, round ${round}`);
        counts[publisher] = count + 1;
        const told = acknowledged.get(Number(offsets[index]));
        assert.ok(told === undefined || told === JSON.stringify(data));
        acknowledged.delete(Number(offsets[index]));
      }
      assert.deepEqual([...acknowledged], [], "acknowledged and lost");
      assert.ok(sink.data.length > 200);
      cursor = sink.ids.at(-1) ?? cursor;
      seen += sink.data.length;
    }
    using database = openDatabase(path);
    const { rows } = database.prepare("SELECT count(*) AS rows FROM messages").get() as { rows: number };
    const { kept } = database.prepare("SELECT sum(kept) AS kept FROM channels").get() as { kept: number };
    assert.deepEqual([rows, kept], [seen, seen]);
    assert.equal(database.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName } from "../../../src/core/channel.ts";
import { draftOf, patternsOf } from "../../support/sample.ts";
import { openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";

const A = channelName("a");
const COUNT = 5000;

describe("a purge that is interrupted", () => {
  it("[LOG-31] has removed the oldest only, counts agree, and asked again it removes the rest", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    {
      await using log = await openSqlite(path);
      await log.appendAll(Array.from({ length: COUNT }, (_, data) => draftOf(data % 2 === 0 ? "a" : "b", data)));
      const purging = log.purge(A, COUNT);
      // After its first step.
      await log.check();
      const closing = log.close();
      await assert.rejects(purging, { code: "SHUTTING_DOWN" });
      await closing;
    }
    const reports: string[] = [];
    await using log = await openSqlite(path, { report: (sentence) => void reports.push(sentence) });
    assert.deepEqual(reports, [], "nothing had to be counted again");
    const read = (channel: string) => log.read({ after: 0, channels: patternsOf(channel), limit: COUNT });
    const { messages, dropped } = await read("a");
    const first = messages[0]?.offset ?? 0;
    assert.ok(first > 1 && first < COUNT, `from ${first}`);
    assert.equal(dropped, first - 2);
    const inPage = messages.map(({ offset }) => offset);
    assert.deepEqual(
      inPage,
      inPage.map((_, index) => first + 2 * index),
    );
    assert.equal((await read("b")).dropped, 0);
    const left = log.size().messages - COUNT / 2;
    assert.equal(await log.purge(A, COUNT), left);
    assert.equal(log.size().messages, COUNT / 2);
    assert.equal((await log.append(draftOf("a", "new"))).message.offset, COUNT + 1);
  });
});

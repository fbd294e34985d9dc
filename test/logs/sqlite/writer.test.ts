import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChannelPattern } from "../../../src/protocol/channel.ts";
import { HubError } from "../../../src/core/errors.ts";
import type { Draft } from "../../../src/core/message.ts";
import type { ChannelIndex } from "../../../src/logs/channel-index.ts";
import { SqliteReader } from "../../../src/logs/sqlite/reader.ts";
import { openFile } from "../../../src/logs/sqlite/open-file.ts";
import { channelsOf, headOf } from "../../../src/logs/sqlite/schema.ts";
import { SqliteWriter } from "../../../src/logs/sqlite/writer.ts";
import { draftOf, FOREVER, patternsOf } from "../../support/sample.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";

const NOW = { now: 0, aged: 0 };

/** The inside of a SQLite log that takes few channels. */
class Small implements Disposable {
  readonly index: ChannelIndex;
  readonly reader: SqliteReader;
  readonly writer: SqliteWriter;
  readonly #file: ReturnType<typeof openFile>;

  constructor(path: string, channels: number, retention = FOREVER) {
    this.#file = openFile(path);
    const { database, epochs } = this.#file;
    this.index = channelsOf(database, channels);
    this.reader = new SqliteReader(database, this.index);
    this.writer = new SqliteWriter(database, this.index, this.reader, retention, {
      head: headOf(database),
      epoch: epochs.epoch,
    });
  }

  /** What becomes of drafts for these channels in one turn. */
  write(...channels: string[]): (number | string)[] {
    const drafts: Draft[] = channels.map((channel) => draftOf(channel, 1));
    const { outcomes } = this.writer.write(drafts, NOW);
    return outcomes.map((outcome) => (outcome instanceof HubError ? outcome.code : outcome.message.offset));
  }

  [Symbol.dispose](): void {
    this.#file.database.close();
    this.#file.lock.close();
  }
}

function names({ index }: Small): string[] {
  const [pattern] = patternsOf("*");
  return index.list({ pattern: pattern as ChannelPattern, limit: 99 }).map(({ channel }) => channel);
}

describe("a turn that is written into SQLite", () => {
  it("leaves out, as overloaded, only what would need one channel too many", () => {
    using folder = new TemporaryFolder();
    {
      using small = new Small(folder.file(), 3);
      assert.deepEqual(small.write("a", "b"), [1, 2]);
      assert.deepEqual(small.write("a", "c", "d", "b", "d", "c"), [3, 4, "OVERLOADED", 5, "OVERLOADED", 6]);
      assert.deepEqual([small.index.size, small.writer.messages, small.writer.head], [3, 6, 6]);
    }
    using again = new Small(folder.file(), 3);
    assert.deepEqual([again.index.size, again.writer.messages], [3, 6]);
    assert.deepEqual(again.write("d", "a"), ["OVERLOADED", 7]);
  });

  it("forgets channels that hold nothing when room runs out, and remembers what was dropped", async () => {
    using folder = new TemporaryFolder();
    const retention = { ...FOREVER, messages: 2 };
    {
      using small = new Small(folder.file(), 8, retention);
      for (let number = 0; number < 8; number++) small.write(`c.${number}`);
      assert.equal(small.index.size, 8);
      assert.deepEqual(small.write("new.1", "c.0", "new.2"), [9, 10, 11]);
      assert.deepEqual(names(small), ["c.0", "c.3", "c.4", "c.5", "c.6", "c.7", "new.1", "new.2"]);
      assert.equal(small.index.dropped(patternsOf("c.0")), 1);
      assert.equal(small.index.dropped(patternsOf("c.1")), 3);
    }
    using again = new Small(folder.file(), 8, retention);
    const { dropped, messages } = await again.reader.page(
      { after: 0, channels: patternsOf("c.1"), limit: 9 },
      again.writer.head,
    );
    assert.deepEqual([dropped > 0, messages], [true, []]);
    assert.ok(again.writer.head > 10);
    assert.equal(again.index.size, 8);
  });

  it("never gives an offset out again, even when the channels before are forgotten", () => {
    using folder = new TemporaryFolder();
    const retention = { ...FOREVER, messages: 0 };
    {
      using small = new Small(folder.file(), 1, retention);
      for (const channel of ["a", "b", "c", "d"]) {
        small.write(channel);
        small.writer.write([], NOW);
      }
      assert.deepEqual([names(small), small.writer.messages, small.writer.head], [["d"], 0, 4]);
    }
    using again = new Small(folder.file(), 1, retention);
    assert.deepEqual([again.write("a"), names(again)], [[5], ["a"]]);
  });

  it("is undone as a whole where something in it fails, and the next one is not hindered", async () => {
    using folder = new TemporaryFolder();
    using small = new Small(folder.file(), 3);
    small.write("a");
    const broken = { ...draftOf("b", 1), sender: {} as string };
    assert.throws(() => small.writer.write([draftOf("a", 1), draftOf("b", 1), broken], NOW));
    assert.deepEqual([small.index.size, small.writer.messages, small.writer.head], [1, 1, 1]);
    assert.deepEqual(small.write("b", "a"), [2, 3]);
    const page = await small.reader.page({ after: 0, channels: patternsOf("*"), limit: 9 }, small.writer.head);
    assert.deepEqual(
      page.messages.map(({ channel }) => channel),
      ["a", "b", "a"],
    );
  });

  it("finds thousands of keys within itself as fast as it would without", () => {
    using folder = new TemporaryFolder();
    using small = new Small(folder.file(), 3);
    const drafts = Array.from({ length: 20_000 }, (_, data) => draftOf("a", data, { key: `k${data % 15_000}` }));
    const { outcomes, published } = small.writer.write(drafts, NOW);
    assert.equal(published.length, 15_000);
    assert.deepEqual(
      [outcomes[4999], outcomes[19_999]],
      [false, true].map((repeated) => ({ message: published[4999], repeated })),
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { readHistory, type RecentHistory } from "../../src/core/history.ts";
import type { Hub } from "../../src/core/hub.ts";
import type { Message } from "../../src/core/message.ts";
import { cursorAt } from "../../src/protocol/cursor.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { LateLog } from "../support/late-log.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { Schedule } from "../support/schedule.ts";
import { openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const A = patternsOf("a");

async function publish(hub: Hub, channel: string, ...data: unknown[]): Promise<void> {
  for (const each of data) await hub.publish(draftOf(channel, each));
}

function dataIn({ messages }: { readonly messages: readonly Message[] }): unknown[] {
  return messages.map(({ data }) => JSON.parse(data) as unknown);
}

/** All that history has behind a cursor. */
async function forward(hub: Hub, channels: readonly ChannelPattern[], after?: string): Promise<unknown[]> {
  const page = await hub.history({ channels, after, limit: 3 });
  return [...dataIn(page), ...(page.more ? await forward(hub, channels, page.next) : [])];
}

describe("history", () => {
  it("comes in pages, each asked for with the cursor of the one before, until there is no more", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    for (const data of [1, 2, 3, 4, 5]) {
      await publish(hub, "a", data);
      await publish(hub, "b", -data);
    }
    const found: unknown[] = [];
    let after: string | undefined;
    for (let pages = 1; ; pages++) {
      const page = await hub.history({ channels: A, after, limit: 2 });
      found.push(...page.messages.map(({ data }) => Number(data)));
      assert.equal(page.gap, undefined);
      after = page.next;
      if (page.more) continue;
      assert.equal(pages, 3);
      break;
    }
    assert.deepEqual(found, [1, 2, 3, 4, 5]);
    assert.equal(after, hub.cursor());
    await publish(hub, "a", 6);
    const next = await hub.history({ channels: A, after, limit: 2 });
    assert.deepEqual(
      next.messages.map(({ data }) => data),
      ["6"],
    );
  });

  it("begins with the earliest where no cursor is given, and that is never a gap", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 2 }));
    await publish(hub, "a", 1, 2, 3);
    for (const after of [undefined, "earliest"]) {
      const page = await hub.history({ channels: A, after, limit: 9 });
      assert.deepEqual([page.messages.length, page.gap, page.more], [2, undefined, false]);
    }
  });

  it("says what is missing after an unknown cursor, up to where the page begins", async () => {
    const log = new MemoryLog({ ...FOREVER, messages: 2 });
    for (const data of [1, 2, 3, 4]) await log.append(draftOf("a", data));
    // As for a hub that has not yet heard that what comes after its last delivery is gone.
    const page = await readHistory(log, 1, { channels: A, after: "0123456789-7", limit: 9 });
    assert.deepEqual(dataIn(page), [3, 4]);
    assert.deepEqual(page.gap, { reason: "unknown_cursor", after: "0123456789-7", resumed: cursorAt(log, 2) });
    await log.close();
  });

  it("says what was dropped behind a cursor, and gives the rest", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 2 }));
    await publish(hub, "quiet", 0);
    const after = hub.cursor();
    await publish(hub, "a", 1, 2, 3, 4);
    const page = await hub.history({ channels: A, after, limit: 9 });
    assert.deepEqual(
      page.messages.map(({ data }) => data),
      ["3", "4"],
    );
    assert.deepEqual(page.gap, { reason: "expired", after, resumed: hub.cursor(3) });
    const quiet = await hub.history({ channels: patternsOf("quiet"), after, limit: 9 });
    assert.deepEqual([quiet.messages, quiet.gap, quiet.next], [[], undefined, hub.cursor()]);
  });

  it("is empty after what is no cursor of this log, says so, and can be gone on with", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await publish(hub, "a", 1, 2);
    for (const after of ["rubbish", "", hub.cursor(99), "x".repeat(99)]) {
      const page = await hub.history({ channels: A, after, limit: 9 });
      const gap = { reason: "unknown_cursor", after: after.slice(0, 64), resumed: hub.cursor() };
      assert.deepEqual(page, { messages: [], next: hub.cursor(), more: false, gap });
    }
  });

  it("of an empty log ends at a cursor that resumes it", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const { next, more } = await hub.history({ channels: patternsOf("*"), limit: 9 });
    assert.deepEqual([next, more], [hub.cursor(0), false]);
    await publish(hub, "a", 1);
    assert.equal((await hub.history({ channels: A, after: next, limit: 9 })).messages.length, 1);
  });
});

describe("recent history", () => {
  it("is the last messages in order, then page by page what is in front of them, until nothing older is kept", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    for (const data of [1, 2, 3, 4, 5]) {
      await publish(hub, "a", data);
      await publish(hub, "b", -data);
    }
    const last = await hub.kept.recent({ channels: A, limit: 2 });
    assert.deepEqual([dataIn(last), last.next, last.earlier], [[4, 5], hub.cursor(), hub.cursor(7)]);
    const middle = await hub.kept.recent({ channels: A, before: last.earlier, limit: 2 });
    assert.deepEqual([dataIn(middle), middle.next, middle.earlier], [[2, 3], hub.cursor(6), hub.cursor(3)]);
    const first = await hub.kept.recent({ channels: A, before: middle.earlier, limit: 2 });
    assert.deepEqual([dataIn(first), first.next, first.earlier], [[1], hub.cursor(2), undefined]);
  });

  it("read back to its beginning while others publish, and on from its end, is all there is: nothing lost, nothing twice", async () => {
    const channel = fc.constantFrom("a", "b.x", "b.y", "c");
    const channels = fc.uniqueArray(fc.constantFrom(...patternsOf("a", "b.*", "b.y", "none", "*")), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(channel, { maxLength: 40 }),
        channels,
        fc.integer({ min: 1, max: 9 }),
        async (published, wanted, limit) => {
          await using hub = await openHub(new MemoryLog(FOREVER));
          for (const [data, each] of published.entries()) await publish(hub, each, data);
          const pages: RecentHistory[] = [];
          let before: string | undefined;
          do {
            const page = await hub.kept.recent({ channels: wanted, before, limit });
            pages.unshift(page);
            before = page.earlier;
            await publish(hub, "a", `new ${pages.length}`);
          } while (before !== undefined);
          const back = pages.flatMap(dataIn);
          const all = await forward(hub, wanted);
          assert.deepEqual([...back, ...(await forward(hub, wanted, pages.at(-1)?.next))], all);
          for (const [index, page] of pages.entries()) {
            const rest = [...pages.slice(index + 1).flatMap(dataIn), ...all.slice(back.length)];
            assert.deepEqual(await forward(hub, wanted, page.next), rest, "each page can be gone on from");
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("leaves out the very message whose id it is asked to end in front of, and has nothing in front of the first", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await publish(hub, "a", 1, 2, 3);
    const before = (offset: number): Promise<RecentHistory> =>
      hub.kept.recent({ channels: A, before: hub.cursor(offset), limit: 9 });
    assert.deepEqual(dataIn(await before(3)), [1, 2]);
    for (const offset of [0, 1]) {
      assert.deepEqual(await before(offset), { messages: [], next: hub.cursor(0), earlier: undefined });
    }
  });

  it("of an empty log, or of channels that hold nothing, ends where the hub is", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const empty = await hub.kept.recent({ channels: patternsOf("*"), limit: 9 });
    assert.deepEqual(empty, { messages: [], next: hub.cursor(0), earlier: undefined });
    await publish(hub, "b", 1);
    const none = await hub.kept.recent({ channels: A, limit: 9 });
    assert.deepEqual(none, { messages: [], next: hub.cursor(1), earlier: undefined });
    await publish(hub, "a", 2);
    assert.deepEqual(await forward(hub, A, none.next), [2]);
  });

  it("begins with the oldest that is kept, also where what it is asked to end in front of is dropped", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 3 }));
    await publish(hub, "a", 1, 2, 3, 4, 5);
    const { messages, earlier } = await hub.kept.recent({ channels: A, limit: 9 });
    assert.deepEqual([dataIn({ messages }), earlier], [[3, 4, 5], undefined]);
    const gone = await hub.kept.recent({ channels: A, before: hub.cursor(2), limit: 9 });
    assert.deepEqual(gone, { messages: [], next: hub.cursor(1), earlier: undefined });
    const { gap } = await hub.history({ channels: A, after: gone.next, limit: 9 });
    assert.deepEqual(gap, { reason: "expired", after: gone.next, resumed: hub.cursor(2) });
  });

  it("shows nothing that the hub has not delivered, and its end is in front of that", async () => {
    const schedule = new Schedule("announce");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule));
    const publishing = Promise.all([1, 2].map((data) => hub.publish(draftOf("a", data))));
    await until("the messages wait", () => schedule.at("announce") === 1);
    const ahead = hub.cursor(2);
    const pages = [
      await hub.kept.recent({ channels: A, limit: 9 }),
      await hub.kept.recent({ channels: A, before: ahead, limit: 9 }),
    ];
    for (const page of pages) assert.deepEqual(page, { messages: [], next: hub.cursor(0), earlier: undefined });
    schedule.open("announce");
    await publishing;
    assert.deepEqual(await forward(hub, A, pages[0]?.next), [1, 2]);
  });

  it("ends with the look: what is delivered while the log answers comes after its end", async () => {
    const schedule = new Schedule("read");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule));
    await publish(hub, "a", 1);
    const looking = hub.kept.recent({ channels: A, limit: 9 });
    await until("the look waits", () => schedule.at("read") === 1);
    await publish(hub, "a", 2);
    schedule.open("read");
    const { messages, next } = await looking;
    assert.deepEqual([dataIn({ messages }), await forward(hub, A, next)], [[1], [2]]);
  });

  it("is refused in front of what is no cursor of this log, with a sentence that says what would do", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await publish(hub, "a", 1, 2);
    for (const before of ["rubbish", "", "earliest", "other-1", hub.cursor(99), "x".repeat(99)]) {
      await assert.rejects(hub.kept.recent({ channels: A, before, limit: 9 }), (error: unknown) => {
        assert.ok(error instanceof HubError);
        assert.equal(error.code, "INVALID_INPUT");
        const named = JSON.stringify(before.slice(0, 64));
        assert.equal(
          error.message,
          `before is not a cursor of this log: ${named}; give the id of a message, or leave before out to begin with the newest`,
        );
        return true;
      });
    }
  });

  it("can be gone on from at the end of one run of a log, and read back into that from the next", async () => {
    using folder = new TemporaryFolder();
    const before = await openSqlite(folder.file());
    await before.append(draftOf("a", 1));
    await before.close();
    await using hub = await openHub(await openSqlite(folder.file()));
    const pages = [await hub.kept.recent({ channels: A, limit: 9 })];
    await publish(hub, "a", 2, 3);
    pages.push(await hub.kept.recent({ channels: A, before: hub.cursor(2), limit: 9 }));
    for (const page of pages) {
      assert.deepEqual([dataIn(page), await forward(hub, A, page.next)], [[1], [2, 3]]);
      assert.equal((await hub.history({ channels: A, after: page.next, limit: 9 })).gap, undefined);
    }
    const last = await hub.kept.recent({ channels: A, limit: 1 });
    const middle = await hub.kept.recent({ channels: A, before: last.earlier, limit: 1 });
    const first = await hub.kept.recent({ channels: A, before: middle.earlier, limit: 1 });
    assert.deepEqual([first, middle, last].map(dataIn), [[1], [2], [3]]);
    assert.deepEqual(await forward(hub, A, first.next), [2, 3]);
  });
});

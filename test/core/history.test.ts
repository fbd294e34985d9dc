import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hub } from "../../src/core/hub.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";

const A = patternsOf("a");

async function publish(hub: Hub, channel: string, ...data: unknown[]): Promise<void> {
  for (const each of data) await hub.publish(draftOf(channel, each));
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

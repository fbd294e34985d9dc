import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { followPages } from "../../src/core/follow-pages.ts";
import type { Hub } from "../../src/core/hub.ts";
import type { History } from "../../src/core/history.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";

function follow(hub: Hub, after: string | undefined, signal = new AbortController().signal): AsyncGenerator<History> {
  return followPages(hub, { channels: patternsOf("a"), after, limit: 2, signal });
}

/** The payloads of so many messages, and the cursor after them. */
async function take(pages: AsyncGenerator<History>, count: number): Promise<{ data: unknown[]; next: string }> {
  const data: unknown[] = [];
  for (;;) {
    const { value } = (await pages.next()) as { value: History };
    data.push(...value.messages.map((message) => JSON.parse(message.data) as unknown));
    if (data.length >= count) return { data, next: value.next };
  }
}

describe("the pages of the log", () => {
  it("bring what there is after a cursor and then what is published, in order and once, without counting as a reader", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    for (const data of [1, 2, 3]) await hub.publish(draftOf("a", data));
    await hub.publish(draftOf("b", "other"));
    const pages = follow(hub, "earliest");
    const first = await take(pages, 3);
    assert.deepEqual(first.data, [1, 2, 3]);
    const more = take(pages, 2);
    assert.equal((await hub.publish(draftOf("a", 4))).receivers, 0);
    await hub.publish(draftOf("a", 5, { ephemeral: true }));
    await hub.publish(draftOf("a", 6));
    assert.deepEqual((await more).data, [4, 6]);
    await pages.return(undefined);
    assert.equal(hub.size, 0);
    const again = follow(hub, first.next);
    assert.deepEqual((await take(again, 2)).data, [4, 6]);
    await again.return(undefined);
  });

  it("begin with what is published from now on if no cursor is given", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await hub.publish(draftOf("a", 1));
    const pages = follow(hub, undefined);
    const taken = take(pages, 1);
    await hub.publish(draftOf("a", 2));
    assert.deepEqual((await taken).data, [2]);
    await pages.return(undefined);
  });

  it("say that messages are missing", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 2 }));
    const { id } = await hub.publish(draftOf("a", 1));
    for (const data of [2, 3, 4, 5]) await hub.publish(draftOf("a", data));
    const pages = follow(hub, id);
    const { value } = (await pages.next()) as { value: History };
    assert.equal(value.gap?.reason, "expired");
    await pages.return(undefined);
  });

  it("end when the caller wants no more, and with an error when the hub is closed", async () => {
    const hub = await openHub(new MemoryLog(FOREVER));
    const stop = new AbortController();
    const waiting = follow(hub, undefined, stop.signal).next();
    stop.abort();
    assert.deepEqual(await waiting, { value: undefined, done: true });
    const left = follow(hub, undefined).next();
    await hub.close();
    await assert.rejects(left, { code: "SHUTTING_DOWN" });
  });
});

import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SentEvents, type SessionEvents } from "../../../src/mcp/legacy/event-store.ts";

function message(text: string): JSONRPCMessage {
  return { jsonrpc: "2.0", method: "notifications/message", params: { text } };
}

/** What a client that comes back with this id is brought. */
async function replayed({ store }: SessionEvents, id: string): Promise<string[]> {
  const texts: string[] = [];
  await store.replayEventsAfter(id, {
    send: async (_, sent) => void texts.push(String("params" in sent && sent.params?.["text"])),
  });
  return texts;
}

describe("what sessions sent", { concurrency: true }, () => {
  it("is brought again from any event on: what followed on that stream, in order", async () => {
    const session = new SentEvents(1e6).session("own");
    const ids: string[] = [];
    for (const text of ["a1", "b1", "a2", "b2", "a3"])
      ids.push(await session.store.storeEvent(text.slice(0, 1), message(text)));
    assert.equal(new Set(ids).size, 5);
    assert.deepEqual(await replayed(session, ids[0] as string), ["a2", "a3"]);
    assert.deepEqual(await replayed(session, ids[1] as string), ["b2"]);
    assert.deepEqual(await replayed(session, ids[4] as string), []);
    assert.equal(session.streamOf(ids[3] as string), "b");
  });

  it("does not bring the event with which a stream begins, which carries nothing", async () => {
    const session = new SentEvents(1e6).session("own");
    const first = session.begin("a");
    await session.store.storeEvent("a", {} as JSONRPCMessage);
    await session.store.storeEvent("a", message("a1"));
    assert.deepEqual(await replayed(session, first), ["a1"]);
  });

  it("is found by nobody but the session that sent it", async () => {
    const sent = new SentEvents(1e6);
    const [one, other] = [sent.session("own"), sent.session("own")];
    const id = await one.store.storeEvent("a", message("secret"));
    await other.store.storeEvent("b", message("x"));
    for (const forged of [id, "", "a", "a/0", "a/2", "b/1/", "__proto__", "x".repeat(100_000)]) {
      assert.equal(other.streamOf(forged), undefined);
      assert.equal(await other.store.getStreamIdForEventId?.(forged), undefined);
      await assert.rejects(replayed(other, forged));
    }
  });

  it("takes no more than a number of bytes over all sessions, the oldest being forgotten first", async () => {
    const sent = new SentEvents(100_000);
    const sessions = Array.from({ length: 10 }, () => sent.session("own"));
    const ids: string[] = [];
    for (let n = 0; n < 1000; n++) {
      const session = sessions[n % 10] as SessionEvents;
      ids.push(await session.store.storeEvent("s", message("x".repeat(n))));
      assert.ok(sent.bytes <= 100_000, `${sent.bytes} bytes`);
    }
    assert.ok(sent.bytes > 50_000, "it is made use of");
    const known = ids.map((id, n) => sessions[n % 10]?.streamOf(id) !== undefined);
    assert.equal(known.lastIndexOf(false) + 1, known.indexOf(true), "what is left is the newest");
  });

  it("leaves each session its own where one sends without end", async () => {
    const sent = new SentEvents(100_000);
    const [quiet, loud] = [sent.session("own"), sent.session("own")];
    const id = await quiet.store.storeEvent("q", message("kept"));
    for (let n = 0; n < 1000; n++) await loud.store.storeEvent("l", message("x".repeat(1000)));
    assert.equal(quiet.streamOf(id), "q");
    assert.ok(sent.bytes <= 26_000, `${sent.bytes} bytes`);
  });

  it("does not keep one event that is larger than the bound, and goes on", async () => {
    const sent = new SentEvents(100_000);
    const session = sent.session("own");
    const before = await session.store.storeEvent("a", message("before"));
    const large = await session.store.storeEvent("a", message("x".repeat(200_000)));
    assert.deepEqual([session.streamOf(before), session.streamOf(large), sent.bytes], [undefined, undefined, 0]);
    const after = await session.store.storeEvent("a", message("after"));
    assert.equal(session.streamOf(after), "a");
  });

  it("is counted as what it takes: objects cost no more than their text", async () => {
    const sent = new SentEvents(1e9);
    const { store } = sent.session("own");
    const params = { rows: Array.from({ length: 1000 }, () => ({})) };
    const length = JSON.stringify(params).length;
    await store.storeEvent("a", { jsonrpc: "2.0", method: "x", params });
    assert.ok(sent.bytes > 2 * length && sent.bytes < 2 * length + 1000);
  });

  it("tells an id of the lasting stream that is forgotten from one that never was", async () => {
    const session = new SentEvents(100_000).session("own");
    const ids = [session.begin("own"), await session.store.storeEvent("own", message("1"))];
    await session.store.storeEvent("a", message("x"));
    assert.deepEqual(
      ids.map((id) => session.isForgotten(id)),
      [false, false],
    );
    await session.store.storeEvent("a", message("x".repeat(12_000)));
    assert.deepEqual(
      ids.map((id) => session.isForgotten(id)),
      [true, true],
    );
    for (const forged of ["own/3", "own/0", "own/-1", "own/01", "own/1e0", "own/", "own/ 1", "a/1", "own", ""])
      assert.equal(session.isForgotten(forged), false, forged);
  });

  it("is let go of with the session, and none is left", async () => {
    const sent = new SentEvents(1e6);
    const [one, other] = [sent.session("own"), sent.session("own")];
    const id = await one.store.storeEvent("a", message("1"));
    const kept = await other.store.storeEvent("a", message("2"));
    one.forget();
    one.forget();
    assert.deepEqual([one.streamOf(id), other.streamOf(kept)], [undefined, "a"]);
    other.forget();
    assert.equal(sent.bytes, 0);
    await other.store.storeEvent("a", message("too late"));
    assert.equal(sent.bytes, 0, "what comes after the end is not kept");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type Gap } from "../../src/client/index.ts";
import { HubRig } from "../support/hub-rig.ts";
import { until } from "../support/until.ts";

const MESSAGE = { id: "e-2", channel: "a", event: "message", data: 1, sender: "x", time: "2026-01-01T00:00:00.000Z" };

/** Answers every request with a stream of these pieces; it stays open unless it is to end. */
function streaming(pieces: Iterable<string>, ends = false): typeof fetch {
  return async () => {
    const parts = pieces[Symbol.iterator]();
    const pull = (stream: ReadableStreamDefaultController): Promise<void> | void => {
      const { done, value } = parts.next();
      if (done !== true) stream.enqueue(Buffer.from(value));
      else if (ends) stream.close();
      else return new Promise(() => {});
    };
    return new Response(new ReadableStream({ pull }), { headers: { "content-type": "text/event-stream" } });
  };
}

describe("a reader over SSE", () => {
  it("names its kind in Accept, so that a refusal comes as one", async () => {
    await using rig = await HubRig.open();
    await using hub = connect(rig.front.url);
    await hub.subscribe("a").ready;
    assert.match(rig.front.heads[0] ?? "", /^accept: text\/event-stream, application\/problem\+json\r?$/im);
  });

  it("waits longer each time where its streams end with nothing but comments, whatever retry they give", async () => {
    for (const retry of ["", "retry: 0\n"]) {
      let asked = 0;
      const refusing = streaming([`${retry}: full\n\n`], true);
      const options = {
        ...(retry === "" && { retry: 10 }),
        fetch: ((...all) => (asked++, refusing(...all))) as typeof fetch,
      };
      await using hub = connect("http://localhost/", options);
      const waits: number[] = [];
      hub.onState((state) => state.kind === "waiting" && waits.push(state.until - Date.now()));
      hub.subscribe("a");
      await until("four waits", () => waits.length === 4);
      assert.ok((waits[3] as number) >= 390 && (waits[3] as number) <= 800, waits.join());
      assert.equal(asked, 4);
    }
  });

  it("gives up on an address that sends a line without an end", async () => {
    let sent = 0;
    function* line(): Generator<string> {
      for (yield ": welcome\n\ndata: "; sent < 10_000; sent++) yield "x".repeat(1000);
    }
    await using hub = connect("http://localhost/", { fetch: streaming(line()), messageMost: 100_000 });
    await assert.rejects(hub.subscribe("a").ready, { code: "TOO_LARGE", final: true });
    assert.ok(sent < 200, `${sent} thousand characters were read`);
  });

  it("takes nothing for a message or a gap that has not its shape", async () => {
    for (const event of [
      `data: ${JSON.stringify({ ...MESSAGE, id: 7 })}`,
      `data: ${JSON.stringify({ ...MESSAGE, channel: null })}`,
      "data: null",
      "event: gap\ndata: {}",
      "event: gap\ndata: null",
    ]) {
      await using hub = connect("http://localhost/", { fetch: streaming([`id: e-1\n${event}\n\n`]) });
      await assert.rejects(hub.subscribe("a").ready, { code: "NOT_A_HUB" }, event);
    }
  });

  it("is live from its first bytes on, also where messages come with them", async () => {
    const bytes = `retry: 2000\nid: e-1\n: welcome\n\nid: e-2\ndata: ${JSON.stringify(MESSAGE)}\n\n`;
    const stream = (): ReadableStream => new ReadableStream({ start: (sent) => sent.enqueue(Buffer.from(bytes)) });
    const headers = { "content-type": "text/event-stream" };
    await using hub = connect("http://localhost/", { fetch: async () => new Response(stream(), { headers }) });
    const ids: (string | null)[] = [];
    hub.subscribe("a", { onMessage: ({ id }) => ids.push(id) });
    await until("it is live", () => hub.state.kind === "live");
    assert.deepEqual(ids, ["e-2"]);
  });
});

for (const transport of ["sse", "websocket"] as const) {
  describe(`a message larger than messageMost over ${transport}`, () => {
    it("is passed over, which a gap tells, and what comes after it goes on", async () => {
      await using rig = await HubRig.open();
      await using hub = connect(rig.front.url, { transport, retry: 20, messageMost: 2000 });
      const got: unknown[] = [];
      const gaps: Gap[] = [];
      const onGap = (gap: Gap): void => {
        got.push("gap");
        gaps.push(gap);
      };
      await hub.subscribe("a", { onMessage: ({ data }) => got.push(data), onGap }).ready;
      const first = await rig.control.publish("a", 1);
      const large = await rig.control.publish("a", "x".repeat(3000));
      await rig.control.publish("a", 2);
      await until("the last", () => got.includes(2));
      assert.deepEqual(got, [1, "gap", 2]);
      assert.deepEqual(gaps, [{ reason: "too_large", after: first, resumed: large }]);
    });
  });
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../src/client/index.ts";
import { until } from "../support/until.ts";

const MESSAGE = { id: "e-2", channel: "a", event: "message", data: 1, sender: "x", time: "2026-01-01T00:00:00.000Z" };

describe("a reader over SSE", () => {
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

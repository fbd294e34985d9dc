import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Answer } from "../support/request.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

function problemOf(answer: Answer): { code: string; detail: string } {
  return answer.json() as { code: string; detail: string };
}

describe("GET /channels/{channel}/messages/{id}", { concurrency: true }, () => {
  it("[HIST-6] answers with the message, from memory and from a file, also after a restart", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    let path = "";
    for (const asked of ["memory:", data, data]) {
      await using server = await startServer({ data: asked });
      if (asked === "memory:" || path === "") {
        await server.publish("orders.us", 1);
        const { id } = await server.publish("orders.eu", { n: 2 });
        await server.publish("orders.us", 3);
        if (asked === data) path = `/channels/orders.eu/messages/${id}`;
        const page = (await server.request("/channels/orders.eu/messages")).json() as { messages: readonly unknown[] };
        const answer = await server.request(`/channels/orders.eu/messages/${id}`);
        assert.deepEqual([answer.status, answer.json()], [200, page.messages[0]]);
      } else assert.deepEqual(((await server.request(path)).json() as { data: unknown }).data, { n: 2 });
    }
  });

  it("[HIST-6] is 404 for a message of another channel, one that was dropped, and one that never was", async () => {
    await using server = await startServer({ retentionMessages: 2 });
    const { id: dropped } = await server.publish("a", 1);
    const { id: other } = await server.publish("b", 2);
    const { id: last } = await server.publish("a", 3);
    const [epoch, offset] = last.split("-") as [string, string];
    for (const id of [dropped, other, `${epoch}-0`, `${epoch}-${Number(offset) + 1}`, `x${epoch}-${offset}`]) {
      const answer = await server.request(`/channels/a/messages/${id}`);
      assert.deepEqual([answer.status, problemOf(answer).code], [404, "NOT_FOUND"], id);
      assert.match(problemOf(answer).detail, /^a has no message with this id: retention dropped it/);
    }
    assert.equal((await server.request(`/channels/a/messages/${last}`)).status, 200);
  });

  it("[HIST-6] refuses what is not an id, a pattern, and parameters, and says what would be right", async () => {
    await using server = await startServer();
    const { id } = await server.publish("a", 1);
    for (const [path, code, sentence] of [
      ["/channels/a/messages/earliest", "INVALID_INPUT", /^id is "earliest"; give the id of a message, such as /],
      ["/channels/a/messages/1", "INVALID_INPUT", /^id is "1"/],
      [`/channels/a/messages/${"x".repeat(5000)}`, "INVALID_INPUT", /^id is "x{64}"/],
      ["/channels/a/messages/%E2%80%AE-1", "INVALID_INPUT", /^id is "\ufffd-1"/],
      [`/channels/a.*/messages/${id}`, "INVALID_CHANNEL", /words of letters/],
      [`/channels/hub.stats/messages/${id}`, "INVALID_CHANNEL", /reserved/],
      [`/channels/a/messages/${id}?after=1`, "INVALID_INPUT", /after/],
    ] as const) {
      const answer = await server.request(path);
      assert.deepEqual([answer.status, problemOf(answer).code], [400, code], path.slice(0, 60));
      assert.match(problemOf(answer).detail, sentence);
    }
  });
});

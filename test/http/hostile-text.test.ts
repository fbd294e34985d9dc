import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { escapeLineBreaks } from "../../src/protocol/text.ts";
import { startServer } from "../support/server.ts";

const JSON_TYPE = { "content-type": "application/json" };
const pieces = fc.oneof(
  fc.constantFrom(
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    ":",
    "data: x",
    "event: live",
    "id: 0-0",
    "retry: 1",
    "\0",
    "\u2028",
    "\ufeff",
    '"',
    "\\",
    "<script>",
    "{{origin}}",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const text = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("").toWellFormed());

describe("whatever is published", () => {
  it("[SSE-2] comes back over a real server: as text with its line breaks as LF, as JSON and over WebSocket exactly", async () => {
    await using server = await startServer();
    using asText = await server.events();
    using asJson = await server.events("?format=json");
    using frames = await server.frames();
    await frames.next();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(text, fc.jsonValue({ stringUnit: "grapheme" })), { minLength: 1, maxLength: 8 }),
        async (values) => {
          for (const value of values) {
            const { id } = await server.publish("default", value);
            const shown =
              typeof value === "string"
                ? value.replaceAll("\r\n", "\n").replaceAll("\r", "\n")
                : escapeLineBreaks(JSON.stringify(value));
            assert.deepEqual(await asText.next(), { event: "message", data: shown, id });
            const whole = await asJson.next();
            assert.deepEqual([whole.event, whole.id], ["message", id]);
            const exact = JSON.parse(JSON.stringify(value)) as unknown;
            assert.deepEqual((JSON.parse(whole.data) as { data: unknown }).data, exact);
            assert.deepEqual((await frames.next())["data"], exact);
          }
        },
      ),
      { numRuns: 60 },
    );
    assert.deepEqual([asText.waiting, asJson.waiting, frames.waiting], [[], [], []]);
    assert.equal(asText.retry, asText.retry && Number(/^retry: (\d+)\n/.exec(asText.text)?.[1]));
  });

  it("[SSE-5] cannot forge a field by its event or sender: each is refused, or one line", async () => {
    await using server = await startServer();
    using reader = await server.events();
    await fc.assert(
      fc.asyncProperty(text, text, async (event, sender) => {
        const query = new URLSearchParams({ event, sender });
        const answer = await server.request(`/channels/default/messages?${query.toString()}`, {
          method: "POST",
          headers: JSON_TYPE,
          body: '"x"',
        });
        if (answer.status === 201) {
          const { id } = answer.json() as { id: string };
          assert.deepEqual(await reader.next(), { event: event || "message", data: "x", id });
        } else {
          const { code, detail } = answer.json() as { code: string; detail: string };
          assert.equal(code, "INVALID_MESSAGE");
          assert.match(detail, /^(?:event|sender) /);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("is carried where it is 64 KiB of line breaks, and refused where it is half a pair", async () => {
    await using server = await startServer();
    using reader = await server.events();
    const data = "\n".repeat(64 * 1024);
    await server.publish("default", data);
    assert.equal((await reader.next()).data, data);
    for (const half of ["\ud800", "x\udfff", "\ude00\ud83d"]) {
      const answer = await server.request("/channels/default/messages", {
        method: "POST",
        headers: JSON_TYPE,
        body: JSON.stringify(half),
      });
      assert.equal(answer.status, 400);
    }
  });
});

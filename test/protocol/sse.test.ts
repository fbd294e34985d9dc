import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createParser } from "eventsource-parser";
import * as fc from "../support/properties.ts";
import type { MessageFields } from "../../src/protocol/message.ts";
import {
  sseEvent,
  sseJson,
  sseOpening,
  SseParser,
  sseMessage,
  sseRetry,
  sseSignal,
  sseText,
  SseTooLong,
  type SseEvent,
} from "../../src/protocol/sse.ts";

const message: MessageFields = { channel: "a", event: "message", data: '"x"', sender: "s", time: 0 };

/** Text made of what could be taken for something else in a stream. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "\r",
        "\n",
        "\r\n",
        "\n\n",
        ":",
        " ",
        "data",
        "data:",
        "event: gap",
        "id: 0",
        "retry:1",
        "\0",
        "\u2028",
        "\u2029",
        "\u0085",
        "\ufeff",
        "\\n",
      ),
      fc.string({ unit: "binary", maxLength: 5 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join("").toWellFormed());

/** What a parser that is not ours reads, in the words of ours. */
function readByOthers(chunks: readonly string[]): { events: SseEvent[]; lastId: string; retry: number | undefined } {
  const events: SseEvent[] = [];
  let lastId = "";
  let retry: number | undefined;
  const parser = createParser({
    onId: (id) => (lastId = id),
    onEvent: ({ event = "message", data }) =>
      events.push({ event: event === "" ? "message" : event, data, id: lastId }),
    onRetry: (milliseconds) => (retry = milliseconds),
  });
  for (const chunk of chunks) parser.feed(chunk);
  return { events, lastId, retry };
}

function readByOurs(chunks: readonly string[]): { events: SseEvent[]; lastId: string; retry: number | undefined } {
  const events: SseEvent[] = [];
  const parser = new SseParser((event) => events.push(event));
  for (const chunk of chunks) parser.feed(chunk);
  return { events, lastId: parser.lastId, retry: parser.retry };
}

function normalised(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
}

describe("an event of a stream", () => {
  it("brings any text back whole, with its line breaks as LF, and nothing in it becomes a field", () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 5 }), (texts) => {
        const stream = texts
          .map((data, index) => sseText({ ...message, data: JSON.stringify(data) }, `e-${index}`))
          .join("");
        const { events, retry } = readByOthers([stream]);
        assert.deepEqual(
          events,
          texts.map((data, index) => ({ event: "message", data: normalised(data), id: `e-${index}` })),
        );
        assert.equal(retry, undefined);
      }),
      { numRuns: 500 },
    );
  });

  it("brings any JSON value back exactly where the whole message is sent as JSON", () => {
    fc.assert(
      fc.property(hostile, fc.jsonValue({ stringUnit: "binary" }), (text, value) => {
        for (const data of [text, value, { [text]: value }]) {
          const json = JSON.stringify(data);
          const { events } = readByOthers([sseJson({ ...message, data: json }, "e-1")]);
          assert.equal(events.length, 1);
          assert.deepEqual((JSON.parse((events[0] as SseEvent).data) as { data: unknown }).data, JSON.parse(json));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("has no event line where it is a message, and no id where it is not kept", () => {
    assert.equal(sseText(message, "e-1"), "id: e-1\ndata: x\n\n");
    assert.equal(sseText(message, undefined), "data: x\n\n");
    assert.equal(
      sseText({ ...message, event: "order", data: '{"a":"\\n"}' }, "e-1"),
      'event: order\nid: e-1\ndata: {"a":"\\n"}\n\n',
    );
    assert.equal(sseText({ ...message, data: '""' }, "e-1"), "id: e-1\ndata: \n\n");
    assert.equal(sseEvent({ event: "message", data: "a\r\n\rb\n" }), "data: a\ndata: \ndata: b\ndata: \n\n");
  });

  it("of 64 KiB of line breaks comes back as it was", () => {
    const data = "\n".repeat(64 * 1024);
    assert.deepEqual(readByOthers([sseText({ ...message, data: JSON.stringify(data) }, "e-1")]).events, [
      { event: "message", data, id: "e-1" },
    ]);
  });

  it("[SSE-7] that signals says so by its name, and a beat is a comment, or an id and nothing else", () => {
    assert.equal(sseSignal({ kind: "beat", id: "e-2", moves: false }), ": heartbeat\n");
    assert.equal(sseSignal({ kind: "beat", id: "e-2", moves: true }), "id: e-2\n\n");
    assert.equal(sseSignal({ kind: "live", id: "e-2" }), 'event: live\nid: e-2\ndata: {"id":"e-2"}\n\n');
    const gap = sseSignal({ kind: "gap", reason: "expired", after: "a\nid: 7", resumed: "e-2" });
    assert.equal(gap, 'event: gap\nid: e-2\ndata: {"reason":"expired","after":"a\\nid: 7","resumed":"e-2"}\n\n');
  });

  it("is nothing but retry, id and a comment at the beginning", () => {
    assert.deepEqual(readByOthers([sseOpening(2345, "e-7")]), { events: [], lastId: "e-7", retry: 2345 });
    assert.deepEqual(readByOthers([sseOpening(2345)]), { events: [], lastId: "", retry: 2345 });
  });

  it("that refuses for now is nothing but retry and a comment of one line", () => {
    assert.equal(sseRetry(2345, "full\nid: 7"), "retry: 2345\n: full id: 7\n");
    assert.deepEqual(readByOthers([sseRetry(2345, "full\n\ndata: x")]), { events: [], lastId: "", retry: 2345 });
  });

  it("[SSE-21] is one line to those who end lines as Python does, where its data is JSON", () => {
    const breaks = "\u0085\u2028\u2029\u000b\u001e";
    const whole = { ...message, data: JSON.stringify({ text: breaks }) };
    const signal = { kind: "gap", reason: "unknown_cursor", after: breaks, resumed: "e-1" } as const;
    for (const text of [sseText(whole, "e-1"), sseJson(whole, "e-1"), sseMessage(whole.data), sseSignal(signal)]) {
      for (const character of breaks) assert.ok(!text.includes(character));
      assert.ok(JSON.stringify(JSON.parse(readByOthers([text]).events[0]?.data ?? "")).includes("\u2028"));
    }
  });
});

describe("the parser of streams", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "",
      "data",
      "data:",
      "data: ",
      "data:  two",
      "id",
      "id: 7",
      "id:\0",
      "event: e",
      "event:",
      "retry: 5",
      "retry: x",
      "retry: -1",
      "retry:",
      ": comment",
      ":",
      "other: x",
      "\ufeffdata: x",
      "data: \ufeff",
      "data : x",
      " data: x",
    ),
    fc.string({ unit: "binary", maxLength: 6 }).map((text) => `data: ${text}`),
  );
  const stream = fc
    .array(fc.tuple(line, fc.constantFrom("\n", "\r", "\r\n")), { maxLength: 40 })
    .map((lines) => lines.map((parts) => parts.join("")).join(""));

  it("reads what another parser reads, however the stream is cut into pieces", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(50), { maxLength: 20 }), (text, sizes) => {
        const chunks: string[] = [];
        let rest = `${text}\n\n:`;
        for (const size of sizes) {
          chunks.push(rest.slice(0, size));
          rest = rest.slice(size);
        }
        chunks.push(rest);
        assert.deepEqual(readByOurs(chunks), readByOthers(chunks));
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps the last id until the event that gives the next one is whole", () => {
    const { parser } = reading();
    parser.feed("id: e-1\ndata: whole\n\nid: e-2\ndata: cut");
    assert.equal(parser.lastId, "e-1");
    parser.feed(" off\n\n");
    assert.equal(parser.lastId, "e-2");
  });

  it("dispatches an event that ends with CR at once, and takes the LF that follows in the next piece for the same break", () => {
    const { events, parser } = reading();
    parser.feed("data: one\r\r");
    assert.deepEqual(events, ["one"]);
    for (const piece of ["\n", "data: two\r", "\ndata: three", "\r", "\n\r", "\n", "data: four\n\n"])
      parser.feed(piece);
    assert.deepEqual(events, ["one", "two\nthree", "four"]);
  });

  const ENDLESS: readonly (readonly [what: string, head: string, piece: string])[] = [
    ["a line without an end", "data: ", "x".repeat(500)],
    ["a line without an end that comes in small pieces", "data: ", "x"],
    ["a comment without an end", ":", " ".repeat(500)],
    ["an id without an end", "id: ", "x".repeat(500)],
    ["data without an end", "", "data: x\n"],
    ["empty data without an end", "", "data\n"],
  ];
  for (const [what, head, piece] of ENDLESS) {
    it(`refuses ${what}, and keeps no more than its limit`, () => {
      const { events, parser } = reading(10_000);
      parser.feed(`id: e-1\ndata: whole\n\n${head}`);
      let sent = 0;
      assert.throws(
        () => {
          for (; sent < 100_000; sent += piece.length) parser.feed(piece);
        },
        (error) => error instanceof SseTooLong && error.id === undefined && error.message.includes("10000"),
      );
      assert.ok(sent <= 20_000, `${sent} characters were taken`);
      assert.deepEqual([events, parser.lastId], [["whole"], "e-1"]);
    });
  }

  for (const [how, rest] of [
    ["comes whole", "\n\n"],
    ["has several lines", "\ndata: y\n\n"],
    ["does not end", "x".repeat(2000)],
  ] as const) {
    it(`names the id of an event that is too long and ${how}`, () => {
      const { events, parser } = reading(100);
      parser.feed(
        `id: e-1\ndata: ${"x".repeat(100)}\n\nid: e-2\ndata: ${"x".repeat(how === "comes whole" ? 101 : 99)}`,
      );
      assert.throws(
        () => parser.feed(rest),
        (error) => error instanceof SseTooLong && error.id === "e-2",
      );
      assert.deepEqual(events, ["x".repeat(100)]);
    });
  }

  it("does not count comments and retry times, however many come before an event", () => {
    const { events, parser } = reading(100);
    for (let n = 0; n < 1000; n++) parser.feed(n % 2 === 0 ? ": heartbeat\n" : "retry: 2000\n");
    parser.feed("data: one\n\n");
    assert.deepEqual(events, ["one"]);
  });

  it("refuses data without an end that comes between comments", () => {
    const { parser } = reading(10_000);
    assert.throws(() => {
      for (let sent = 0; sent < 1_000_000; sent += 1000) parser.feed(`data: ${"x".repeat(1000)}\n: comment\n`);
    }, SseTooLong);
  });
});

/** A parser and the data it has dispatched. */
function reading(most?: number): { readonly events: string[]; readonly parser: SseParser } {
  const events: string[] = [];
  return { events, parser: new SseParser(({ data }) => events.push(data), most) };
}

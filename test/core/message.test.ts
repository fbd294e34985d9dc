import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { channelName } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { draft, Envelope, type DraftInput, type Format } from "../../src/core/message.ts";

const channel = channelName("a");
const LIMIT = 64;

function make(input: Partial<DraftInput>, limit = LIMIT): ReturnType<typeof draft> {
  return draft({ channel, data: null, ...input }, limit);
}

function refusal(input: Partial<DraftInput>): [string, string] {
  try {
    make(input);
  } catch (error) {
    assert.ok(error instanceof HubError);
    return [error.code, error.message];
  }
  throw new Error(`it was not refused: ${JSON.stringify(input)}`);
}

describe("a draft", () => {
  it("has defaults for all but channel and data", () => {
    assert.deepEqual(make({ data: { a: 1 } }), { channel, event: "message", data: '{"a":1}', sender: "anyone" });
    assert.deepEqual(make({ data: "x", event: "e", sender: "s", ephemeral: true, key: "k" }), {
      channel,
      event: "e",
      data: '"x"',
      sender: "s",
      ephemeral: true,
      key: "k",
    });
    assert.equal("ephemeral" in make({ ephemeral: false }), false);
  });

  it("carries any JSON value as text on one line, and brings it back whole", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "grapheme" }), (data) => {
        const text = make({ data }, 1_000_000).data;
        assert.doesNotMatch(text, /[\r\n\0]/);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(data)));
      }),
    );
  });

  it("carries every character that UTF-8 can, NUL and line separators among them", () => {
    for (const data of ["\0", "a\r\nb\rc\n", "\u2028\u2029\u0085", "\ufeff", "😀", "\\ud800", "\\\\ud800", '"\\ud83d'])
      assert.equal(JSON.parse(make({ data }).data), data);
  });

  it("refuses half a surrogate pair anywhere in the data", () => {
    const refused = [
      "\ud800",
      "a\udfff",
      "\ude00\ud83d",
      "\\\ud800",
      ["x", "\udbff"],
      { "\ud800": 1 },
      { a: { "b\udc00": [] } },
    ];
    for (const data of refused) {
      assert.deepEqual(refusal({ data }), [
        "INVALID_MESSAGE",
        "data holds half a surrogate pair, which no UTF-8 text can carry",
      ]);
    }
  });

  it("refuses exactly what is not well formed", () => {
    const units = fc.array(fc.constantFrom("\\", "\ud83d", "\ude00", "u", "d", "8", '"', "\\ud8"), { maxLength: 12 });
    fc.assert(
      fc.property(units, fc.boolean(), (parts, inKey) => {
        const text = parts.join("");
        const data = inKey ? { [text]: 1 } : [text];
        if (text.isWellFormed()) assert.deepEqual(JSON.parse(make({ data }, 1000).data), data);
        else assert.throws(() => make({ data }, 1000), /half a surrogate pair/);
      }),
      { numRuns: 500 },
    );
  });

  it("[MSG-2] is as large as the UTF-8 of its string, or of its JSON", () => {
    assert.ok(make({ data: "x".repeat(LIMIT) }));
    assert.ok(make({ data: "é".repeat(LIMIT / 2) }));
    assert.ok(make({ data: "😀".repeat(LIMIT / 4) }));
    assert.ok(make({ data: '"\n'.repeat(LIMIT / 2) }), "what JSON adds to a string does not count");
    assert.ok(make({ data: ["x".repeat(LIMIT - 4)] }));
    const sizes: [unknown, number][] = [
      ["x".repeat(LIMIT + 1), LIMIT + 1],
      [`${"é".repeat(LIMIT / 2)}x`, LIMIT + 1],
      ["€".repeat(22), 66],
      ["😀".repeat(17), 68],
      [["x".repeat(LIMIT - 3)], LIMIT + 1],
    ];
    for (const [data, bytes] of sizes) {
      assert.deepEqual(refusal({ data }), [
        "MESSAGE_TOO_LARGE",
        `data has ${bytes} bytes; at most ${LIMIT} are allowed`,
      ]);
    }
  });

  it("takes data of 100 levels and refuses more, however much more", () => {
    const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));
    assert.equal(make({ data: nested(100) }, 1000).data.length, 200);
    for (const levels of [101, 100_000]) {
      assert.deepEqual(refusal({ data: nested(levels) }), [
        "INVALID_MESSAGE",
        "data is nested deeper than 100 levels; flatten it",
      ]);
    }
  });

  it("needs data", () => {
    const refused = ["INVALID_MESSAGE", "data is missing; give any JSON value"];
    assert.deepEqual(refusal({ data: undefined }), refused);
    assert.deepEqual(refusal({ data: () => 1 }), refused);
  });

  it("has an event, a sender and a key of one line without control characters, so that nothing forges a field", () => {
    const bad = [
      "a\nb",
      "a\rb",
      "a\r\nb",
      "\n",
      "a\0",
      "\u001f",
      "\u007f",
      "a\u0085b",
      "a\u2028b",
      "a\u2029",
      "\ud800",
      "\t",
    ];
    for (const text of bad) {
      for (const [field, named] of [
        ["event", "event"],
        ["sender", "sender"],
        ["key", "the idempotency key"],
      ] as const) {
        assert.deepEqual(refusal({ [field]: text }), [
          "INVALID_MESSAGE",
          `${named} must be one line of text without control characters`,
        ]);
      }
    }
    for (const text of ["order", "a b", "😀", "ä:ö", " x"]) assert.ok(make({ event: text, sender: text, key: text }));
  });

  it("does not take the names of the server's own signals, which would forge them", () => {
    for (const event of ["live", "gap"]) {
      const sentence = `event ${event} is one of the server's own signals; use another name`;
      assert.deepEqual(refusal({ event }), ["INVALID_MESSAGE", sentence]);
    }
    for (const event of ["Live", "gaps", "beat"]) assert.equal(make({ event }).event, event);
  });

  it("[MCP-15] does not take the name by which an MCP client is told where to send", () => {
    const sentence = "event endpoint is an order to MCP clients; use another name";
    assert.deepEqual(refusal({ event: "endpoint" }), ["INVALID_MESSAGE", sentence]);
  });

  it("bounds event, sender and key, and wants none of event and key empty", () => {
    assert.ok(make({ event: "e".repeat(64), sender: "s".repeat(128), key: "k".repeat(255) }));
    assert.match(refusal({ event: "e".repeat(65) })[1], /^event has 65 characters; at most 64 are allowed$/);
    assert.match(refusal({ sender: "s".repeat(129) })[1], /^sender has 129 characters; at most 128 are allowed$/);
    assert.match(refusal({ key: "k".repeat(256) })[1], /^the idempotency key has 256 characters; at most 255/);
    assert.match(refusal({ event: "" })[1], /^event is empty; leave it out, or give a name such as order$/);
    assert.match(refusal({ key: "" })[1], /^the idempotency key is empty; leave it out or give one$/);
    assert.equal(make({ sender: "" }).sender, "");
  });
});

describe("an envelope", () => {
  it("is encoded once for each format, however many ask", () => {
    const encoded: string[] = [];
    const format = (name: string): Format => ({
      encode: ({ data }, id) => {
        encoded.push(name);
        return Buffer.from(`${name} ${id} ${data}`);
      },
      join: () => new Uint8Array(),
    });
    const [first, second] = [format("first"), format("second")];
    const envelope = new Envelope({ ...make({ data: 7 }), offset: 3, time: 0 }, "e-3");
    const bytes = envelope.encodedBy(first);
    assert.equal(Buffer.from(bytes).toString(), "first e-3 7");
    assert.equal(envelope.encodedBy(first), bytes);
    assert.equal(Buffer.from(envelope.encodedBy(second)).toString(), "second e-3 7");
    assert.equal(envelope.encodedBy(first), bytes);
    assert.deepEqual(encoded, ["first", "second"]);
  });
});

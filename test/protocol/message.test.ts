import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { messageFrame, signalFrame } from "../../src/protocol/ws-frames.ts";
import { rpcError, rpcResult } from "../../src/protocol/jsonrpc.ts";
import { messageJson } from "../../src/protocol/message.ts";

const text = fc.string({ unit: "binary" });

describe("a message on the wire", () => {
  it("is JSON that brings every field back, as an object and as a frame", () => {
    fc.assert(
      fc.property(
        text,
        text,
        fc.jsonValue({ stringUnit: "binary" }),
        fc.integer({ min: 0, max: 8e15 }),
        (event, sender, value, time) => {
          const message = { channel: "a.b", event, data: JSON.stringify(value), sender, time };
          const expected = {
            id: "e-1",
            channel: "a.b",
            event,
            data: JSON.parse(message.data) as unknown,
            sender,
            time: new Date(time).toISOString(),
          };
          assert.deepEqual(JSON.parse(messageJson(message, "e-1")), expected);
          assert.deepEqual(JSON.parse(messageFrame(message, "e-1")), { type: "message", ...expected });
        },
      ),
    );
  });

  it("has null for the id of one that is not kept", () => {
    const message = { channel: "a", event: "message", data: "1", sender: "s", time: 0 };
    assert.equal((JSON.parse(messageJson(message, undefined)) as { id: null }).id, null);
  });
});

describe("a frame of the server's own", () => {
  it("has the kind of the signal as its type", () => {
    assert.equal(signalFrame({ kind: "live", id: "e-1" }), '{"type":"live","id":"e-1"}');
    assert.equal(signalFrame({ kind: "beat", id: "e-1", moves: true }), '{"type":"beat","id":"e-1"}');
    const gap = { kind: "gap", reason: "expired", after: '"', resumed: "e-1" } as const;
    assert.deepEqual(JSON.parse(signalFrame(gap)), { type: "gap", reason: "expired", after: '"', resumed: "e-1" });
  });
});

describe("a JSON-RPC response", () => {
  it("carries the id as it came, and a result or an error", () => {
    for (const id of [null, 0, 7, "", 'a"b']) {
      assert.deepEqual(JSON.parse(rpcResult(id, { a: 1 })), { jsonrpc: "2.0", id, result: { a: 1 } });
      const error = { code: -32600, message: "x", data: { code: "y" } };
      assert.deepEqual(JSON.parse(rpcError(id, error)), { jsonrpc: "2.0", id, error });
    }
  });
});

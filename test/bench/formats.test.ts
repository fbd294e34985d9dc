import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formats } from "../../bench/load/formats.ts";
import { frame, textFrame } from "./forged-streams.ts";

describe("an event stream", () => {
  for (const [name, end] of [
    ["LF", "\n"],
    ["CRLF", "\r\n"],
    ["CR", "\r"],
  ] as const) {
    it(`ends an event at an empty line when lines end with ${name}, and not before`, () => {
      const bytes = Buffer.from(["id: 1", "data: a", "", ": next"].join(end));
      const expected = bytes.indexOf(": next");
      for (let to = 0; to < expected; to += 1) assert.equal(formats.sse.end(bytes, 0, to), -1);
      assert.equal(formats.sse.end(bytes, 0, bytes.length), expected);
    });
  }
});

describe("a WebSocket stream", () => {
  for (const length of [0, 125, 126, 65_535]) {
    it(`ends a frame of ${length} bytes where it ends`, () => {
      const one = textFrame("x".repeat(length));
      const two = Buffer.concat([one, textFrame("next")]);
      for (const to of [0, 1, 2, 3, one.length - 1].filter((place) => place < one.length)) {
        assert.equal(formats.ws.end(two, 0, to), -1);
      }
      assert.equal(formats.ws.end(two, 0, two.length), one.length);
    });
  }

  it("ends a frame with a length of eight bytes where it ends", () => {
    const head = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    const bytes = Buffer.concat([head, Buffer.alloc(65_536)]);
    assert.equal(formats.ws.end(bytes, 0, bytes.length - 1), -1);
    assert.equal(formats.ws.end(bytes, 0, bytes.length), bytes.length);
  });

  it("answers a ping with its payload, masked, and nothing else", () => {
    assert.equal(answer("ws", frame(0x89, Buffer.from("abc"))), "8a8300000000616263");
    assert.equal(answer("ws", textFrame("2")), undefined);
  });

  it("is subscribed with the welcome", () => {
    const welcome = textFrame('{"type":"welcome","id":"e-1"}');
    const message = textFrame('{"type":"message","data":"x"}');
    assert.ok(formats.ws.welcome(welcome, 0, welcome.length));
    assert.ok(!formats.ws.welcome(message, 0, message.length));
  });
});

describe("Socket.IO's stream", () => {
  it("asks for the namespace when the server opens, and answers its pings", () => {
    assert.equal(answer("engine.io", textFrame('0{"sid":"x"}')), `8182${"0".repeat(8)}3430`);
    assert.equal(answer("engine.io", textFrame("2")), `8181${"0".repeat(8)}33`);
    assert.equal(answer("engine.io", textFrame('42["message","2"]')), undefined);
  });

  it("is subscribed when the namespace is granted", () => {
    const granted = textFrame('40{"sid":"y"}');
    const opened = textFrame('0{"sid":"x"}');
    assert.ok(formats["engine.io"].welcome(granted, 0, granted.length));
    assert.ok(!formats["engine.io"].welcome(opened, 0, opened.length));
  });
});

function answer(format: "ws" | "engine.io", bytes: Buffer): string | undefined {
  return formats[format].answer(bytes, 0, bytes.length)?.toString("hex");
}

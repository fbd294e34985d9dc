import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Feed, StreamEvent } from "../../src/client/transport.ts";
import { Reader } from "../../src/client/reader.ts";

/** A feed that brings what a test has a reader hear. */
function feed(): Feed {
  return { want: () => {}, wake: () => {}, ask: () => undefined, close: () => {} };
}

/** A reader of `a` behind a place, and what it gives: ids of messages, and gaps. */
function reader(after: string): { readonly got: string[]; readonly hear: Reader["hear"] } {
  const got: string[] = [];
  const read = new Reader(
    ["a"],
    {
      after,
      onMessage: ({ id }) => got.push(String(id)),
      onGap: ({ reason, after: from, resumed }) => got.push(`${reason} ${from} ${resumed}`),
    },
    { resumed: () => {}, paused: () => {}, ended: () => {} },
  );
  return { got, hear: (from, event) => read.hear(from, event) };
}

function cover(from: string): StreamEvent {
  return { kind: "cover", patterns: ["a"], from };
}

function live(id: string): StreamEvent {
  return { kind: "live", id };
}

function gap(reason: string, after: string, resumed: string): StreamEvent {
  return { kind: "gap", gap: { reason, after, resumed } };
}

function message(id: string): StreamEvent {
  return { kind: "message", message: { id, channel: "a", event: "message", data: 1, sender: "x", time: "" } };
}

describe("a reader", () => {
  it("that lies ahead of what its neighbours lost is told of no gap", () => {
    const { got, hear } = reader("e-20");
    const source = feed();
    for (const event of [cover("e-5"), gap("expired", "e-5", "e-15"), message("e-20"), live("e-20")]) {
      hear(source, event);
    }
    hear(source, message("e-21"));
    assert.deepEqual(got, ["e-21"]);
  });

  it("goes back where the log ends in front of the place that was asked for", () => {
    const { got, hear } = reader("e-20");
    const source = feed();
    for (const event of [cover("e-15"), gap("unknown_cursor", "e-15", "e-5"), live("e-5"), message("e-6")]) {
      hear(source, event);
    }
    assert.deepEqual(got, ["unknown_cursor e-20 e-5", "e-6"]);
  });

  it("goes on in a restored log that has grown past its place, and loses nothing of that", () => {
    const { got, hear } = reader("e-20");
    const source = feed();
    // The log was copied at 16: the feed was asked from a place before that.
    for (const event of [cover("e-15"), message("e-16"), message("f-17"), message("f-22"), live("f-22")]) {
      hear(source, event);
    }
    assert.deepEqual(got, ["unknown_cursor e-20 e-16", "f-17", "f-22"]);
  });

  it("is told that its place is lost at the end of a feed that has nothing for it", () => {
    const { got, hear } = reader("e-20");
    const source = feed();
    for (const event of [cover("e-15"), live("f-18"), message("f-19")]) hear(source, event);
    assert.deepEqual(got, ["unknown_cursor e-20 f-18", "f-19"]);
  });

  it("goes from one run of a log to the next without a gap", () => {
    const { got, hear } = reader("e-20");
    const source = feed();
    for (const event of [cover("e-15"), message("e-16"), message("f-21"), live("f-21")]) hear(source, event);
    hear(source, message("g-22"));
    assert.deepEqual(got, ["f-21", "g-22"]);
  });

  it("is told of it once, however often its feed asks", () => {
    const { got, hear } = reader("e-15");
    const source = feed();
    const lost = gap("unknown_cursor", "e-15", "e-5");
    for (const event of [cover("e-15"), lost, lost, live("e-5"), cover("e-5"), live("e-5"), message("e-6")]) {
      hear(source, event);
    }
    assert.deepEqual(got, ["unknown_cursor e-15 e-5", "e-6"]);
  });

  it("goes back where the feed that led it comes to an end of the log before its place", () => {
    const { got, hear } = reader("e-5");
    const source = feed();
    for (const event of [cover("e-5"), live("e-5"), message("e-6"), message("e-15")]) hear(source, event);
    // It was asked from further back, for another reader.
    for (const event of [cover("e-4"), message("e-5"), live("e-6"), message("e-7")]) hear(source, event);
    assert.deepEqual(got, ["e-6", "e-15", "unknown_cursor e-15 e-6", "e-7"]);
  });

  it("does not go back for a feed that has not come as far as another that led it", () => {
    const { got, hear } = reader("e-5");
    const own = feed();
    const shared = feed();
    for (const event of [cover("e-5"), message("e-15"), live("e-15")]) hear(own, event);
    for (const event of [cover("e-14"), live("e-14"), message("e-15"), message("e-16")]) hear(shared, event);
    assert.deepEqual(got, ["e-15", "e-16"]);
  });
});

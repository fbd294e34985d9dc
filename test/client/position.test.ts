import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Position } from "../../src/client/position.ts";
import type { StreamEvent } from "../../src/client/transport.ts";

/** A subscription to `a` after a place, and what a source gives it: ids of messages, and gaps. */
function position(after: string): { readonly got: string[]; readonly hear: (...events: StreamEvent[]) => void } {
  const got: string[] = [];
  const place = new Position(["a"], after);
  const hear = (...events: StreamEvent[]): void => {
    for (const event of events) {
      for (const item of place.take(event)) {
        got.push("reason" in item ? `${item.reason} ${item.after} ${item.resumed}` : String(item.id));
      }
    }
  };
  return { got, hear };
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

describe("the position of a subscription", () => {
  it("a position ahead of what its neighbours lost gets no gap", () => {
    const { got, hear } = position("e-20");
    hear(cover("e-5"), gap("expired", "e-5", "e-15"), message("e-20"), live("e-20"));
    hear(message("e-21"));
    assert.deepEqual(got, ["e-21"]);
  });

  it("a position goes back with a gap if the log ends before the place that was asked for", () => {
    const { got, hear } = position("e-20");
    hear(cover("e-15"), gap("unknown_cursor", "e-15", "e-5"), live("e-5"), message("e-6"));
    assert.deepEqual(got, ["unknown_cursor e-20 e-5", "e-6"]);
  });

  it("a position goes on with a gap in a restored log that has grown past its place, and loses nothing of that", () => {
    const { got, hear } = position("e-20");
    // The log was copied at 16: the source was asked from a place before that.
    hear(cover("e-15"), message("e-16"), message("f-17"), message("f-22"), live("f-22"));
    assert.deepEqual(got, ["unknown_cursor e-20 e-16", "f-17", "f-22"]);
  });

  it("a position is lost with a gap at the end of a source that has nothing for it", () => {
    const { got, hear } = position("e-20");
    hear(cover("e-15"), live("f-18"), message("f-19"));
    assert.deepEqual(got, ["unknown_cursor e-20 f-18", "f-19"]);
  });

  it("a position goes from one run of a log to the next without a gap", () => {
    const { got, hear } = position("e-20");
    hear(cover("e-15"), message("e-16"), message("f-21"), live("f-21"));
    hear(message("g-22"));
    assert.deepEqual(got, ["f-21", "g-22"]);
  });

  it("a position gets one gap for one loss, however often its source asks", () => {
    const { got, hear } = position("e-15");
    const lost = gap("unknown_cursor", "e-15", "e-5");
    hear(cover("e-15"), lost, lost, live("e-5"), cover("e-5"), live("e-5"), message("e-6"));
    assert.deepEqual(got, ["unknown_cursor e-15 e-5", "e-6"]);
  });

  it("a position goes back if the source that led it comes to an end of the log before its place", () => {
    const { got, hear } = position("e-5");
    hear(cover("e-5"), live("e-5"), message("e-6"), message("e-15"));
    // It was asked from further back, for another subscription.
    hear(cover("e-4"), message("e-5"), live("e-6"), message("e-7"));
    assert.deepEqual(got, ["e-6", "e-15", "unknown_cursor e-15 e-6", "e-7"]);
  });

  it("a position that came from elsewhere is not lost where a source says an end that was before it", () => {
    const { got, hear } = position("e-15");
    hear(cover("e-5"), live("e-10"), message("e-11"), message("e-15"), message("e-16"));
    assert.deepEqual(got, ["e-16"]);
  });

  it("a position is not lost in a log of several runs, whichever run a source begins in for its neighbours", () => {
    const { got, hear } = position("f-20");
    hear(cover("e-5"), message("e-6"), message("f-18"), message("f-20"), message("g-22"), live("g-22"));
    assert.deepEqual(got, ["g-22"]);
  });

  it("a position is asked for again if a source passes it without coming through its run of the log", () => {
    const place = new Position(["a"], "f-20");
    for (const event of [cover("e-5"), message("e-6"), message("g-22")]) assert.deepEqual(place.take(event), []);
    assert.deepEqual([place.covered, place.cursor], [false, "f-20"]);
    place.take(cover("f-20"));
    assert.equal(place.take(message("g-22")).length, 1);
  });

  it("a position is asked for again if a source that begins with all that is kept begins after it", () => {
    const place = new Position(["a"], "e-20");
    for (const event of [cover("earliest"), message("e-25")]) assert.deepEqual(place.take(event), []);
    assert.deepEqual([place.covered, place.cursor], [false, "e-20"]);
    for (const event of [cover("earliest"), message("e-19")]) assert.deepEqual(place.take(event), []);
    assert.equal(place.take(message("e-25")).length, 1);
  });

  it("a position that no log knows is lost at the end of the log, and holds up no neighbour", () => {
    const { got, hear } = position("nonsense");
    hear(cover("e-5"), message("e-6"), live("e-6"), message("e-7"));
    assert.deepEqual(got, ["unknown_cursor nonsense e-6", "e-7"]);
  });
});

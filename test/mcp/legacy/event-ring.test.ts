import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventRings, OWN_STREAM, type EventRing } from "../../../src/mcp/legacy/event-ring.ts";

/** What a client that comes back with this id is brought. */
function replayed(ring: EventRing, id: string): string[] {
  return ring.after(id).map(({ message }) => message);
}

describe("what sessions sent", { concurrency: true }, () => {
  it("is brought again from any event on: what followed on that stream, in order", () => {
    const ring = new EventRings(1e6).ring();
    const ids = ["a1", "b1", "a2", "b2", "a3"].map((text) => ring.add(text.slice(0, 1), text));
    assert.equal(new Set(ids).size, 5);
    assert.deepEqual(replayed(ring, ids[0] as string), ["a2", "a3"]);
    assert.deepEqual(replayed(ring, ids[1] as string), ["b2"]);
    assert.deepEqual(replayed(ring, ids[4] as string), []);
    assert.equal(ring.streamOf(ids[3] as string), "b");
  });

  it("does not bring the event with which a stream begins, which carries nothing", () => {
    const ring = new EventRings(1e6).ring();
    const first = ring.add("a");
    ring.add("a");
    ring.add("a", "a1");
    assert.deepEqual(replayed(ring, first), ["a1"]);
  });

  it("is found by nobody but the session that sent it", () => {
    const rings = new EventRings(1e6);
    const [one, other] = [rings.ring(), rings.ring()];
    const id = one.add("a", "secret");
    const tag = other.add("b", "x").split("/")[0];
    for (const forged of [id, "", "a", `${tag}/a/1`, `${tag}/b/2`, `${tag}/b/1/`, "__proto__", "x".repeat(100_000)]) {
      assert.equal(other.streamOf(forged), undefined);
      assert.deepEqual(replayed(other, forged), []);
    }
  });

  it("takes no more than a number of bytes over all sessions, the oldest being forgotten first", () => {
    const rings = new EventRings(100_000);
    const all = Array.from({ length: 10 }, () => rings.ring());
    const ids: string[] = [];
    for (let n = 0; n < 1000; n++) {
      ids.push((all[n % 10] as EventRing).add("s", "x".repeat(n)));
      assert.ok(rings.bytes <= 100_000, `${rings.bytes} bytes`);
    }
    assert.ok(rings.bytes > 50_000, "it is made use of");
    const known = ids.map((id, n) => all[n % 10]?.streamOf(id) !== undefined);
    assert.equal(known.lastIndexOf(false) + 1, known.indexOf(true), "what is left is the newest");
  });

  it("leaves each session its own if one sends without end", () => {
    const rings = new EventRings(100_000);
    const [quiet, loud] = [rings.ring(), rings.ring()];
    const id = quiet.add("q", "kept");
    for (let n = 0; n < 1000; n++) loud.add("l", "x".repeat(1000));
    assert.equal(quiet.streamOf(id), "q");
    assert.ok(rings.bytes <= 26_000, `${rings.bytes} bytes`);
  });

  it("does not keep one event that is larger than the bound, and goes on", () => {
    const rings = new EventRings(100_000);
    const ring = rings.ring();
    const before = ring.add("a", "before");
    const large = ring.add("a", "x".repeat(200_000));
    assert.deepEqual([ring.streamOf(before), ring.streamOf(large), rings.bytes], [undefined, undefined, 0]);
    const after = ring.add("a", "after");
    assert.equal(ring.streamOf(after), "a");
  });

  it("tells an id of the lasting stream that is forgotten from one that never was", () => {
    const ring = new EventRings(100_000).ring();
    const ids = [ring.add(OWN_STREAM), ring.add(OWN_STREAM, "1")];
    ring.add("a", "x");
    assert.deepEqual(
      ids.map((id) => ring.isForgotten(id)),
      [false, false],
    );
    ring.add("a", "x".repeat(12_000));
    assert.deepEqual(
      ids.map((id) => ring.isForgotten(id)),
      [true, true],
    );
    const tag = ids[0]?.split("/")[0];
    for (const end of ["own/9", "own/0", "own/-1", "own/01", "own/1e0", "own/", "own/ 1", "a/1", "own", ""])
      assert.equal(ring.isForgotten(`${tag}/${end}`), false, end);
    assert.equal(ring.isForgotten("00000000/own/1"), false);
  });

  it("is let go of with the session, and none is left", () => {
    const rings = new EventRings(1e6);
    const [one, other] = [rings.ring(), rings.ring()];
    const id = one.add("a", "1");
    const kept = other.add("a", "2");
    one.forget();
    one.forget();
    assert.deepEqual([one.streamOf(id), other.streamOf(kept)], [undefined, "a"]);
    other.forget();
    assert.equal(rings.bytes, 0);
    other.add("a", "too late");
    assert.equal(rings.bytes, 0, "what comes after the end is not kept");
  });
});

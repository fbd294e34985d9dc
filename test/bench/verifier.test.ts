import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Histogram } from "../../bench/load/histogram.ts";
import { Verifier, type Track } from "../../bench/load/verifier.ts";
import {
  counts,
  frame,
  interleaved,
  payload,
  randomNumbers,
  RUN,
  SIZE,
  sseEvent,
  tally,
  textFrame,
  type Item,
} from "./forged-streams.ts";

const ABC: readonly Item[] = [0, 1, 2].map((sequence) => ({ publisher: 0, sequence }));

describe("the verifier", () => {
  it("finds nothing wrong with readers that got everything", () => {
    const { verifier, tracks } = open(3);
    for (const track of tracks) feed(verifier, track, Buffer.concat(ABC.map(sseEvent)));
    assert.equal(verifier.delivered, 9);
    for (const track of tracks)
      assert.deepEqual(outcome(verifier, track, ABC), { lost: 0, duplicated: 0, disordered: 0 });
  });

  it("finds the one reader that lost a message between two others", () => {
    const { verifier, tracks } = open(3);
    const [a, b, c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    feed(verifier, tracks[0], Buffer.concat([a, b, c]));
    feed(verifier, tracks[1], Buffer.concat([a, c]));
    feed(verifier, tracks[2], Buffer.concat([a, b, c]));
    assert.equal(outcome(verifier, tracks[0], ABC).lost, 0);
    assert.equal(outcome(verifier, tracks[1], ABC).lost, 1);
    assert.deepEqual(verifier.outcome(tracks[1] as Track, published(ABC)).gaps, [{ publisher: 0, from: 1, to: 2 }]);
    assert.equal(outcome(verifier, tracks[2], ABC).lost, 0);
  });

  it("finds the message that the reader who was ahead lost, and nothing wrong with those behind", () => {
    const { verifier, tracks } = open(3);
    const [a, b, c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    feed(verifier, tracks[0], Buffer.concat([a, c]));
    feed(verifier, tracks[1], Buffer.concat([a, b, c]));
    feed(verifier, tracks[2], Buffer.concat([a, b, c]));
    assert.deepEqual(
      tracks.map((track) => outcome(verifier, track, ABC).lost),
      [1, 0, 0],
    );
  });

  it("finds the last message missing at the end of a stream", () => {
    const { verifier, tracks } = open(2);
    const [a, b, c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    feed(verifier, tracks[0], Buffer.concat([a, b, c]));
    feed(verifier, tracks[1], Buffer.concat([a, b]));
    assert.deepEqual(
      tracks.map((track) => outcome(verifier, track, ABC).lost),
      [0, 1],
    );
  });

  it("finds a message that all readers lost", () => {
    const { verifier, tracks } = open(2);
    const [a, , c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    for (const track of tracks) feed(verifier, track, Buffer.concat([a, c]));
    assert.deepEqual(
      tracks.map((track) => outcome(verifier, track, ABC).lost),
      [1, 1],
    );
  });

  it("tells a message that came late from one that came twice", () => {
    const { verifier, tracks } = open(3);
    const [a, b, c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    feed(verifier, tracks[0], Buffer.concat([a, b, c]));
    feed(verifier, tracks[1], Buffer.concat([a, c, b]));
    feed(verifier, tracks[2], Buffer.concat([a, b, b, c]));
    assert.deepEqual(outcome(verifier, tracks[1], ABC), { lost: 0, duplicated: 0, disordered: 1 });
    assert.deepEqual(outcome(verifier, tracks[2], ABC), { lost: 0, duplicated: 1, disordered: 0 });
  });

  it("counts a payload that was cut short as lost", () => {
    const { verifier, tracks } = open(2);
    const [a, b, c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    const cut = Buffer.from(b.toString().replace("xx~", "\n"));
    feed(verifier, tracks[0], Buffer.concat([a, b, c]));
    feed(verifier, tracks[1], Buffer.concat([a, cut, c]));
    assert.deepEqual(
      tracks.map((track) => outcome(verifier, track, ABC).lost),
      [0, 1],
    );
  });

  it("does not miss what the server may not have taken", () => {
    const { verifier, tracks } = open(1);
    const [a, , c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    feed(verifier, tracks[0], Buffer.concat([a, c]));
    const unanswered = [{ publisher: 0, from: 1, to: 2 }];
    assert.equal(verifier.outcome(tracks[0] as Track, { counts: counts(1, ABC), unanswered }).lost, 0);
  });

  it("ignores events of other runs, and bytes between events that differ by reader", () => {
    const { verifier, tracks } = open(2);
    const [a, b, c] = ABC.map(sseEvent) as [Buffer, Buffer, Buffer];
    const foreign = Buffer.from(a.toString().replace(RUN, "others"));
    const beat = Buffer.from("id: e-9\n\n");
    feed(verifier, tracks[0], Buffer.concat([Buffer.from("retry: 2000\n: hi\n\n"), a, beat, b, foreign, c]));
    feed(verifier, tracks[1], Buffer.concat([Buffer.from("retry: 3999\n: hi\n\n"), a, b, beat, c, beat, beat]));
    assert.deepEqual(
      tracks.map((track) => outcome(verifier, track, ABC).lost),
      [0, 0],
    );
    assert.equal(verifier.delivered, 6);
  });

  it("makes every reader that passes a ping answer it", () => {
    const answers: string[] = [];
    const verifier = new Verifier({ format: "ws", run: RUN, size: SIZE, publishers: 1, latencies: new Histogram() });
    const tracks = ["first", "second"].map((name) =>
      verifier.open((bytes) => answers.push(`${name} ${bytes.toString("hex")}`)),
    );
    const welcome = textFrame('{"type":"welcome"}');
    for (const track of tracks) feed(verifier, track, welcome);
    for (const track of tracks) feed(verifier, track, frame(0x89, Buffer.from("hi")));
    assert.deepEqual(answers, ["first 8a82000000006869", "second 8a82000000006869"]);
  });

  it("refuses a stream that never ends an event", () => {
    const { verifier, tracks } = open(1);
    const endless = Buffer.alloc(1 << 16, "x");
    assert.throws(() => {
      for (let i = 0; i < 200; i += 1) feed(verifier, tracks[0], endless);
    }, /without the end of an event/);
  });

  for (const format of ["sse", "ws"] as const) {
    it(`agrees with counting one by one on any forged ${format} streams, however they are cut`, () => {
      for (let seed = 1; seed <= 150; seed += 1) compareWithCounting(seed, format);
    });
  }
});

function compareWithCounting(seed: number, format: "sse" | "ws"): void {
  const random = randomNumbers(seed);
  const publishers = 1 + random(5);
  const items = interleaved(publishers, 20 + random(300), random);
  const encode =
    format === "sse"
      ? sseEvent
      : (item: Item) => textFrame(JSON.stringify({ type: "message", data: payload(item).toString() }));
  const beat = format === "sse" ? Buffer.from("id: e\n\n") : frame(0x89, Buffer.alloc(0));
  const welcome = format === "sse" ? Buffer.from(`retry: ${random(4)}\n\n`) : textFrame('{"type":"welcome"}');
  const capacity = 1024 << random(6);
  const verifier = new Verifier({ format, run: RUN, size: SIZE, publishers, latencies: new Histogram(), capacity });
  const rate = [0, 0, 1, 20][random(4)] ?? 0;
  const readers = Array.from({ length: 2 + random(8) }, () => {
    const received = mutated(items, rate, random);
    const parts = received.flatMap((item) => (random(1000) < rate * 3 ? [beat, encode(item)] : [encode(item)]));
    return { received, track: verifier.open(() => {}), bytes: Buffer.concat([welcome, ...parts]), at: 0 };
  });
  const largest = 1 + random(random(2) === 0 ? 50 : 5000);
  for (let waiting = readers; waiting.length > 0; waiting = readers.filter(({ at, bytes }) => at < bytes.length)) {
    const reader = waiting[random(waiting.length)];
    if (reader === undefined) continue;
    const to = Math.min(reader.bytes.length, reader.at + 1 + random(largest));
    verifier.feed(reader.track, reader.bytes, reader.at, to, seed * 1e6 + reader.at);
    reader.at = to;
  }
  for (const [index, { track, received }] of readers.entries()) {
    if (random(2) === 0) verifier.close(track);
    assert.deepEqual(
      outcome(verifier, track, items),
      tally(items, received),
      `${format} seed ${seed}, reader ${index}`,
    );
  }
  assert.equal(
    verifier.delivered,
    readers.reduce((sum, { received }) => sum + received.length, 0),
  );
}

/** Loses, doubles and swaps messages, each with the chance `rate` in a thousand. */
function mutated(items: readonly Item[], rate: number, random: (limit: number) => number): Item[] {
  const result = items
    .filter(() => random(1000) >= rate)
    .flatMap((item) => (random(1000) < rate ? [item, item] : [item]));
  for (const [index, item] of result.entries()) {
    const other = random(result.length);
    const swapped = result[other];
    if (random(1000) >= rate || swapped === undefined) continue;
    result[index] = swapped;
    result[other] = item;
  }
  return result.slice(0, random(10) === 0 ? random(result.length) : result.length);
}

function open(count: number): { verifier: Verifier; tracks: Track[] } {
  const verifier = new Verifier({ format: "sse", run: RUN, size: SIZE, publishers: 1, latencies: new Histogram() });
  return { verifier, tracks: Array.from({ length: count }, () => verifier.open(() => {})) };
}

function feed(verifier: Verifier, track: Track | undefined, bytes: Buffer): void {
  assert.ok(track);
  verifier.feed(track, bytes, 0, bytes.length, 2000);
}

function published(items: readonly Item[]): { counts: Uint32Array; unanswered: [] } {
  return { counts: counts(1 + Math.max(...items.map(({ publisher }) => publisher)), items), unanswered: [] };
}

function outcome(verifier: Verifier, track: Track | undefined, items: readonly Item[]): ReturnType<typeof tally> {
  assert.ok(track);
  const { lost, duplicated, disordered } = verifier.outcome(track, published(items));
  return { lost, duplicated, disordered };
}

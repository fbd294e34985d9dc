import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName } from "../../src/core/channel.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";
import type { LiveReader, ReaderGroup } from "../../src/core/reader-group.ts";
import type { Lag } from "../../src/core/backlog.ts";
import { FanOut } from "../../src/core/fan-out.ts";
import type { DeliveryTracer } from "../../src/core/trace.ts";
import { Stats } from "../../src/core/stats.ts";
import { draftOf, patternsOf } from "../support/sample.ts";
import { TestSink } from "../support/test-sink.ts";

class Reader implements LiveReader {
  readonly sink = new TestSink();
  readonly channels: readonly ChannelPattern[];
  readonly watches = false;
  group: ReaderGroup | undefined;
  given = 0;
  told = 0;
  lag: Lag | undefined;
  /** Called when it is cut. */
  onCut: () => void = () => {};

  constructor(...channels: string[]) {
    this.channels = patternsOf(...channels);
  }

  get pending(): number {
    return this.sink.pending;
  }

  cut(): void {
    this.onCut();
  }
}

/** Delivery to readers, with turns that end when the test says so. */
class Trial {
  readonly stats = new Stats();
  readonly slow: Reader[] = [];
  /** What was told of deliveries that are traced. */
  readonly traced: string[] = [];
  readonly fanOut: FanOut;
  #ends: (() => void)[] = [];
  #offset = 0;

  constructor(writesPerMessage: number, maxPending = 1000, maxPendingTotal = 1e9) {
    const endOfTurn = (write: () => void): void => void this.#ends.push(write);
    const tracer: DeliveryTracer = {
      deliver: ({ data }) => ({
        offered: (groups, receivers) => this.traced.push(`${data}: ${groups} groups, ${receivers} readers`),
        given: () => this.traced.push(`${data}: given`),
      }),
      replayed: () => {},
    };
    this.fanOut = new FanOut({ maxPending, maxPendingTotal, endOfTurn, writesPerMessage, tracer }, this.stats);
  }

  join(...channels: string[]): Reader {
    const reader = new Reader(...channels);
    reader.onCut = () => {
      this.slow.push(reader);
      this.fanOut.detach(reader);
    };
    this.fanOut.attach(reader);
    return reader;
  }

  offer(channel: string, data: unknown, traceparent?: string): number {
    const place = traceparent === undefined ? {} : { traceparent };
    const message = {
      ...draftOf(channel, data),
      ...place,
      channel: channelName(channel),
      offset: ++this.#offset,
      time: 0,
    };
    return this.fanOut.offer(message, undefined, ({ offset }) => String(offset));
  }

  /** Ends this turn; false if nothing waits for that. */
  end(): boolean {
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) end();
    assert.ok(ends.length <= 2, "one end of a turn is enough to write, and one to look at what is left");
    return ends.length > 0;
  }

  endAll(): number {
    let turns = 0;
    while (this.end()) turns++;
    return turns;
  }
}

describe("a delivery that is traced", () => {
  it("counts each group of readers once, when every reader of the group has the message", () => {
    const trial = new Trial(2);
    for (let count = 0; count < 3; count++) trial.join("a");
    trial.join("*");
    trial.offer("a", 1, "00-1");
    trial.offer("a", 2);
    assert.deepEqual(trial.traced.splice(0), ["1: 2 groups, 4 readers"]);
    trial.endAll();
    assert.deepEqual(trial.traced, ["1: given", "1: given"]);
  });

  it("counts a group whose readers have all gone, and nothing if there are no readers", () => {
    const trial = new Trial(2);
    const reader = trial.join("a");
    trial.offer("a", 1, "00-1");
    trial.offer("b", 2, "00-2");
    trial.fanOut.detach(reader);
    trial.endAll();
    assert.deepEqual(trial.traced, ["1: 1 groups, 1 readers", "2: 0 groups, 0 readers", "1: given"]);
  });
});

describe("fan-out", () => {
  it("offers messages of a channel that no one read before, once someone does", () => {
    for (const pattern of ["a", "*"]) {
      const trial = new Trial(2);
      for (let count = 0; count < 2; count++) assert.equal(trial.offer("a", "early"), 0);
      assert.equal(trial.offer("a", "traced", "00-1"), 0);
      const reader = trial.join(pattern);
      assert.equal(trial.offer("a", 1), 1);
      trial.fanOut.detach(reader);
      assert.equal(trial.offer("a", "late"), 0);
      trial.join("b");
      const again = trial.join(pattern);
      assert.equal(trial.offer("a", 2), 1);
      trial.endAll();
      assert.deepEqual(again.sink.data, [2]);
      assert.deepEqual(trial.traced, ['"traced": 0 groups, 0 readers']);
    }
  });

  it("writes to so many readers in a turn, and to all of them in the end", () => {
    const trial = new Trial(3);
    const readers = Array.from({ length: 8 }, (_, index) => trial.join(index % 2 ? "a" : "*"));
    assert.equal(trial.offer("a", 1), 8);
    const written = (): number => readers.filter(({ sink }) => sink.writes > 0).length;
    const counts: number[] = [];
    while (trial.end()) counts.push(written());
    assert.deepEqual(counts, [3, 6, 8]);
    assert.ok(readers.every(({ sink }) => sink.writes === 1));
    assert.deepEqual([trial.stats.delivered, trial.end()], [8, false]);
  });

  it("gives a reader that waits its turn all that came meanwhile, in one piece", () => {
    const trial = new Trial(1);
    const readers = [trial.join("a"), trial.join("a"), trial.join("a")];
    trial.offer("a", 1);
    trial.end();
    trial.offer("a", 2);
    trial.end();
    trial.offer("a", 3);
    trial.endAll();
    assert.deepEqual(
      readers.map(({ sink }) => sink.data),
      [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
    );
    assert.deepEqual(
      readers.map(({ sink }) => sink.writes),
      [2, 2, 1],
    );
  });

  it("goes on with every group, however much one of them is offered", () => {
    const trial = new Trial(2);
    const busy = Array.from({ length: 10 }, () => trial.join("busy"));
    const quiet = trial.join("quiet");
    trial.offer("busy", 0);
    trial.offer("quiet", 1);
    for (let turns = 1; quiet.sink.data.length === 0; turns++) {
      assert.ok(turns < 10, "the quiet one waits");
      trial.offer("busy", turns);
      trial.end();
    }
    trial.endAll();
    assert.ok(busy.every(({ sink }) => sink.data.length === busy[0]?.sink.data.length));
  });

  it("lets readers come and go while it is writing", () => {
    const trial = new Trial(1);
    const [first, leaver, last] = [trial.join("a"), trial.join("a"), trial.join("a")];
    trial.offer("a", 1);
    trial.end();
    trial.fanOut.detach(leaver);
    const joined = trial.join("a");
    trial.offer("a", 2);
    trial.endAll();
    assert.deepEqual(
      [first, leaver, last, joined].map(({ sink }) => sink.data),
      [[1, 2], [], [1, 2], [2]],
    );
    assert.deepEqual([leaver.group, trial.fanOut.detach(leaver)], [undefined, false]);
  });

  it("gives one reader what it lacks at once, and nothing twice", () => {
    const trial = new Trial(1);
    const [reader, other] = [trial.join("a"), trial.join("a")];
    trial.offer("a", 1);
    trial.offer("a", 2);
    trial.fanOut.flush(reader);
    trial.fanOut.flush(reader);
    assert.deepEqual([reader.sink.data, reader.sink.writes, other.sink.data], [[1, 2], 1, []]);
    trial.endAll();
    assert.deepEqual([reader.sink.data, reader.sink.writes, other.sink.data], [[1, 2], 1, [1, 2]]);
  });

  it("shares the same bytes among those who lack the same, whatever else they read", () => {
    const trial = new Trial(10);
    const pieces = new Set<Uint8Array>();
    for (let count = 0; count < 10; count++) {
      const { sink } = trial.join("a", "b", `c.${count >> 1}`);
      const write = sink.write.bind(sink);
      sink.write = (bytes) => {
        pieces.add(bytes);
        return write(bytes);
      };
    }
    trial.offer("a", 1);
    trial.offer("b", 2);
    trial.endAll();
    assert.equal(pieces.size, 1);
  });

  it("hands over who takes too little, and goes on with the rest", () => {
    const trial = new Trial(10, 100);
    const [before, slow, after] = [trial.join("a"), trial.join("a"), trial.join("a")];
    slow.sink.stall();
    for (const data of ["x".repeat(30), "y".repeat(30)]) {
      trial.offer("a", data);
      trial.endAll();
    }
    assert.equal(trial.offer("a", "z"), 3);
    trial.endAll();
    assert.deepEqual(trial.slow, [slow]);
    assert.equal(trial.offer("a", "last"), 2);
    trial.endAll();
    assert.deepEqual(
      [before, slow, after].map(({ sink }) => sink.data.length),
      [4, 2, 4],
    );
  });

  it("cuts those that left most when all together left more than they may, and only as many as it must", () => {
    const trial = new Trial(10, 10_000, 3000);
    const readers = ["a", "b", "c"].map((channel) => trial.join(channel, "all"));
    for (const { sink } of readers) sink.stall();
    for (const [channel, bytes] of [
      ["a", 300],
      ["b", 1200],
      ["c", 600],
    ] as const) {
      trial.offer(channel, "x".repeat(bytes));
      trial.endAll();
    }
    assert.deepEqual(trial.slow, []);
    trial.offer("a", "y".repeat(900));
    trial.endAll();
    assert.deepEqual(trial.slow, [readers[1]]);
  });

  it("counts bytes once that many share", () => {
    const trial = new Trial(100, 10_000, 6000);
    const readers = Array.from({ length: 20 }, () => trial.join("a"));
    for (const { sink } of readers) sink.stall();
    trial.offer("a", "x".repeat(1200));
    trial.endAll();
    trial.offer("a", "y");
    trial.endAll();
    assert.deepEqual(trial.slow, []);
    assert.ok(readers.every(({ sink }) => sink.data.length === 2));
  });

  it("waits with the rest of a turn that is more than all together may leave, for sockets to have time", () => {
    const trial = new Trial(100, 10_000, 3000);
    const readers = Array.from({ length: 10 }, (_, index) => trial.join("all", `own${index}`));
    for (const { sink } of readers) sink.stall();
    trial.offer("all", "x".repeat(1000));
    for (const index of readers.keys()) trial.offer(`own${index}`, "y");
    trial.end();
    const written = readers.filter(({ sink }) => sink.writes > 0);
    assert.ok(written.length < 10, `${written.length} were written to`);
    assert.deepEqual(trial.slow, []);
    for (const { sink } of readers) sink.resume();
    trial.endAll();
    assert.deepEqual(trial.slow, []);
    assert.ok(readers.every(({ sink }) => sink.data.length === 2));
  });

  it("is done when the last reader it was writing to is gone", () => {
    const trial = new Trial(1);
    const readers = [trial.join("a"), trial.join("a")];
    trial.offer("a", 1);
    trial.end();
    for (const reader of readers) trial.fanOut.detach(reader);
    assert.ok(trial.endAll() <= 1);
    assert.equal(trial.offer("a", 2), 0);
    const again = trial.join("a");
    assert.equal(trial.offer("a", 3), 1);
    trial.endAll();
    assert.deepEqual(again.sink.data, [3]);
  });
});

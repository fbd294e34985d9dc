import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { check } from "./checker.ts";
import type { Entry, Happening } from "./record.ts";

/** Ten messages on two channels in turn, all acknowledged, each sent when the one before was. */
const PUBLISHED: readonly Happening[] = Array.from({ length: 10 }, (_, index) => index + 1).flatMap((n) => [
  { kind: "attempt", publisher: "p", n, channel: channelOf(n) },
  { kind: "acknowledged", n, id: `a-${n}`, repeated: false },
]);

function channelOf(n: number): string {
  return n % 2 === 0 ? "c.even" : "c.odd";
}

function opened(after: string | null, channels: readonly string[] = ["c.*"], reader = "r"): Happening {
  return { kind: "open", reader, at: "node 1", channels, after };
}

function read(n: number, id = `a-${n}`, reader = "r"): Happening {
  return { kind: "message", reader, id, n, channel: channelOf(n) };
}

function reads(...numbers: number[]): readonly Happening[] {
  return numbers.map((n) => read(n));
}

function place(id: string): Happening {
  return { kind: "place", reader: "r", id };
}

function gap(after: string, resumed: string, reason = "lost"): Happening {
  return { kind: "gap", reader: "r", reason, after, resumed };
}

function verdict(...happenings: readonly Happening[]): ReturnType<typeof check> {
  return check(happenings.map((happening, time): Entry => ({ ...happening, time })));
}

/** What kinds of violation there are in what a reader got of the ten messages. */
function faults(...happenings: readonly Happening[]): readonly string[] {
  return verdict(...PUBLISHED, ...happenings).violations.map(({ kind }) => kind);
}

describe("the checker of the fault harness", () => {
  it("finds nothing wrong with a reader that got everything, however often it came back", () => {
    const rest = [opened("a-4"), ...reads(5, 6), place("a-6"), opened("a-6"), ...reads(7, 8, 9, 10), place("a-10")];
    const { violations, ...counts } = verdict(...PUBLISHED, opened("earliest", ["*"]), ...reads(1, 2, 3, 4), ...rest);
    assert.deepEqual(violations, []);
    assert.deepEqual(counts, {
      attempted: 10,
      acknowledged: 10,
      unconfirmed: 0,
      unconfirmedKept: 0,
      delivered: 10,
      gaps: {},
      insideGaps: 0,
      repeated: 0,
      lost: 0,
      lostSilently: 0,
      longestSilence: 2,
    });
    assert.deepEqual(faults(opened("earliest", ["c.odd"]), ...reads(1, 3, 5, 7, 9)), []);
    assert.deepEqual(faults(opened(null), place("a-7"), ...reads(8, 9, 10)), []);
  });

  it("finds a message that was lost: between others, before a place, and in the end", () => {
    assert.deepEqual(faults(opened("earliest"), ...reads(1, 2, 4, 5, 6, 7, 8, 9, 10)), ["lost"]);
    assert.deepEqual(faults(opened("earliest"), ...reads(1, 2, 3), place("a-4"), ...reads(5, 6, 7, 8, 9, 10)), [
      "lost",
    ]);
    assert.deepEqual(faults(opened("earliest"), ...reads(1, 2, 3, 4, 5, 6, 7, 8)), ["lost", "lost"]);
    assert.deepEqual(faults(opened(null), place("a-8"), read(10)), ["lost"]);
    const { lostSilently } = verdict(...PUBLISHED, opened(null), place("a-8"), read(10));
    assert.equal(lostSilently, 1);
  });

  it("finds a message that came twice, also after the reader came back", () => {
    assert.deepEqual(faults(opened(null), place("a-7"), ...reads(8, 9, 9, 10)), ["doubled"]);
    assert.deepEqual(faults(opened(null), place("a-7"), ...reads(8, 9), opened("a-9"), ...reads(9, 10)), ["doubled"]);
  });

  it("finds messages out of order, in a stream and in the log", () => {
    assert.deepEqual(faults(opened(null), place("a-7"), ...reads(9, 8, 10)), ["lost", "reordered"]);
    const attempt = (n: number): Happening => ({ kind: "attempt", publisher: "p", n, channel: "c.odd" });
    const acknowledged = (n: number, id: string): Happening => ({ kind: "acknowledged", n, id, repeated: false });
    const inTurn = [attempt(1), acknowledged(1, "a-2"), attempt(3), acknowledged(3, "a-1")];
    assert.deepEqual(
      verdict(...inTurn).violations.map(({ kind }) => kind),
      ["reordered"],
    );
    assert.deepEqual(verdict(attempt(1), attempt(3), acknowledged(1, "a-2"), acknowledged(3, "a-1")).violations, []);
  });

  it("finds a gap that does not cover all that is missing", () => {
    const end = reads(8, 9, 10);
    assert.deepEqual(faults(opened("earliest"), ...reads(1, 2, 3), gap("a-3", "a-7"), ...end), []);
    assert.deepEqual(faults(opened("earliest"), ...reads(1, 2, 3), gap("a-3", "a-6"), ...end), ["lost"]);
    assert.deepEqual(faults(opened("earliest"), ...reads(1, 2, 3), gap("a-4", "a-7"), ...end), ["lost"]);
    assert.deepEqual(faults(opened("old"), gap("old", "a-7", "unknown_cursor"), ...end), []);
    const { insideGaps, gaps } = verdict(...PUBLISHED, opened(null), place("a-3"), gap("a-3", "a-7"), ...end);
    assert.deepEqual([insideGaps, gaps], [4, { lost: 1 }]);
  });

  it("tells a log that started over, when no node knew of the earlier one, from one that gives offsets out twice", () => {
    const flushed: Happening = { kind: "fault", fault: "flush", what: "done" };
    const restarted: readonly Happening[] = [
      { kind: "attempt", publisher: "p", n: 11, channel: "c.odd" },
      { kind: "acknowledged", n: 11, id: "b-1", repeated: false },
    ];
    const before = [opened("earliest"), ...reads(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)];
    const told = gap("a-10", "b-0", "unknown_cursor");
    assert.deepEqual(faults(...before, flushed, ...restarted, opened("a-10"), told, read(11, "b-1")), []);
    assert.deepEqual(faults(...before, flushed, ...restarted, opened("a-10"), read(11, "b-1")), []);
    assert.deepEqual(faults(...before, flushed, ...restarted, opened("a-10"), place("b-1")), ["lost"]);
    assert.deepEqual(
      faults(...before, ...restarted, opened("a-10"), told, read(11, "b-1")).includes("reordered"),
      true,
    );
  });

  it("wants a gap for what an old primary acknowledged beside the new one, after it is gone", () => {
    const sent = (n: number, id: string): readonly Happening[] => [
      { kind: "attempt", publisher: "p", n, channel: channelOf(n) },
      { kind: "acknowledged", n, id, repeated: false },
    ];
    const readAll = (...happenings: readonly Happening[]): readonly Happening[] =>
      [opened("earliest", ["*"]), ...happenings].map((happening) => ({ ...happening, reader: "all" }) as Happening);
    // Both go on after a-10: b stays, and c does not. The next run begins with d-200.
    const both = [...sent(11, "b-101"), ...sent(12, "c-102"), ...sent(13, "b-103"), ...sent(14, "c-104")];
    const start = [...reads(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), gap("a-10", "b-100"), read(11, "b-101"), read(13, "b-103")];
    const told = gap("b-105", "d-200");
    {
      const published = [...both, ...sent(16, "b-105"), ...sent(17, "d-201")];
      const stayed = [...start, read(16, "b-105"), told, read(17, "d-201")];
      const all = readAll(...stayed);
      assert.deepEqual(faults(...published, opened("earliest"), ...stayed, ...all), []);
      assert.equal(verdict(...PUBLISHED, ...published, ...all).lost, 2);
      const untold = stayed.filter((happening) => happening !== told);
      assert.deepEqual(faults(...published, opened("earliest"), ...untold, ...all), ["lost", "lost"]);
      const there = [opened(null), place("a-10"), gap("a-10", "c-100"), read(12, "c-102"), read(14, "c-104")];
      const back = [gap("c-104", "b-103", "unknown_cursor"), read(16, "b-105"), told, read(17, "d-201")];
      assert.deepEqual(faults(...published, ...there, ...back, ...all), []);
      const [first, , ...others] = back;
      assert.deepEqual(faults(...published, ...there, first as Happening, ...others, ...all), ["lost"]);
      assert.deepEqual(faults(...published, ...there.slice(0, -1), ...back, ...all), []);
    }
    {
      const published = [...both, ...sent(16, "b-105"), ...sent(17, "b-106")];
      const stayed = [...start, read(16, "b-105"), read(17, "b-106")];
      assert.deepEqual(
        faults(...published, opened("earliest"), ...stayed, ...readAll(...stayed)),
        Array(4).fill("lost"),
      );
    }
    {
      // The publisher of 18 was answered only when it had sent it again.
      const published = [...both, { kind: "attempt", publisher: "p", n: 18, channel: "c.even" } as const];
      const other = [{ ...opened("c-104"), reader: "other" } as Happening, read(18, "c-105", "other")];
      const end = [
        { ...gap("c-105", "d-200", "unknown_cursor"), reader: "other" } as Happening,
        read(20, "d-201", "other"),
      ];
      const again: Happening = { kind: "acknowledged", n: 18, id: "b-105", repeated: false };
      const stayed = [...start, read(18, "b-105"), read(19, "b-106"), gap("b-106", "d-200"), read(20, "d-201")];
      const after = [again, ...sent(19, "b-106"), ...sent(20, "d-201"), opened("earliest"), ...stayed];
      assert.deepEqual(faults(...published, ...other, ...after, ...end, ...readAll(...stayed)), []);
    }
  });

  it("lets a gap take a reader back to where its node is, and wants everything after that again", () => {
    const back = [opened(null), place("a-6"), ...reads(7, 8, 9), opened("a-9"), gap("a-9", "a-7", "unknown_cursor")];
    assert.deepEqual(faults(...back, ...reads(8, 9, 10)), []);
    assert.equal(verdict(...PUBLISHED, ...back, ...reads(8, 9, 10)).repeated, 2);
    assert.deepEqual(faults(...back, ...reads(9, 10)), ["lost"]);
    assert.deepEqual(faults(...back, ...reads(7, 8, 9, 10)), ["doubled"]);
  });

  it("finds an id that names two messages, and a message that the log has twice", () => {
    const other = [opened(null, ["c.*"], "other"), read(3, "a-10", "other")];
    assert.deepEqual(faults(opened(null), place("a-8"), ...reads(9, 10), ...other), ["renamed"]);
    assert.deepEqual(faults(opened(null), place("a-8"), ...reads(9, 10), read(10, "b-11")), ["doubled"]);
    const again = [opened(null), place("a-8"), ...reads(9, 10), gap("a-10", "b-20"), read(10, "b-21")];
    assert.deepEqual(faults(...again), []);
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => read(n, `a-${n}`, "all"));
    const both = [opened("earliest", ["*"], "all"), ...all];
    assert.deepEqual(faults(...again, ...both, read(10, "b-21", "all")), ["doubled"]);
  });

  it("takes a message that was lost and told for gone, and one that was not told for lost", () => {
    const reader = opened("earliest", ["*"], "late");
    const late = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => read(n, `a-${n}`, "late"));
    const told = [opened(null), place("a-8"), gap("a-8", "a-100")];
    assert.deepEqual(faults(...told, reader, ...late), []);
    assert.equal(verdict(...PUBLISHED, ...told, reader, ...late).lost, 2);
    // One who had the lost messages is told of the loss all the same.
    assert.deepEqual(faults(opened(null), place("a-8"), ...reads(9, 10), gap("a-10", "a-100"), reader, ...late), []);
    assert.deepEqual(faults(reader, ...late), ["lost", "lost"]);
    const [, ...allButFirst] = late;
    assert.deepEqual(faults(...told, reader, ...allButFirst), ["lost"]);
    const flushed: Happening = { kind: "fault", fault: "flush", what: "done" };
    assert.deepEqual(faults(flushed, reader), []);
  });

  it("lets a message whose refusal is unsure be there or not, but for all readers, and none that was refused for sure", () => {
    const attempt: Happening = { kind: "attempt", publisher: "p", n: 11, channel: "c.odd" };
    const refused = (status: number, isUnsure = status >= 500): Happening => ({
      kind: "refused",
      n: 11,
      status,
      isUnsure,
      why: "",
    });
    const here = [opened(null), place("a-10")];
    assert.deepEqual(faults(attempt, refused(503), ...here), []);
    assert.deepEqual(faults(attempt, refused(503), ...here, read(11)), []);
    assert.deepEqual(faults(attempt, refused(503), ...here, read(11, "a-11"), read(11, "a-12")), ["doubled"]);
    assert.deepEqual(faults(attempt, refused(400), ...here, read(11)), ["refused but kept"]);
    assert.deepEqual(faults(attempt, refused(503, false), ...here, read(11)), ["refused but kept"]);
    assert.deepEqual(faults(attempt, refused(503, false), attempt, refused(503), ...here, read(11)), []);
    const other: Happening = { kind: "place", reader: "other", id: "a-11" };
    const both = [opened(null, ["c.*"], "other"), { ...other, id: "a-10" }, ...here, read(11), other];
    assert.deepEqual(faults(attempt, refused(503), ...both), ["withheld"]);
  });

  it("finds what was never sent, what was not asked for, and a hub that does not recover", () => {
    assert.deepEqual(faults(opened(null), place("a-9"), read(10), read(99)), ["invented"]);
    assert.deepEqual(faults(opened(null, ["c.odd"]), place("a-9"), read(10)), ["not asked for"]);
    assert.deepEqual(faults({ kind: "healed", problem: "node 2 is not ready" }), ["not healed"]);
  });
});

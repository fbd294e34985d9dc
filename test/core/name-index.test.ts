import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { NameIndex } from "../../src/core/name-index.ts";

interface Kept {
  readonly last: number;
  readonly dropped: number;
}

describe("an index of names", () => {
  it("answers as a sorted list would, however many come and go", () => {
    const word = fc.stringMatching(/^[a-c]{1,3}$/);
    const name = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join("."));
    const step = fc.tuple(name, fc.nat(99), fc.nat(99), fc.nat(3));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), name, name, fc.nat(99), (steps, prefix, after, above) => {
        const index = new NameIndex<Kept>();
        const known = new Map<string, Kept>();
        // More than one stretch.
        for (let number = 0; number < 1500; number++) {
          const filler = `${["a", "b", "cc"][number % 3] ?? ""}.${(number * 7919) % 1500}`;
          index.set(filler, { last: 0, dropped: 0 });
          known.set(filler, { last: 0, dropped: 0 });
        }
        for (const [each, last, dropped, kind] of steps) {
          const next = { last, dropped: Math.max(dropped, known.get(each)?.dropped ?? 0) };
          if (kind === 0) {
            index.delete(each);
            known.delete(each);
          } else {
            index.set(each, next, next.last, next.dropped);
            known.set(each, next);
          }
        }
        const sorted = [...known].sort(([a], [b]) => (a < b ? -1 : 1));
        for (const start of ["", prefix, prefix.slice(0, 1)]) {
          const within = sorted.filter(([each]) => each.startsWith(start));
          assert.deepEqual([...index.entries(start)], within);
          assert.deepEqual(
            [...index.entries(start, after)],
            within.filter(([each]) => each > after),
          );
          assert.deepEqual(
            [...index.range(start, undefined, above)],
            within.filter(([, { last }]) => last > above).map(([, value]) => value),
          );
          assert.equal(index.dropped(start), Math.max(0, ...within.map(([, { dropped }]) => dropped)));
        }
        assert.equal(index.size, known.size);
        assert.equal(index.get(after), known.get(after));
      }),
      { numRuns: 60 },
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../../support/properties.ts";
import { DeliveryCheck, SMALLEST_PAYLOAD, stamped, stampReader } from "../../../src/cli/bench/delivery-check.ts";

const RUN = "a1b2c3";
const stamp = { publisher: 999, sequence: 9_999_999, sent: 99_999_999_999 };

describe("what one reader of bench got", () => {
  it("is judged as by counting its messages one by one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(2), fc.nat(9)), { maxLength: 60 }),
        fc.uniqueArray(fc.nat(9), { maxLength: 3 }),
        (got, refused) => {
          const failed = new Set(refused);
          const check = new DeliveryCheck();
          for (const [publisher, sequence] of got) check.take({ publisher, sequence, sent: 0 });
          const sent = [0, 1, 2].map(() => ({ count: 10, failed }));
          const expected = { lost: 0, duplicated: 0, disordered: 0 };
          for (const publisher of [0, 1, 2]) {
            const own = got.flatMap(([whose, sequence]) => (whose === publisher ? [sequence] : []));
            for (const [at, sequence] of own.entries()) {
              const before = own.slice(0, at);
              if (before.includes(sequence)) expected.duplicated++;
              else if (before.some((other) => other > sequence)) expected.disordered++;
            }
            expected.lost += Array.from({ length: 10 }, (_, n) => n).filter(
              (n) => !own.includes(n) && !failed.has(n),
            ).length;
          }
          const { lost, duplicated, disordered } = check.faults(sent);
          assert.deepEqual({ lost, duplicated, disordered }, expected);
        },
      ),
    );
  });

  it("is told with the places at which messages are missing, the first five", () => {
    const check = new DeliveryCheck();
    for (const sequence of [0, 3, 5, 7, 9, 11, 13]) check.take({ publisher: 1, sequence, sent: 0 });
    const none = new Set<number>();
    const { lost, gaps } = check.faults([
      { count: 0, failed: none },
      { count: 20, failed: none },
    ]);
    assert.equal(lost, 13);
    assert.deepEqual(gaps, [
      { publisher: 1, from: 1, to: 3 },
      { publisher: 1, from: 4, to: 5 },
      { publisher: 1, from: 6, to: 7 },
      { publisher: 1, from: 8, to: 9 },
      { publisher: 1, from: 10, to: 11 },
    ]);
  });
});

describe("a payload of bench", () => {
  it("has the size that was asked for, and says what it is", () => {
    for (const size of [SMALLEST_PAYLOAD, 100, 65_000]) {
      const text = stamped(RUN, stamp, size);
      assert.equal(text.length, size);
      assert.deepEqual(stampReader(RUN, size)(text), stamp);
    }
  });

  it("is not taken for one if it is cut, longer, spliced or of another run", () => {
    const text = stamped(RUN, stamp, 100);
    const read = stampReader(RUN, 100);
    for (const other of [
      text.slice(1),
      text.slice(0, -1),
      `${text}x`,
      text.replace("x", "y"),
      text.replace("a1", "a2"),
      "",
    ]) {
      assert.equal(read(other), undefined);
    }
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  bytes,
  clock,
  count,
  decimal,
  duration,
  mebibytes,
  milliseconds,
  percent,
  scale,
} from "../../src/web/shared/format.ts";

/** With the point of this machine's language. */
function pointed(text: string): string {
  return text.replace(".", (1.5).toLocaleString().charAt(1));
}

describe("numbers for people", () => {
  it("have as many places as tell something, and a dash where there is none", () => {
    const shown = [0, 0.123, 4.56, 99.94, 123.4, NaN].map(decimal);
    assert.deepEqual(shown, ["0", pointed("0.12"), pointed("4.6"), pointed("99.9"), "123", "–"]);
    assert.equal(count(1234.4), (1234).toLocaleString());
    assert.deepEqual([count(NaN), milliseconds(NaN), percent(NaN), mebibytes(NaN)], ["–", "–", "–", "–"]);
    assert.deepEqual([milliseconds(250), percent(0), mebibytes(80.2)], ["250 ms", "0 %", "80 MiB"]);
  });

  it("are bytes in the largest unit that leaves something before the point", () => {
    const shown = [0, 1023, 1024, 1536, 3 * 2 ** 20, 2 ** 52, NaN].map(bytes);
    const kibi = pointed("1.5");
    assert.deepEqual(shown, [
      "0 B",
      `${count(1023)} B`,
      `${pointed("1.0")} KiB`,
      `${kibi} KiB`,
      `${pointed("3.0")} MiB`,
      `${count(4096)} TiB`,
      "–",
    ]);
  });

  it("tell the steps of a scale apart, between whole numbers, too", () => {
    assert.deepEqual([0, 0.5, 1].map(scale), ["0", pointed("0.50"), "1"]);
    assert.deepEqual([0, 2.5, 5].map(scale), ["0", pointed("2.5"), "5"]);
    assert.equal(scale(1500), (1500).toLocaleString());
  });

  it("tell how long in the two largest units, and the time of day in this place", () => {
    assert.deepEqual([5, 65, 3725, 200_000].map(duration), ["5 s", "1 min 5 s", "1 h 2 min", "2 d 7 h"]);
    assert.equal(clock(new Date(2026, 1, 3, 4, 5, 6).getTime()), "04:05:06");
  });
});

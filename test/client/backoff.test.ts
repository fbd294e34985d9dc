import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Backoff } from "../../src/client/backoff.ts";
import { HubClientError } from "../../src/client/error.ts";

/** What a timer can hold: one that is set to more ends at once. */
const LONGEST = 2 ** 31 - 1;
const YEAR = 365 * 24 * 3_600_000;

function failure(retryAfter?: number): HubClientError {
  return new HubClientError("UNAVAILABLE", "because", { final: false, retryAfter });
}

describe("the wait before the next attempt", () => {
  it("grows also where the first is none, up to the limit and no further", () => {
    for (const [option, told] of [
      [0, undefined],
      [undefined, 0],
    ]) {
      const backoff = new Backoff({ first: option, most: 5000 });
      backoff.retry = told;
      const waits = Array.from({ length: 2000 }, () => backoff.next(failure()));
      assert.equal(waits[0], 0);
      assert.ok(
        waits.slice(1).every((wait) => wait >= 100 && wait <= 5000),
        `${waits.slice(0, 9).join()} … ${waits.at(-1)}`,
      );
      assert.ok(Math.min(...waits.slice(9)) >= 2500);
    }
  });

  it("is never longer than a timer holds", () => {
    for (const retryAfter of [YEAR, Infinity]) {
      assert.equal(new Backoff({ first: 1000, most: 30_000 }).next(failure(retryAfter)), LONGEST);
    }
    assert.equal(new Backoff({ first: Infinity, most: Infinity }).next(failure()), LONGEST);
  });
});

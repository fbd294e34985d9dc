import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Backoff } from "../../src/client/backoff.ts";
import { HubClientError } from "../../src/client/errors.ts";

/** What a timer can hold: one that is set to more ends at once. */
const LONGEST = 2 ** 31 - 1;
const YEAR = 365 * 24 * 3_600_000;

function failure(retryAfter?: number): HubClientError {
  return new HubClientError("UNAVAILABLE", "because", { final: false, retryAfter });
}

describe("the wait before the next attempt", () => {
  it("grows also where the first is none, up to the limit and no further", () => {
    for (const [option, told, least, most] of [
      [0, undefined, 0, 0],
      // A server that ends every stream at once would be asked without a pause.
      [undefined, 0, 50, 100],
    ] as const) {
      const backoff = new Backoff({ first: option, most: 5000 });
      backoff.retry = told;
      const waits = Array.from({ length: 2000 }, () => backoff.next(failure()));
      const [first = NaN] = waits;
      assert.ok(first >= least && first <= most, String(first));
      assert.ok(
        waits.slice(1).every((wait) => wait >= 100 && wait <= 5000),
        `${waits.slice(0, 9).join()} … ${waits.at(-1)}`,
      );
      assert.ok(Math.min(...waits.slice(9)) >= 2500);
    }
  });

  it("is a minute at most where the server says how long, and spread by no more than another wait", () => {
    for (const retryAfter of [YEAR, Infinity]) {
      for (const first of [1000, Infinity]) {
        const wait = new Backoff({ first, most: 30_000 }).next(failure(retryAfter));
        assert.ok(wait >= 60_000 && wait <= 90_000, String(wait));
      }
    }
    for (const told of [YEAR, Infinity]) {
      const backoff = new Backoff({ first: undefined, most: Infinity });
      backoff.retry = told;
      const wait = backoff.next(failure());
      assert.ok(wait >= 30_000 && wait <= 60_000, String(wait));
    }
  });

  it("is never longer than a timer holds", () => {
    assert.equal(new Backoff({ first: Infinity, most: Infinity }).next(failure()), LONGEST);
  });
});

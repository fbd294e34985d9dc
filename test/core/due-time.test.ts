import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dueTime, MAX_DELAY } from "../../src/core/due-time.ts";
import type { HubError } from "../../src/core/errors.ts";

const NOW = Date.parse("2026-11-30T08:00:00Z");
const FORM = /^at is ".*"; use a time with its offset from UTC, such as 2030-01-31T09:00:00\+01:00/;

describe("when a message is due", () => {
  it("is a time with an offset from UTC, whatever the offset, or so many seconds from now", () => {
    for (const [at, iso] of [
      ["2026-11-30T09:00:00+01:00", "2026-11-30T08:00:00.000Z"],
      ["2026-11-30T08:00Z", "2026-11-30T08:00:00.000Z"],
      ["2026-12-24t20:15:00.250-05:30", "2026-12-25T01:45:00.250Z"],
      ["2027-02-28T00:00:00.000000z", "2027-02-28T00:00:00.000Z"],
      ["2026-11-30T07:55:00Z", "2026-11-30T07:55:00.000Z"],
      ["2027-12-01T08:00:00Z", "2027-12-01T08:00:00.000Z"],
    ] as const) {
      assert.deepEqual(dueTime({ at }, NOW), { time: Date.parse(iso), isExact: true }, at);
    }
    assert.deepEqual(dueTime({ delaySeconds: 0.5 }, NOW), { time: NOW + 500, isExact: false });
    assert.deepEqual(dueTime({ delaySeconds: MAX_DELAY }, NOW), { time: NOW + MAX_DELAY * 1000, isExact: false });
  });

  it("is refused with what would be right if it has no offset, is no day of the calendar, is past or too far ahead", () => {
    for (const [request, said] of [
      [{ at: "2026-11-30T09:00:00" }, FORM],
      [{ at: "2026-11-30" }, FORM],
      [{ at: "tomorrow" }, FORM],
      [{ at: "" }, FORM],
      [{ at: "2027-02-29T00:00:00Z" }, FORM],
      [{ at: "2027-04-31T00:00:00Z" }, FORM],
      [{ at: "2026-11-30T25:00:00Z" }, FORM],
      [{ at: "2026-11-30T09:00:00+0100" }, FORM],
      [{ at: "+002026-11-30T09:00:00Z" }, FORM],
      [{ at: "2026-11-30T07:54:59Z" }, /which is in the past; it is 2026-11-30T08:00:00\.000Z now$/],
      [{ at: "2025-12-01T09:00:00Z" }, /which is in the past/],
      [{ at: "2027-12-02T08:00:00Z" }, /more than a year ahead; it is 2026-11-30T08:00:00\.000Z now$/],
      [{ delaySeconds: -1 }, /^delaySeconds is -1; use a number from 0 to 31622400$/],
      [{ delaySeconds: MAX_DELAY + 1 }, /^delaySeconds is 31622401; use/],
      [{ delaySeconds: NaN }, /^delaySeconds is NaN; use/],
      [{ at: "2026-11-30T09:00:00Z", delaySeconds: 1 }, /^at and delaySeconds both say when; give one of them$/],
    ] as const) {
      assert.throws(
        () => dueTime(request, NOW),
        ({ code, message }: HubError) => code === "INVALID_INPUT" && said.test(message),
        JSON.stringify(request),
      );
    }
  });
});

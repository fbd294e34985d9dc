import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { beginning } from "../../src/cli/since.ts";
import { UsageError } from "../../src/cli/usage.ts";

const NOW = Date.parse("2026-11-28T12:00:00Z");

describe("--since", () => {
  it("takes the id of a message and earliest as they are", () => {
    assert.deepEqual(beginning(undefined), {});
    assert.deepEqual(beginning("earliest"), { after: "earliest" });
    for (const id of ["abc-0", "k3f9x2m1-1234567", "2026-7", "abc-r1-17"])
      assert.deepEqual(beginning(id), { after: id });
  });

  it("takes how long ago, and times", () => {
    for (const [text, time] of [
      ["90s", "2026-11-28T11:58:30Z"],
      ["10m", "2026-11-28T11:50:00Z"],
      ["1h", "2026-11-28T11:00:00Z"],
      ["1h30m", "2026-11-28T10:30:00Z"],
      ["0.5d", "2026-11-28T00:00:00Z"],
      ["2w", "2026-11-14T12:00:00Z"],
      ["2026-11-28", "2026-11-28T00:00:00Z"],
      ["2026-11-28T09:30:00+01:00", "2026-11-28T08:30:00Z"],
      ["2026-11-28 09:30Z", "2026-11-28T09:30:00Z"],
    ] as const) {
      assert.deepEqual(beginning(text, NOW), { after: "earliest", time: Date.parse(time) }, text);
    }
  });

  it("refuses what it does not understand, and the future", () => {
    for (const text of [
      "",
      "1",
      "h",
      "1 h",
      "10min",
      "-1h",
      "yesterday",
      "latest",
      "2026-13-40",
      "2026-11-28T25:00Z",
      "1e3",
      "abc-",
    ]) {
      assert.throws(() => beginning(text, NOW), UsageError, text);
    }
    assert.throws(() => beginning("2026-11-29", NOW), /in the future/);
  });
});

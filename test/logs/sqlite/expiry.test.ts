import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AgeClock } from "../../../src/logs/sqlite/expiry.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** An age clock, and the two clocks that it looks at, both of which start at noon. */
class Rig {
  now = 1000 * DAY;
  elapsed = 5000;
  readonly lines: string[] = [];
  readonly clock: AgeClock;

  constructor(age: number, last?: number) {
    const report = (line: string): void => void this.lines.push(line);
    this.clock = new AgeClock({ elapsed: () => this.elapsed, age, last, report });
  }

  /** Lets time pass, and sets the clock ahead by more; returns how far that is from noon for messages. */
  after(passed: number, set = 0): number {
    this.elapsed += passed;
    this.now += passed + set;
    return this.clock.time(this.now) - 1000 * DAY;
  }
}

describe("the clock by which messages grow old", () => {
  it("goes with the time of day, also if that is set back, or ahead by less than a minute", () => {
    const rig = new Rig(7 * DAY);
    assert.deepEqual(
      [rig.after(0), rig.after(1000), rig.after(1000, MINUTE), rig.after(1000, -3 * DAY), rig.after(2 * HOUR)],
      [0, 1000, MINUTE + 2000, MINUTE + 3000 - 3 * DAY, MINUTE + 3000 - 3 * DAY + 2 * HOUR],
    );
    assert.deepEqual(rig.lines, []);
  });

  it("goes on as before when that jumps ahead, until it has stayed there for an hour", () => {
    const rig = new Rig(7 * DAY);
    rig.after(0);
    assert.deepEqual(
      [rig.after(1000, 30 * DAY), rig.after(HOUR - 1), rig.after(1), rig.after(5)],
      [1000, 1000 + HOUR - 1, 30 * DAY + 1000 + HOUR, 30 * DAY + 1005 + HOUR],
    );
    assert.deepEqual(rig.lines, [
      "the clock is 2592000 s ahead of what the log expects; messages do not grow old by that unless it stays so for 3600 s",
    ]);
  });

  it("waits no longer than messages may be kept", () => {
    const rig = new Rig(3000);
    rig.after(0);
    assert.deepEqual([rig.after(1, DAY), rig.after(2999), rig.after(1)], [1, 3000, DAY + 3001]);
  });

  it("begins to wait again if it jumps again, and forgets a jump that was taken back", () => {
    const rig = new Rig(7 * DAY);
    rig.after(0);
    assert.deepEqual(
      [rig.after(0, DAY), rig.after(HOUR / 2, DAY), rig.after(HOUR / 2), rig.after(HOUR / 2)],
      [0, HOUR / 2, HOUR, 2 * DAY + 1.5 * HOUR],
    );
    assert.deepEqual(
      [rig.after(0, DAY), rig.after(HOUR / 2, -DAY), rig.after(0, DAY), rig.after(HOUR / 2)],
      [2 * DAY + 1.5 * HOUR, 2 * DAY + 2 * HOUR, 2 * DAY + 2 * HOUR, 2 * DAY + 2.5 * HOUR],
    );
  });

  it("takes the time since the log was used last for a jump, too", () => {
    const rig = new Rig(7 * DAY, 990 * DAY);
    assert.deepEqual([rig.after(0), rig.after(HOUR)], [-10 * DAY, HOUR]);
    assert.equal(rig.lines.length, 1);
    const soon = new Rig(7 * DAY, 1000 * DAY - 2 * HOUR);
    assert.deepEqual([soon.after(0), soon.after(HOUR), soon.lines], [-2 * HOUR, HOUR, []]);
    const back = new Rig(7 * DAY, 1010 * DAY);
    assert.equal(back.after(0), 0);
  });
});

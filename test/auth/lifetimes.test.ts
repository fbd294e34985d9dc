import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lifetimes } from "../../src/auth/lifetimes.ts";
import { ANYONE, type Principal } from "../../src/core/principal.ts";

const START = 1_800_000_000_000;

/** Lifetimes on a clock of their own, and what they did. */
class Clock implements Disposable {
  now = START;
  readonly log: string[] = [];
  readonly lifetimes: Lifetimes;

  constructor(maxAge = 0) {
    this.lifetimes = new Lifetimes(maxAge, () => this.now);
  }

  hold(expires: number | undefined, name = "one"): () => void {
    const principal: Principal = { ...ANYONE, kind: "jwt", id: name, expires };
    return this.lifetimes.hold(principal, {
      expiring: (at) => this.log.push(`${name} expires in ${Math.round((at - this.now) / 1000)} s`),
      end: (reason) => this.log.push(`${name} ${reason}`),
    });
  }

  /** Lets seconds pass. */
  pass(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.now += 1000;
      this.lifetimes.tick();
    }
  }

  [Symbol.dispose](): void {
    this.lifetimes.close();
  }
}

describe("what is open by a credential", () => {
  it("[AUTH-7] is warned once, a minute before, and ended before the credential expires", () => {
    using clock = new Clock();
    clock.hold(START + 600_000);
    clock.pass(500);
    assert.deepEqual(clock.log, []);
    clock.pass(99);
    assert.equal(clock.log.length, 2);
    assert.match(clock.log[0] ?? "", /^one expires in (?:[5-9]\d) s$/);
    assert.equal(clock.log[1], "one expired");
  });

  it("ends spread over the last of its time, and never after it, if a thousand expire together", () => {
    using clock = new Clock();
    for (let number = 0; number < 1000; number++) clock.hold(START + 600_000, String(number));
    const ends = new Map<number, number>();
    for (let second = 1; second < 600; second++) {
      const before = clock.log.filter((line) => line.endsWith("expired")).length;
      clock.pass(1);
      const ended = clock.log.filter((line) => line.endsWith("expired")).length - before;
      if (ended > 0) ends.set(second, ended);
    }
    const all = [...ends.values()].reduce((sum, count) => sum + count, 0);
    assert.equal(all, 1000);
    assert.ok(ends.size > 20, `${ends.size} seconds`);
    assert.ok(Math.max(...ends.values()) < 150);
    assert.ok(Math.min(...ends.keys()) >= 569);
  });

  it("is let go of when it ends by itself", () => {
    using clock = new Clock();
    clock.hold(START + 100_000)();
    clock.lifetimes.revoke("one");
    clock.pass(200);
    assert.deepEqual(clock.log, []);
  });

  it("[AUTH-7] is ended at once when its credential is revoked, and what others opened is not", () => {
    using clock = new Clock();
    clock.hold(undefined, "one");
    clock.hold(undefined, "two");
    clock.lifetimes.revoke("one");
    clock.lifetimes.revoke("one");
    assert.deepEqual(clock.log, ["one revoked"]);
  });

  it("is ended as aged when it has been open for the longest time there may be", () => {
    using clock = new Clock(100_000);
    clock.hold(undefined);
    clock.hold(START + 50_000, "short");
    clock.pass(100);
    assert.deepEqual(
      clock.log.filter((line) => !line.includes("expires in")),
      ["short expired", "one aged"],
    );
  });

  it("is ended when the clock is put forward, and not twice when it is put back", () => {
    using clock = new Clock();
    clock.hold(START + 600_000);
    clock.now += 86_400_000;
    clock.lifetimes.tick();
    clock.now -= 86_400_000;
    clock.pass(700);
    assert.deepEqual(clock.log, ["one expired"]);
  });
});

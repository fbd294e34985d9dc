import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refusals } from "../../src/auth/refusals.ts";

describe("refused credentials", () => {
  it("[AUTH-6] are reported at once if they are the first, and then as a count that names some of the addresses", () => {
    const reasons: (string | undefined)[] = [];
    const refusals = new Refusals(({ reason }) => reasons.push(reason));
    refusals.count("192.0.2.1", new Error("it is unknown"));
    for (let last = 2; last < 10; last++) {
      refusals.count(`192.0.2.${last}`, undefined);
      refusals.count(`192.0.2.${last}`, undefined);
    }
    assert.deepEqual(reasons, ["a credential from 192.0.2.1 was refused: it is unknown"]);
    refusals.close();
    assert.equal(
      reasons[1],
      "more credentials were refused: 2 from 192.0.2.2, 2 from 192.0.2.3, 2 from 192.0.2.4, 2 from 192.0.2.5, " +
        "2 from 192.0.2.6, 6 from others",
    );
  });

  it("are not reported again if there were no more", () => {
    let reports = 0;
    const refusals = new Refusals(() => reports++);
    refusals.count("192.0.2.1", undefined);
    refusals.close();
    assert.equal(reports, 1);
  });
});

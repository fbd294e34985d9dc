import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Webhook } from "standardwebhooks";
import { newSecret, secretProblem, signed } from "../../../src/webhooks/out/signature.ts";

const NOW = 1_614_265_330_000;

describe("the signature of a webhook", () => {
  it("is that of the published example of Standard Webhooks", () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert.deepEqual(signed("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, '{"test": 2432232314}', [{ secret }]), {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  it("is accepted by the library of Standard Webhooks with the old secret and the new one until the old one ends", () => {
    const [old, current] = [newSecret(), newSecret()];
    const body = JSON.stringify({ text: "Grüße 👋", lines: "a\nb" });
    const time = Date.now();
    const verifies = (secret: string, sent: number, until: number): boolean => {
      const headers = signed("abc-1", sent, body, [{ secret: current }, { secret: old, until }]);
      try {
        return new Webhook(secret).verify(body, { ...headers }) !== undefined;
      } catch {
        return false;
      }
    };
    assert.equal(verifies(current, time, time + 1), true);
    assert.equal(verifies(old, time, time + 1), true);
    assert.equal(verifies(old, time, time), false, "the old one has ended");
    assert.equal(verifies(current, time, time), true);
    assert.equal(verifies(newSecret(), time, time + 1), false, "another secret");
  });

  it("is made with secrets of 24 to 64 bytes as Base64", () => {
    const of = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;
    for (const secret of [newSecret(), of(24), of(64)]) assert.equal(secretProblem(secret), undefined, secret);
    const wrong = [of(23), of(65), "", "whsec_", "secret", of(32).slice(6), `${of(32)}!`, "whsec_ä".repeat(9)];
    wrong.push(`${of(64)}${"=".repeat(100)}`, `whsec_${"=".repeat(2_000_000)}x`);
    for (const secret of wrong) assert.match(secretProblem(secret) ?? "", /^use whsec_ and 24 to 64 random bytes/);
  });
});

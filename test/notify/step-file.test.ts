import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { ConfigError } from "../../src/core/errors.ts";
import { readSteps } from "../../src/notify/step-file.ts";
import { prepareNotify } from "../../src/notify/open.ts";
import { AddressRules } from "../../src/webhooks/out/address-rules.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const GOOD = { name: "on-call", channels: ["ops.*"], ntfy: { url: "https://ntfy.sh/phone", token: "${env:NTFY}" } };
const SLACK = { name: "team", channels: ["*"], slack: { url: "https://hooks.slack.com/services/T0/B0/x" } };

describe("the file of notifications", () => {
  it("has steps with defaults, whose secrets come from the environment or files", () => {
    using folder = new TemporaryFolder();
    const path = folder.file("notify.json");
    const more = { urgency: "high", afterSeconds: 60, answerAs: "Ana Ö." };
    writeFileSync(path, JSON.stringify({ steps: [GOOD, { ...SLACK, ...more }] }));
    assert.deepEqual(readSteps(path, { NTFY: "tk_1" }, new AddressRules()), [
      { ...GOOD, urgency: "low", afterSeconds: 0, ntfy: { ...GOOD.ntfy, token: "tk_1" } },
      { ...SLACK, ...more },
    ]);
  });

  it("is refused with the field that is wrong and what would be right, without its secrets", () => {
    using folder = new TemporaryFolder();
    const path = folder.file("notify.json");
    const ntfy = (more: object): object => ({ ...GOOD, ntfy: { ...GOOD.ntfy, ...more } });
    const slack = (value: object): object => ({ ...SLACK, slack: value });
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [[], /it is not an object such as \{"steps": \[…\]\}/],
      [{ steps: [] }, /with 1 to 50 steps/],
      [{ steps: [1] }, /steps\[0\]: /],
      [{ steps: [{ ...GOOD, chanels: [] }] }, /steps\[0\]\.chanels: there is no such field/],
      [{ steps: [{ ...GOOD, name: "On call" }] }, /steps\[0\]\.name: use at most 32/],
      [{ steps: [GOOD, GOOD] }, /steps\[1\]\.name: "on-call" is there twice/],
      [{ steps: [{ ...GOOD, channels: "ops" }] }, /steps\[0\]\.channels: use a list of 1 to 100/],
      [{ steps: [{ ...GOOD, channels: ["ops", "a.*.b"] }] }, /steps\[0\]\.channels\[1\]: /],
      [{ steps: [{ ...GOOD, channels: ["hub.logs"] }] }, /steps\[0\]\.channels\[0\]: no questions are asked/],
      [{ steps: [{ ...GOOD, urgency: "max" }] }, /steps\[0\]\.urgency: use low, normal or high/],
      [{ steps: [{ ...GOOD, afterSeconds: -1 }] }, /steps\[0\]\.afterSeconds: use whole seconds/],
      [{ steps: [{ ...GOOD, answerAs: "a\nb" }] }, /steps\[0\]\.answerAs: use a name of 1 to 128/],
      [{ steps: [{ ...GOOD, ntfy: undefined }] }, /steps\[0\]: give one of ntfy, slack, webPush/],
      [{ steps: [{ ...GOOD, ...SLACK }] }, /steps\[0\]: give one of ntfy, slack, webPush/],
      [
        { steps: [{ ...GOOD, ntfy: undefined, webPush: { contact: "ops" } }] },
        /steps\[0\]\.webPush\.contact: use mailto:/,
      ],
      [{ steps: [{ ...GOOD, ntfy: undefined, webPush: {}, answerAs: "a" }] }, /steps\[0\]\.answerAs: leave it out/],
      [{ steps: [ntfy({ url: "https://ntfy.sh" })] }, /steps\[0\]\.ntfy\.url: use that of a topic/],
      [{ steps: [ntfy({ url: "https://ntfy.sh/a/b" })] }, /steps\[0\]\.ntfy\.url: use that of a topic/],
      [{ steps: [ntfy({ url: "http://ntfy.sh/a" })] }, /steps\[0\]\.ntfy\.url: use https/],
      [{ steps: [ntfy({ url: "https://10.0.0.1/a" })] }, /steps\[0\]\.ntfy\.url: that address is not on the public/],
      [{ steps: [ntfy({ token: "a b" })] }, /steps\[0\]\.ntfy\.token: use a token/],
      [{ steps: [ntfy({ token: "${env:NONE}" })] }, /steps\[0\]\.ntfy\.token uses \$\{env:NONE\}/],
      [{ steps: [slack({})] }, /steps\[0\]\.slack: give url, of an incoming webhook/],
      [{ steps: [slack({ url: SLACK.slack.url, token: "x" })] }, /steps\[0\]\.slack: give url/],
      [{ steps: [slack({ token: "x", channel: "a b" })] }, /steps\[0\]\.slack\.channel: use the id/],
    ];
    for (const [file, message] of wrong) {
      writeFileSync(path, JSON.stringify(file));
      assert.throws(
        () => readSteps(path, { NTFY: "tk_1234567" }, new AddressRules()),
        (error) => error instanceof ConfigError && message.test(error.message) && !error.message.includes("tk_1234567"),
        String(message),
      );
    }
    assert.throws(() => readSteps(folder.file("none.json"), {}, new AddressRules()), /NOTIFY_FILE is .*cannot be read/);
    const settings = { notifyFile: path, webhookAllow: [], basePath: "" };
    assert.throws(() => prepareNotify({ ...settings, publicUrl: "" }), /NOTIFY_FILE needs PUBLIC_URL/);
  });
});

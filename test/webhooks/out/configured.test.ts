import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { ConfigError } from "../../../src/core/errors.ts";
import { AddressRules } from "../../../src/webhooks/out/address-rules.ts";
import { readWebhooks } from "../../../src/webhooks/out/configured.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";
import { WebhookReceiver } from "../../support/webhook-receiver.ts";
import { WebhookRig } from "../../support/webhook-rig.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const GOOD = { name: "billing", url: "https://example.com/", channels: ["orders.*"], secret: "${env:BILLING}" };

describe("the file of webhooks", () => {
  it("has webhooks whose secrets come from the environment or files", () => {
    using folder = new TemporaryFolder();
    const path = folder.file("webhooks.json");
    writeFileSync(
      path,
      JSON.stringify({
        webhooks: [GOOD, { ...GOOD, name: "b", events: ["order"], format: "cloudevents", after: "earliest" }],
      }),
    );
    const [first, second] = readWebhooks(path, { BILLING: SECRET }, new AddressRules());
    const { url, channels } = GOOD;
    const same = { url, channels, secrets: [{ secret: SECRET }] };
    assert.deepEqual(first, { id: "billing", ...same, events: [], format: "json", after: undefined });
    assert.deepEqual(second, { id: "b", ...same, events: ["order"], format: "cloudevents", after: "earliest" });
  });

  it("is not quoted where it is not JSON, since it has secrets", () => {
    using folder = new TemporaryFolder();
    const path = folder.file("webhooks.json");
    writeFileSync(path, `{"webhooks": [{"secret": ${SECRET}}]}`);
    assert.throws(
      () => readWebhooks(path, {}, new AddressRules()),
      ({ message }: Error) =>
        /cannot be read as JSON: it is not valid JSON/.test(message) && !message.includes("whsec"),
    );
  });

  it("is refused with the field that is wrong and what would be right, without its secrets", () => {
    using folder = new TemporaryFolder();
    const path = folder.file("webhooks.json");
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [[], /is not an object such as \{"webhooks": \[\]\}/],
      [{ webhooks: [1] }, /webhooks\[0\]: use an object/],
      [{ webhooks: [{ ...GOOD, colour: "red" }] }, /webhooks\[0\]\.colour: there is no such field; use name, url/],
      [{ webhooks: [{ ...GOOD, name: "A b" }] }, /webhooks\[0\]\.name: use at most 32/],
      [{ webhooks: [GOOD, GOOD] }, /webhooks\[1\]\.name: "billing" is there twice/],
      [{ webhooks: [{ ...GOOD, url: "http://example.com" }] }, /webhooks\[0\]\.url: use https/],
      [{ webhooks: [{ ...GOOD, url: undefined }] }, /webhooks\[0\]\.url: use a URL/],
      [{ webhooks: [{ ...GOOD, secret: "whsec_c2hvcnQ=" }] }, /webhooks\[0\]\.secret: use whsec_ and 24 to 64/],
      [{ webhooks: [{ ...GOOD, secret: undefined }] }, /webhooks\[0\]\.secret: use a secret such as/],
      [{ webhooks: [{ ...GOOD, secret: "${env:NONE}" }] }, /webhooks\[0\]\.secret uses \$\{env:NONE\}/],
      [{ webhooks: [{ ...GOOD, channels: "a" }] }, /webhooks\[0\]\.channels: use a list/],
      [{ webhooks: [{ ...GOOD, channels: ["a", "a.*.b"] }] }, /webhooks\[0\]\.channels\[1\]: /],
      [{ webhooks: [{ ...GOOD, channels: ["hub.logs"] }] }, /webhooks\[0\]\.channels\[0\]: the server's own/],
      [{ webhooks: [{ ...GOOD, format: "xml" }] }, /webhooks\[0\]\.format: use json or cloudevents/],
      [{ webhooks: [{ ...GOOD, after: "1" }] }, /webhooks\[0\]\.after: use earliest/],
    ];
    for (const [file, message] of wrong) {
      writeFileSync(path, JSON.stringify(file));
      assert.throws(
        () => readWebhooks(path, { BILLING: SECRET }, new AddressRules()),
        (error) => error instanceof ConfigError && message.test(error.message) && !error.message.includes("MfKQ9r8"),
        String(message),
      );
    }
    assert.throws(
      () => readWebhooks(folder.file("none.json"), {}, new AddressRules()),
      /WEBHOOKS_FILE is .*cannot be read/,
    );
  });

  it("adds webhooks that keep their position under their name, and no secret in the records", async () => {
    using folder = new TemporaryFolder();
    await using receiver = await WebhookReceiver.open();
    const data = `file:${folder.file("hub.db")}`;
    const configured = [
      {
        ...GOOD,
        id: "billing",
        url: receiver.url,
        channels: ["orders.*"] as never,
        events: [],
        format: "json" as const,
        secrets: [{ secret: SECRET }],
        after: undefined,
      },
    ];
    {
      await using rig = await WebhookRig.open({ data, configured });
      await rig.publish("orders.eu", 1);
      await until("one", () => receiver.deliveries.length === 1);
    }
    {
      await using rig = await WebhookRig.open({ data });
      assert.deepEqual(await rig.webhooks.store.list(), [], "the configuration does not have it");
      await rig.publish("orders.eu", 2);
    }
    await using rig = await WebhookRig.open({ data, configured });
    await until("what it missed", () => receiver.data.includes(2));
    assert.deepEqual(
      (await rig.webhooks.store.list()).map(({ id }) => id),
      ["billing"],
    );
    assert.deepEqual(receiver.data, [1, 2]);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { writeFileSync } from "node:fs";
import { Cli } from "../../support/cli.ts";
import { request } from "../../support/request.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";
import { verifies, WebhookReceiver } from "../../support/webhook-receiver.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

describe("a hub that is killed", () => {
  it("[SEND-1] sends again what was taken and not noted, with the same id, and what it had not sent", async () => {
    using folder = new TemporaryFolder();
    await using receiver = await WebhookReceiver.open();
    const file = folder.file("webhooks.json");
    const webhook = { name: "billing", url: receiver.url, channels: ["a"], secret: "${env:BILLING_SECRET}" };
    writeFileSync(file, JSON.stringify({ webhooks: [webhook] }));
    const env = {
      PORT: "0",
      DATA: `file:${folder.file("hub.db")}`,
      LOG_LEVEL: "silent",
      WEBHOOKS_FILE: file,
      WEBHOOK_ALLOW: "127.0.0.1",
      BILLING_SECRET: SECRET,
    };
    const publish = async (url: string, data: string): Promise<string> => {
      const { text } = await request(`${url}/channels/a/messages`, { method: "POST", body: data });
      return (JSON.parse(text) as { id: string }).id;
    };
    let killed: Promise<unknown> | undefined;
    let id: string;
    {
      await using hub = new Cli(["serve"], { env });
      const url = await hub.url();
      // It is killed while it waits for the answer: the receiver has the message, and the hub does not know.
      receiver.answer = () => {
        hub.kill("SIGKILL");
        killed = hub.exit();
        return 200;
      };
      id = await publish(url, "taken");
      await until("a delivery", () => receiver.deliveries.length === 1);
      await killed;
    }
    receiver.answer = () => 200;
    await using hub = new Cli(["serve"], { env });
    const url = await hub.url();
    const next = await publish(url, "next");
    await until("both", () => receiver.deliveries.length === 3);
    const [first, ...rest] = receiver.deliveries;
    assert.equal(first?.id, id);
    assert.deepEqual(rest.map((delivery) => delivery.id).toSorted(), [id, next].toSorted());
    assert.ok(receiver.deliveries.every((delivery) => verifies(delivery, SECRET)));
  });
});

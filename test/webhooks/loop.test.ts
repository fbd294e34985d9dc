import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HooksFile } from "../support/hooks.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SETTINGS = { webhookAllow: ["127.0.0.0/8"] };

/** A hook that takes what a hub sends. */
function hook(): HooksFile {
  return new HooksFile({ name: "hub", provider: "standard", channel: "shared", secrets: [SECRET] });
}

/** Has one hub send its channel to the hook of another. */
async function send(from: TestServer, to: TestServer, format: string): Promise<void> {
  const body = JSON.stringify({ url: `${to.url}/hooks/hub`, channels: ["shared"], secret: SECRET, format });
  const headers = { "content-type": "application/json" };
  const answer = await from.request("/webhooks", { method: "POST", headers, body });
  assert.equal(answer.status, 201, answer.text);
}

async function kept(server: TestServer): Promise<number> {
  const { messages } = (await server.request("/channels/shared/messages")).json() as { messages: unknown[] };
  return messages.length;
}

/** Deliveries to its hook that were left out because they had been in this hub before. */
async function loops(server: TestServer): Promise<number> {
  const { hooks } = (await server.request("/hooks")).json() as { hooks: { deliveries: { verdict: string }[] }[] };
  return hooks.flatMap(({ deliveries }) => deliveries).filter(({ verdict }) => verdict === "loop").length;
}

describe("what a hub sends to itself", () => {
  for (const format of ["json", "cloudevents"]) {
    it(`[HOOK-5] is left out, as ${format}`, async () => {
      using file = hook();
      await using server = await startServer({ ...SETTINGS, hooksFile: file.path });
      await send(server, server, format);
      await server.publish("shared", 1);
      await until("it has come back", async () => (await loops(server)) === 1);
      assert.equal(await kept(server), 1);
    });

    it(`is left out when it comes back through another hub, as ${format}`, async () => {
      using ours = hook();
      using theirs = hook();
      await using one = await startServer({ ...SETTINGS, hooksFile: ours.path });
      await using two = await startServer({ ...SETTINGS, hooksFile: theirs.path });
      await send(one, two, format);
      await send(two, one, format);
      await one.publish("shared", 1);
      await until("it has come back", async () => (await loops(one)) === 1);
      assert.deepEqual([await kept(one), await kept(two)], [1, 1]);
    });
  }
});

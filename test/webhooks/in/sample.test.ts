import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { secretsOf } from "../../../src/webhooks/in/hook.ts";
import { hookRecords, hooksFileText } from "../../../src/webhooks/in/hook-file.ts";
import { PROVIDERS } from "../../../src/webhooks/in/providers.ts";
import { sampleFor } from "../../../src/webhooks/in/sample.ts";
import { HooksFile } from "../../support/hooks.ts";
import { startServer } from "../../support/server.ts";

/** What the hooks of a provider have beside its name; undefined if only the provider can sign. */
const MORE: Readonly<Record<string, object | undefined>> = {
  generic: {
    verify: { scheme: "hmac", header: "x-signature", timestampHeader: "x-time", signed: "{timestamp}.{body}" },
  },
  discord: undefined,
  sns: undefined,
  pubsub: undefined,
};

describe("a sample for a hook", () => {
  it("is signed as each provider signs, and becomes a message, whatever the hook filters", async () => {
    const names = Object.keys(PROVIDERS).filter((name) => !(name in MORE) || MORE[name] !== undefined);
    const hooks = names.map((name) => ({
      name,
      provider: name,
      channel: "a",
      secrets: [`whsec_${Buffer.alloc(24, 7).toString("base64")}`],
      ...(PROVIDERS[name]?.event === undefined ? {} : { events: ["wanted"] }),
      ...(name === "cloudevents" || name === "twilio" ? {} : { filter: [{ pointer: "/deep/er", in: ["x", "y"] }] }),
      ...MORE[name],
    }));
    using file = new HooksFile(...hooks);
    await using server = await startServer({ hooksFile: file.path });
    for (const record of hookRecords(hooksFileText(hooks))) {
      const secrets = secretsOf(record, {}, "secrets");
      const url = `${server.url}/hooks/${record.name}`;
      const sample = sampleFor(record, secrets, url, Date.now());
      assert.ok(sample !== undefined, record.name);
      const path = record.provider === "unsigned" ? `/${encodeURIComponent(secrets[0]?.text ?? "")}` : "";
      const answer = await server.request(`/hooks/${record.name}${path}`, { method: "POST", ...sample });
      assert.ok([200, 204].includes(answer.status), `${record.name}: ${answer.status} ${answer.text}`);
      assert.ok(!answer.text.includes("null"), `${record.name} was filtered`);
    }
    const { messages } = (await server.request("/channels/a/messages")).json() as { messages: { sender: string }[] };
    assert.deepEqual(
      messages.map(({ sender }) => sender),
      names.map((name) => `hook:${name}`),
    );
  });

  it("is not there where only the provider can sign", () => {
    const verify = { topics: ["arn:aws:sns:eu-west-1:123456789012:a"] };
    const [record] = hookRecords(hooksFileText([{ name: "s", provider: "sns", channel: "a", verify }]));
    assert.ok(record !== undefined);
    assert.equal(sampleFor(record, [], "http://hub", 0), undefined);
  });
});

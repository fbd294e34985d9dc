import assert from "node:assert/strict";
import { createPrivateKey, sign, type KeyObject } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, mock } from "node:test";
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT } from "jose";
import type { HubError } from "../../../src/core/errors.ts";
import { StatusError } from "../../../src/protocol/http-answer.ts";
import { Sns } from "../../../src/webhooks/in/schemes/sns.ts";
import { deliveryOf as deliveryAt, outcome } from "../../support/deliveries.ts";
import { HooksFile } from "../../support/hooks.ts";
import { signingKey, TestIssuer } from "../../support/issuer.ts";
import { startServer } from "../../support/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";

const TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts";
const CERTIFICATE =
  "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";

/** A delivery that comes now, when the certificates are good. */
function deliveryOf(
  body: string,
  headers: Readonly<Record<string, string>> = {},
  more: Parameters<typeof deliveryAt>[2] = {},
): ReturnType<typeof deliveryAt> {
  return deliveryAt(body, headers, { time: Date.now(), ...more });
}

/** A certificate with its key, as SNS has one. */
class Signer {
  readonly certificate: string;
  readonly #key: KeyObject;

  constructor(folder: TemporaryFolder, name: string, days = 2) {
    const [key, certificate] = [folder.file(`${name}.key`), folder.file(`${name}.pem`)];
    const subject = ["-subj", "/CN=sns.amazonaws.com", "-days", String(days)];
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, ...subject],
      { stdio: "pipe" },
    );
    this.certificate = readFileSync(certificate, "utf8");
    this.#key = createPrivateKey(readFileSync(key));
  }

  /** The body of a notification, signed as SNS signs it. */
  body(fields: Readonly<Record<string, string | undefined>>, version: "1" | "2" = "2"): string {
    const whole: Record<string, string | undefined> = {
      Type: "Notification",
      MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
      TopicArn: TOPIC,
      Subject: "Alarm",
      Message: "The disk is full",
      Timestamp: "2026-11-29T00:00:00.000Z",
      SignatureVersion: version,
      SigningCertURL: CERTIFICATE,
      ...fields,
    };
    const names =
      whole["Type"] === "Notification"
        ? ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        : ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
    const text = names.flatMap((name) => (whole[name] === undefined ? [] : [`${name}\n${whole[name]}\n`])).join("");
    const digest = version === "1" ? "sha1" : "sha256";
    return JSON.stringify({ ...whole, Signature: sign(digest, Buffer.from(text), this.#key).toString("base64") });
  }
}

describe("Amazon SNS", { concurrency: true }, () => {
  it("takes what the certificate of SNS signed for a topic of the hook, in both versions, and fetches it once", async () => {
    using folder = new TemporaryFolder();
    const signer = new Signer(folder, "sns");
    const fetched: string[] = [];
    const scheme = new Sns({ scheme: "sns", topics: [TOPIC] }, async (url) => {
      fetched.push(url);
      return signer.certificate;
    });
    for (const body of [signer.body({}), signer.body({}, "1"), signer.body({ Subject: undefined })]) {
      assert.equal(await outcome(scheme, deliveryOf(body, {}, { type: "text/plain" })), "secret 0");
    }
    assert.deepEqual(fetched, [CERTIFICATE]);
  });

  it("fetches nothing for another topic, and only from SNS in the region of the topic", async () => {
    using folder = new TemporaryFolder();
    const signer = new Signer(folder, "sns");
    const scheme = new Sns({ scheme: "sns", topics: [TOPIC] }, (url) => assert.fail(`it fetched ${url}`));
    const other = signer.body({ TopicArn: "arn:aws:sns:eu-west-1:999999999999:alerts" });
    assert.match(await outcome(scheme, deliveryOf(other, {})), /TopicArn is not one of/);
    for (const url of [
      CERTIFICATE.replace("https", "http"),
      CERTIFICATE.replace("sns.eu-west-1.amazonaws.com", "sns.eu-west-1.amazonaws.com.evil.example"),
      CERTIFICATE.replace("sns.eu-west-1.amazonaws.com", "evil.example"),
      CERTIFICATE.replace("eu-west-1", "us-east-1"),
      CERTIFICATE.replace("https://", "https://sns.eu-west-1.amazonaws.com@evil.example/"),
      CERTIFICATE.replace("amazonaws.com", "amazonaws.com:8443"),
      CERTIFICATE.replace("/Simple", "/../evil/Simple"),
      CERTIFICATE.replace(".pem", ".pem?x=1"),
      CERTIFICATE.replace(".pem", ".txt"),
      "https://bucket.s3.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
      "file:///etc/passwd",
      "",
    ]) {
      const found = await outcome(scheme, deliveryOf(signer.body({ SigningCertURL: url }), {}));
      assert.match(found, /SigningCertURL is not a certificate of SNS in the region/, url);
    }
  });

  it("refuses what someone else signed, what was changed, and what is not whole", async () => {
    using folder = new TemporaryFolder();
    const [signer, other] = [new Signer(folder, "sns"), new Signer(folder, "other")];
    const scheme = new Sns({ scheme: "sns", topics: [TOPIC] }, async () => signer.certificate);
    const good = JSON.parse(signer.body({})) as Record<string, unknown>;
    for (const [body, why] of [
      [other.body({}), /signature is not of SNS/],
      [JSON.stringify({ ...good, Message: "The disk is empty" }), /signature is not of SNS/],
      // The same signed text, with another id.
      [
        JSON.stringify({
          ...(JSON.parse(signer.body({ Message: "a\nMessageId\nb", MessageId: "c" })) as object),
          Message: "a",
          MessageId: "b\nMessageId\nc",
        }),
        /MessageId has a line break/,
      ],
      [JSON.stringify({ ...good, SignatureVersion: "1" }), /signature is not of SNS/],
      [JSON.stringify({ ...good, SignatureVersion: "3" }), /SignatureVersion is not 1 or 2/],
      [JSON.stringify({ ...good, Signature: "" }), /Signature is not Base64/],
      [JSON.stringify({ ...good, Message: undefined }), /Message is not a text/],
      [JSON.stringify({ ...good, Type: "Other" }), /Type is not one of SNS/],
      ["[]", /not a JSON object/],
      ["", /not a JSON object/],
    ] as const) {
      assert.match(await outcome(scheme, deliveryOf(body, {})), why);
    }
  });

  it("keeps its certificates whatever others name, and asks SNS for a few at once", async () => {
    using folder = new TemporaryFolder();
    const signer = new Signer(folder, "sns");
    const fetched: string[] = [];
    const waiting: (() => void)[] = [];
    const scheme = new Sns({ scheme: "sns", topics: [TOPIC] }, async (url) => {
      fetched.push(url);
      if (url === CERTIFICATE) return signer.certificate;
      await new Promise<void>((resolve) => waiting.push(resolve));
      throw new Error("no", { cause: new StatusError(404) });
    });
    const good = (): Promise<string> => outcome(scheme, deliveryOf(signer.body({}), {}));
    const guess = (n: number): Promise<string> => {
      const url = CERTIFICATE.replace("0123", String(1000 + n));
      return outcome(scheme, deliveryOf(signer.body({ SigningCertURL: url }), {}));
    };
    assert.equal(await good(), "secret 0");
    const flood = Array.from({ length: 40 }, async (_, n) => guess(n).catch((error: HubError) => error.code));
    for (let n = 0; n < 40; n++) await flood[Math.min(4 + n, 39)];
    assert.equal(fetched.length, 5);
    for (const go of waiting) go();
    const found = await Promise.all(flood);
    assert.equal(found.filter((each) => each === "AUTH_UNAVAILABLE").length, 36);
    assert.equal(found.filter((each) => each.includes("not a certificate that SNS has")).length, 4);
    for (let n = 100; n < 130; n++) {
      const answer = guess(n);
      waiting.at(-1)?.();
      await answer;
    }
    assert.equal(await good(), "secret 0");
    assert.equal(fetched.filter((url) => url === CERTIFICATE).length, 1);
  });

  it("cannot tell while the certificate cannot be had, nor from one whose time is over", async () => {
    using folder = new TemporaryFolder();
    const signer = new Signer(folder, "sns");
    for (const fetchText of [() => Promise.reject(new Error("down")), async () => "not a certificate"]) {
      const scheme = new Sns({ scheme: "sns", topics: [TOPIC] }, fetchText);
      for (let tries = 0; tries < 2; tries++) {
        await assert.rejects(async () => scheme.verify(deliveryOf(signer.body({}), {})), { code: "AUTH_UNAVAILABLE" });
      }
    }
    const late = new Sns({ scheme: "sns", topics: [TOPIC] }, async () => signer.certificate);
    const inTenYears = Date.now() + 10 * 365 * 86_400_000;
    await assert.rejects(async () => late.verify(deliveryOf(signer.body({}), {}, { time: inTenYears })), {
      code: "AUTH_UNAVAILABLE",
    });
  });
});

describe("Amazon SNS at a hub", () => {
  it("confirms the subscription once it is verified, and publishes notifications", async () => {
    using folder = new TemporaryFolder();
    const signer = new Signer(folder, "sns");
    const asked: string[] = [];
    const stub = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.end(request.url?.endsWith(".pem") ? signer.certificate : "<ConfirmSubscriptionResponse/>");
    });
    await new Promise<void>((resolve) => stub.listen(0, "127.0.0.1", resolve));
    const { port } = stub.address() as AddressInfo;
    const { fetch: real } = globalThis;
    // What goes to SNS goes to the stub; nothing else is fetched.
    const stubbed = mock.method(globalThis, "fetch", (url: string, options: RequestInit) => {
      assert.match(url, /^https:\/\/sns\.eu-west-1\.amazonaws\.com\//);
      return real(url.replace("https://sns.eu-west-1.amazonaws.com", `http://127.0.0.1:${port}`), options);
    });
    using file = new HooksFile({ name: "sns", provider: "sns", channel: "alerts", verify: { topics: [TOPIC] } });
    try {
      await using server = await startServer({ hooksFile: file.path });
      const post = (body: string, type = "text/plain; charset=UTF-8") =>
        server.request("/hooks/sns", { method: "POST", body, headers: { "content-type": type } });
      const confirmation = {
        Type: "SubscriptionConfirmation",
        Token: "2336412f37",
        Subject: undefined,
        SubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37",
      };
      assert.equal((await post(signer.body(confirmation))).status, 200);
      assert.deepEqual(asked.slice(-1), ["/?Action=ConfirmSubscription&Token=2336412f37"]);
      const elsewhere = { ...confirmation, SubscribeURL: "https://evil.example/" };
      assert.equal((await post(signer.body(elsewhere))).status, 422);
      const genuine = signer.body({ Message: '{"AlarmName":"disk"}' });
      assert.equal((await post(genuine)).status, 200);
      // What SNS does not sign is neither read nor published, whatever the type says.
      const fetches = asked.length;
      for (const more of [
        "&Type=Notification&MessageId=forged&Message=forged&y=",
        "x=&Type=SubscriptionConfirmation&TopicArn=x&SubscribeURL=https%3A%2F%2Fsns.eu-west-1.amazonaws.com%2Fforged&y=",
      ]) {
        const forged = JSON.stringify({ x: more, ...(JSON.parse(genuine) as object), MessageAttributes: { a: more } });
        for (const type of ["application/x-www-form-urlencoded", "application/json"])
          assert.equal((await post(forged, type)).headers["idempotent-replayed"], "true");
      }
      assert.equal(asked.length, fetches);
      const { messages } = (await server.request("/channels/alerts/messages")).json() as {
        messages: { event: string; data: { Message: unknown } }[];
      };
      assert.deepEqual(
        messages.map(({ event, data }) => [event, data]),
        [
          [
            "Notification",
            {
              Message: { AlarmName: "disk" },
              MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
              Subject: "Alarm",
              Timestamp: "2026-11-29T00:00:00.000Z",
              TopicArn: TOPIC,
              Type: "Notification",
            },
          ],
        ],
      );
    } finally {
      stubbed.mock.restore();
      stub.close();
    }
  });
});

describe("Google Pub/Sub", () => {
  const AUDIENCE = "https://hub.example/hooks/pubsub";
  const EMAIL = "push@project.iam.gserviceaccount.com";

  it("takes a push whose token Google signed for this hook and this account, and no other", async () => {
    const key = await signingKey("google", "RS256");
    const issuer = await TestIssuer.open({ alg: "RS256" });
    issuer.keys = [key.publicJwk];
    const hook = {
      name: "pubsub",
      provider: "pubsub",
      channel: "a",
      verify: { jwks: `${issuer.origin}/keys`, audience: AUDIENCE, claims: { email: EMAIL, email_verified: true } },
    };
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const body = JSON.stringify({
      message: {
        messageId: "136969346945",
        data: Buffer.from('{"n":1}').toString("base64"),
        attributes: { event: "paid" },
      },
      subscription: "projects/p/subscriptions/s",
    });
    const post = (token: string) =>
      server.request("/hooks/pubsub", { method: "POST", body, headers: { authorization: `Bearer ${token}` } });
    const claims = { email: EMAIL, email_verified: true, sub: "1", iss: "https://accounts.google.com", aud: AUDIENCE };
    const seconds = Math.floor(Date.now() / 1000);
    const jwt = (more: object = {}, header: object = {}) =>
      new SignJWT({ ...claims, iat: seconds, exp: seconds + 3600, ...more }).setProtectedHeader({
        alg: "RS256",
        kid: "google",
        ...header,
      });
    const good = await post(await jwt().sign(key.privateKey));
    assert.equal(good.status, 200, good.text);
    assert.equal((await post(await jwt().sign(key.privateKey))).text, good.text);
    const { messages } = (await server.request("/channels/a/messages")).json() as {
      messages: { event: string; data: { message: { data: unknown } } }[];
    };
    assert.deepEqual(
      messages.map(({ event, data }) => [event, data.message.data]),
      [["paid", { n: 1 }]],
    );

    const publicPem = new TextEncoder().encode(
      await exportSPKI((await importJWK({ ...key.publicJwk }, "RS256", { extractable: true })) as never),
    );
    const stranger = await signingKey("google", "RS256");
    const unsigned = new UnsecuredJWT({ ...claims, exp: seconds + 3600 }).encode();
    for (const [what, token] of [
      ["another audience", await jwt({ aud: "https://other.example" }).sign(key.privateKey)],
      ["another account", await jwt({ email: "someone@gmail.com" }).sign(key.privateKey)],
      ["an address that is not verified", await jwt({ email_verified: false }).sign(key.privateKey)],
      ["another issuer", await jwt({ iss: "https://accounts.evil.example" }).sign(key.privateKey)],
      ["a time that is over", await jwt({ exp: seconds - 60 }).sign(key.privateKey)],
      ["no end", await jwt({ exp: undefined }).sign(key.privateKey)],
      ["another key under the same id", await jwt().sign(stranger.privateKey)],
      ["alg none", unsigned],
      ["HS256 with the public key as secret", await jwt({}, { alg: "HS256" }).sign(publicPem)],
      ["no token", "x"],
    ] as const) {
      assert.equal((await post(token)).status, 401, what);
    }
    assert.equal((await server.request("/hooks/pubsub", { method: "POST", body })).status, 401);
    await issuer[Symbol.asyncDispose]();
  });

  it("answers 503 while the keys cannot be fetched, and 401 for a key that Google does not have", async () => {
    const key = await signingKey("google", "RS256");
    await using issuer = await TestIssuer.open({ alg: "RS256" });
    issuer.fault = (response) => response.writeHead(500).end();
    const verify = { jwks: `${issuer.origin}/keys`, audience: AUDIENCE, claims: { email: EMAIL } };
    using file = new HooksFile({ name: "pubsub", provider: "pubsub", channel: "a", verify });
    await using server = await startServer({ hooksFile: file.path });
    const exp = Math.floor(Date.now() / 1000) + 60;
    const payload = { email: EMAIL, iss: "accounts.google.com", aud: AUDIENCE, exp };
    const token = await new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: "google" }).sign(key.privateKey);
    const post = () =>
      server.request("/hooks/pubsub", { method: "POST", body: "{}", headers: { authorization: `Bearer ${token}` } });
    const answer = await post();
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers["retry-after"]) > 0);
  });
});

import assert from "node:assert/strict";
import { generateKeyPairSync, sign as signWith, type KeyPairKeyObjectResult } from "node:crypto";
import { describe, it } from "node:test";
import { sign as octokitSign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import StripeClient from "stripe";
import type { Delivery, Scheme } from "../../../src/webhooks/in/delivery.ts";
import { Ed25519 } from "../../../src/webhooks/in/schemes/ed25519.ts";
import { Hmac } from "../../../src/webhooks/in/schemes/hmac.ts";
import { Standard } from "../../../src/webhooks/in/schemes/standard.ts";
import { Stripe } from "../../../src/webhooks/in/schemes/stripe.ts";
import { Token } from "../../../src/webhooks/in/schemes/token.ts";
import { Twilio } from "../../../src/webhooks/in/schemes/twilio.ts";
import { deliveryOf, NOW, NOW_SECONDS, outcome, secretsOf } from "../../support/deliveries.ts";

const GITHUB = { scheme: "hmac", header: "x-hub-signature-256", prefix: "sha256=" } as const;
const SLACK = {
  scheme: "hmac",
  header: "x-slack-signature",
  prefix: "v0=",
  signed: "v0:{timestamp}:{body}",
  timestampHeader: "x-slack-request-timestamp",
} as const;
const DISCORD = { scheme: "ed25519", header: "x-signature-ed25519", timestampHeader: "x-signature-timestamp" } as const;
const STANDARD = { scheme: "standard" } as const;
const FORM = "application/x-www-form-urlencoded";

describe("schemes of webhooks agree with what their makers publish", () => {
  it("GitHub: the example of its documentation", async () => {
    const scheme = new Hmac(GITHUB, secretsOf("It's a Secret to Everybody"));
    const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert.equal(await outcome(scheme, deliveryOf("Hello, World!", { "X-Hub-Signature-256": signature })), "secret 0");
  });

  it("Slack: the example of its documentation", async () => {
    const scheme = new Hmac(SLACK, secretsOf("8f742231b10e8888abcd99yyyzzz85a5"));
    const body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const headers = {
      "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
      "X-Slack-Request-Timestamp": "1531420618",
    };
    assert.equal(await outcome(scheme, deliveryOf(body, headers, { type: FORM })), "secret 0");
  });

  it("Standard Webhooks: the example of the specification", async () => {
    const scheme = new Standard(STANDARD, secretsOf("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    assert.equal(await outcome(scheme, deliveryOf('{"test": 2432232314}', headers)), "secret 0");
  });

  for (const [caller, signature] of [
    ["+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="],
    ["+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="],
  ] as const) {
    it(`Twilio: the example of its libraries with ${caller}`, async () => {
      const scheme = new Twilio({ scheme: "twilio" }, secretsOf("12345"));
      const body = new URLSearchParams({
        CallSid: "CA1234567890ABCDE",
        Digits: "1234",
        To: "+18005551212",
        Caller: caller,
        From: caller,
      }).toString();
      for (const url of [
        "https://mycompany.com/myapp.php?foo=1&bar=2",
        "https://mycompany.com:443/myapp.php?foo=1&bar=2",
      ]) {
        const delivery = deliveryOf(body, { "X-Twilio-Signature": signature }, { type: FORM, urls: [url] });
        assert.equal(await outcome(scheme, delivery), "secret 0");
      }
    });
  }

  it("Twilio: JSON is covered by the hash in the address, and by nothing else", async () => {
    const scheme = new Twilio({ scheme: "twilio" }, secretsOf("12345"));
    const body = '{"a":1}';
    const { hash } = await import("node:crypto");
    const url = `https://hub.example/hooks/t?bodySHA256=${hash("sha256", body)}`;
    const headers = scheme.sign(Buffer.of(), url, "12345");
    assert.equal(await outcome(scheme, deliveryOf(body, headers, { urls: [url] })), "secret 0");
    assert.match(await outcome(scheme, deliveryOf('{"a":2}', headers, { urls: [url] })), /not that of bodySHA256/);
    const bare = "https://hub.example/hooks/t";
    const signed = scheme.sign(Buffer.of(), bare, "12345");
    assert.match(await outcome(scheme, deliveryOf(body, signed, { urls: [bare] })), /no bodySHA256/);
  });

  it("RFC 8032, tests 1 to 3: Ed25519 of nothing, of one byte and of two", async () => {
    for (const [key, message, signature] of [
      [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      ],
      [
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
      ],
      [
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
      ],
    ] as const) {
      const { publicKeyOf } = await import("../../../src/webhooks/in/schemes/ed25519.ts");
      const { verify } = await import("node:crypto");
      const bytes = Buffer.from(message, "hex");
      assert.ok(verify(null, bytes, publicKeyOf(Buffer.from(key, "hex")), Buffer.from(signature, "hex")));
    }
  });

  it("GitHub: what its own library signs", async () => {
    const scheme = new Hmac(GITHUB, secretsOf("sécret"));
    const body = JSON.stringify({ zen: "Ünïcode 😀", n: 1 });
    const signature = await octokitSign("sécret", body);
    assert.equal(await outcome(scheme, deliveryOf(body, { "X-Hub-Signature-256": signature })), "secret 0");
    assert.deepEqual(scheme.sign(Buffer.from(body), "", "sécret"), { "x-hub-signature-256": signature });
  });

  it("Stripe: what its own library signs, and it takes what we sign", async () => {
    const client = new StripeClient("sk_test_x");
    const scheme = new Stripe({ scheme: "stripe" }, secretsOf("whsec_test"));
    const payload = '{"id":"evt_1","object":"event"}';
    const timestamp = Math.floor(Date.now() / 1000);
    const header = client.webhooks.generateTestHeaderString({ payload, secret: "whsec_test", timestamp });
    assert.equal(await outcome(scheme, deliveryOf(payload, { "Stripe-Signature": header })), "secret 0");
    const ours = scheme.sign(Buffer.from(payload), String(timestamp), "whsec_test")["stripe-signature"] ?? "";
    assert.equal(client.webhooks.constructEvent(payload, ours, "whsec_test").id, "evt_1");
  });

  it("Standard Webhooks: what its own library signs, and it takes what we sign", async () => {
    const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const library = new Webhook(secret);
    const scheme = new Standard(STANDARD, secretsOf(secret));
    const body = '{"type":"a.b","data":"😀"}';
    const time = new Date();
    const seconds = String(Math.floor(time.getTime() / 1000));
    const headers = {
      "webhook-id": "msg_1",
      "webhook-timestamp": seconds,
      "webhook-signature": library.sign("msg_1", time, body),
    };
    assert.equal(await outcome(scheme, deliveryOf(body, headers)), "secret 0");
    assert.deepEqual(
      library.verify(body, { ...scheme.sign(Buffer.from(body), seconds, secret, "msg_1") }),
      JSON.parse(body),
    );
  });
});

/** One way to sign, and how to break it. */
interface Family {
  readonly name: string;
  readonly make: (...secrets: string[]) => Scheme;
  readonly secrets: readonly [string, string];
  /** The headers of a body; the first is the one with the signature. */
  readonly headers: (body: Buffer, secret: string) => Readonly<Record<string, string>>;
  /** The signature with one bit changed, for what is not simply its last character. */
  readonly isPrefixed: boolean;
  readonly type?: string;
}

const pairs = new Map<string, KeyPairKeyObjectResult>();

/** The public key of a pair in hexadecimal, as a name for it. */
function newPair(): string {
  const pair = generateKeyPairSync("ed25519");
  const name = Buffer.from(pair.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
  pairs.set(name, pair);
  return name;
}

function signedBy(name: string, bytes: Buffer): Buffer {
  const pair = pairs.get(name);
  assert.ok(pair !== undefined);
  return signWith(null, bytes, pair.privateKey);
}

const hexHmac = (settings: ConstructorParameters<typeof Hmac>[0]): Pick<Family, "make" | "headers"> => ({
  make: (...secrets) => new Hmac(settings, secretsOf(...secrets)),
  headers: (body, secret) => new Hmac(settings, secretsOf(secret)).sign(body, NOW_SECONDS, secret),
});
const whsec = (byte: number): string => `whsec_${Buffer.alloc(24, byte).toString("base64")}`;
const whpk = (name: string): string => `whpk_${Buffer.from(name, "hex").toString("base64")}`;
const [ana, ben] = [newPair(), newPair()];

const FAMILIES: readonly Family[] = [
  { name: "hmac in hexadecimal with a prefix", ...hexHmac(GITHUB), secrets: ["one", "two"], isPrefixed: true },
  {
    name: "hmac in Base64",
    ...hexHmac({ scheme: "hmac", header: "x-shopify-hmac-sha256", encoding: "base64" }),
    secrets: ["one", "two"],
    isPrefixed: false,
  },
  {
    name: "hmac-sha512 in hexadecimal",
    ...hexHmac({ scheme: "hmac", header: "x-signature", algorithm: "sha512" }),
    secrets: ["one", "two"],
    isPrefixed: false,
  },
  { name: "slack", ...hexHmac(SLACK), secrets: ["one", "two"], isPrefixed: true },
  {
    name: "stripe",
    make: (...secrets) => new Stripe({ scheme: "stripe" }, secretsOf(...secrets)),
    headers: (body, secret) => new Stripe({ scheme: "stripe" }, secretsOf(secret)).sign(body, NOW_SECONDS, secret),
    secrets: ["whsec_one", "whsec_two"],
    isPrefixed: true,
  },
  {
    name: "standard, v1",
    make: (...secrets) => new Standard(STANDARD, secretsOf(...secrets)),
    headers: (body, secret) => {
      const { "webhook-signature": signature = "", ...rest } = new Standard(STANDARD, secretsOf(secret)).sign(
        body,
        NOW_SECONDS,
        secret,
        "msg_1",
      );
      return { "webhook-signature": signature, ...rest };
    },
    secrets: [whsec(1), whsec(2)],
    isPrefixed: true,
  },
  {
    name: "standard, v1a",
    make: (...secrets) => new Standard(STANDARD, secretsOf(...secrets)),
    headers: (body, secret) => {
      const name = Buffer.from(secret.slice("whpk_".length), "base64").toString("hex");
      const signature = signedBy(name, Buffer.concat([Buffer.from(`msg_1.${NOW_SECONDS}.`), body]));
      return {
        "svix-signature": `v1a,${signature.toString("base64")}`,
        "svix-id": "msg_1",
        "svix-timestamp": NOW_SECONDS,
      };
    },
    secrets: [whpk(ana), whpk(ben)],
    isPrefixed: true,
  },
  {
    name: "twilio",
    make: (...secrets) => new Twilio({ scheme: "twilio" }, secretsOf(...secrets)),
    headers: (body, secret) =>
      new Twilio({ scheme: "twilio" }, secretsOf(secret)).sign(body, "https://hub.example/hooks/test", secret),
    secrets: ["one", "two"],
    isPrefixed: false,
    type: FORM,
  },
  {
    name: "ed25519",
    make: (...secrets) => new Ed25519(DISCORD, secretsOf(...secrets)),
    headers: (body, secret) => ({
      "x-signature-ed25519": signedBy(secret, Buffer.concat([Buffer.from(NOW_SECONDS), body])).toString("hex"),
      "x-signature-timestamp": NOW_SECONDS,
    }),
    secrets: [ana, ben],
    isPrefixed: false,
  },
];

const BODIES: Readonly<Record<string, string>> = {
  JSON: '{"a": 1, "b": "x"}',
  Unicode: '{"a":"Ünï😀\u2028"}',
  "a byte order mark": '\uFEFF{"a":1}',
  "CR LF": '{"a":1,\r\n"b":2}\r\n',
  "no bytes": "",
};

for (const { name, make, headers, secrets, isPrefixed, type = "application/json" } of FAMILIES) {
  describe(`${name} takes what its secret signed, and nothing else`, () => {
    const [one, two] = secrets;
    const body = type === FORM ? "a=1&b=x%20y" : (BODIES["JSON"] ?? "");
    const good = headers(Buffer.from(body), one);
    const [header = ""] = Object.keys(good);
    const value = good[header] ?? "";
    const scheme = make(one);
    const delivery = (changed: Readonly<Record<string, string | string[]>>, sent: string | Buffer = body): Delivery =>
      deliveryOf(sent, { ...good, ...changed }, { type });
    const refused = async (
      changed: Readonly<Record<string, string | string[]>>,
      sent?: string | Buffer,
    ): Promise<string> => {
      const found = await outcome(scheme, delivery(changed, sent));
      assert.doesNotMatch(found, /^secret/);
      assert.ok(!found.includes(value.slice(-20)), `${found}: tells the signature`);
      return found;
    };

    for (const [what, sent] of Object.entries(type === FORM ? { form: body } : BODIES)) {
      it(`takes ${what}`, async () => {
        const signed = headers(Buffer.from(sent), one);
        assert.equal(await outcome(scheme, deliveryOf(sent, signed, { type })), "secret 0");
      });
    }

    it("refuses a body with one bit changed, and the same JSON written otherwise", async () => {
      const flipped = Buffer.from(body);
      flipped[2] = (flipped[2] ?? 0) ^ 1;
      await refused({}, flipped);
      await refused({}, type === FORM ? "b=x%20y&a=2" : JSON.stringify(JSON.parse(body)));
      await refused({}, `${body} `);
    });

    it("refuses what another secret signed", async () => {
      assert.match(await refused(headers(Buffer.from(body), two)), /signature/);
    });

    it("refuses a signature that is missing, empty, too short, too long, in another case, or in another place", async () => {
      const { [header]: _, ...without } = good;
      assert.match(await outcome(scheme, deliveryOf(body, without, { type })), /it has no/);
      assert.match(await refused({ [header]: "" }), /is empty/);
      for (const wrong of [
        value.slice(0, -2),
        value.slice(0, -1),
        `${value}00`,
        `${value}=`,
        value.toUpperCase(),
        "sha256=",
        "undefined",
        "v1,",
        "t=,v1=",
        "x".repeat(8192),
      ]) {
        if (wrong !== value) await refused({ [header]: wrong });
      }
      if (isPrefixed) await refused({ [header]: value.replace(/^.*?[=,]/, "") });
      const [before, changed, after] = [value.slice(0, -6), value.at(-6) === "1" ? "2" : "1", value.slice(-5)];
      await refused({ [header]: `${before}${changed}${after}` });
    });

    it("refuses a header that came twice, also with the same value", async () => {
      for (const twice of Object.keys(good)) {
        assert.match(await refused({ [twice]: [good[twice] ?? "", good[twice] ?? ""] }), /more than once/);
      }
    });

    it("says which of several secrets it was, and refuses one whose time is over", async () => {
      const both = make(one, two);
      assert.equal(await outcome(both, delivery({})), "secret 0");
      assert.equal(await outcome(both, deliveryOf(body, headers(Buffer.from(body), two), { type })), "secret 1");
    });
  });
}

describe("several signatures and secrets", () => {
  it("takes the second signature of a list, and ignores versions it does not know", async () => {
    const body = Buffer.from("{}");
    const stripe = new Stripe({ scheme: "stripe" }, secretsOf("new"));
    const v1 = (secret: string): string =>
      (stripe.sign(body, NOW_SECONDS, secret)["stripe-signature"] ?? "").replace(/^t=\d+,/, "");
    const header = (...parts: string[]): Delivery =>
      deliveryOf(body, { "stripe-signature": [`t=${NOW_SECONDS}`, ...parts].join(",") });
    assert.equal(await outcome(stripe, header(v1("old"), v1("new"))), "secret 0");
    assert.equal(await outcome(stripe, header(v1("new").replace("v1", "v0"), v1("new"))), "secret 0");
    assert.match(await outcome(stripe, header(v1("new").replace("v1", "v0"))), /no v1=/);
    assert.match(await outcome(stripe, header("t=1", v1("new"))), /one t=/);

    const standard = new Standard(STANDARD, secretsOf(whsec(1)));
    const signed = standard.sign(body, NOW_SECONDS, whsec(1), "m");
    const other = standard.sign(body, NOW_SECONDS, whsec(9), "m")["webhook-signature"];
    const list = (text: string): Delivery => deliveryOf(body, { ...signed, "webhook-signature": text });
    assert.equal(await outcome(standard, list(`v2,x ${other} ${signed["webhook-signature"]}`)), "secret 0");
    assert.match(await outcome(standard, list(`${other} v1a,${"A".repeat(86)}==`)), /does not match the secret/);
  });

  it("does not take a time that is not in whole seconds", async () => {
    const body = Buffer.from("{}");
    for (const time of ["NaN", "", "1e9", "-1", "0x10", "1.5", `${NOW_SECONDS} `, "9".repeat(12)]) {
      const stripe = new Stripe({ scheme: "stripe" }, secretsOf("s"));
      assert.match(await outcome(stripe, deliveryOf(body, stripe.sign(body, time, "s"))), /t= in seconds/, time);
      const standard = new Standard(STANDARD, secretsOf(whsec(1)));
      const found = await outcome(standard, deliveryOf(body, standard.sign(body, time, whsec(1), "m")));
      assert.match(found, /is not a time in seconds|is empty/, time);
    }
  });

  it("refuses a secret whose time is over, and says which it was", async () => {
    const secrets = [
      { text: "new", until: Infinity },
      { text: "old", until: NOW },
    ];
    const scheme = new Hmac(GITHUB, secrets);
    const body = Buffer.from("{}");
    const found = await outcome(scheme, deliveryOf(body, scheme.sign(body, "", "old")));
    assert.equal(found, "it is signed with secret 2, whose time is over");
    const before = deliveryOf(body, scheme.sign(body, "", "old"), { time: NOW - 1 });
    assert.equal(await outcome(scheme, before), "secret 1");
  });
});

describe("the token of a provider that signs nothing", () => {
  const body = "{}";

  it("is in a header, in HTTP Basic or in the path", async () => {
    const gitlab = new Token({ scheme: "token", in: "header", header: "x-gitlab-token" }, secretsOf("s3cret"));
    assert.equal(await outcome(gitlab, deliveryOf(body, { "X-Gitlab-Token": "s3cret" })), "secret 0");
    for (const wrong of ["", "s3cre", "s3crets", "S3CRET", " s3cret"]) {
      assert.doesNotMatch(await outcome(gitlab, deliveryOf(body, { "X-Gitlab-Token": wrong })), /^secret/);
    }
    const bearer = new Token(
      { scheme: "token", in: "header", header: "authorization", prefix: "Bearer " },
      secretsOf("t"),
    );
    assert.equal(await outcome(bearer, deliveryOf(body, { authorization: "Bearer t" })), "secret 0");
    assert.match(await outcome(bearer, deliveryOf(body, { authorization: "Basic t" })), /does not begin with Bearer/);
    const basic = new Token({ scheme: "token", in: "basic" }, secretsOf("user:pass"));
    assert.equal(await outcome(basic, deliveryOf(body, { authorization: "Basic dXNlcjpwYXNz" })), "secret 0");
    assert.match(await outcome(basic, deliveryOf(body, { authorization: "Basic dXNlcjo=" })), /secret/);
    const path = new Token({ scheme: "token", in: "path" }, secretsOf("t"));
    assert.equal(await outcome(path, deliveryOf(body, {}, { token: "t" })), "secret 0");
    assert.match(await outcome(path, deliveryOf(body, {})), /no secret after the name/);
    assert.doesNotMatch(await outcome(path, deliveryOf(body, {}, { token: "T" })), /^secret/);
  });
});

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT, type CryptoKey } from "jose";
import type { TokenVerifier } from "../../src/auth/authenticator.ts";
import { openJwt, type JwtSettings } from "../../src/auth/open-jwt.ts";
import type { Principal } from "../../src/core/principal.ts";
import { defaults } from "../../src/config.ts";
import { ConfigError, HubError } from "../../src/core/errors.ts";
import { signingKey, TestIssuer } from "../support/issuer.ts";

const PUBLIC_URL = "https://hub.example";
const MCP = `${PUBLIC_URL}/mcp`;
const SECRET = "a secret of thirty-two characters";

function open(settings: Partial<JwtSettings>, now?: () => number): TokenVerifier {
  const verifier = openJwt({ ...defaults(), publicUrl: PUBLIC_URL, ...settings }, () => {}, now);
  assert.ok(verifier !== undefined);
  return verifier;
}

async function holder(verifier: TokenVerifier, token: string): Promise<Principal> {
  assert.ok(verifier.accepts(token));
  return (await verifier.verify(token)) as Principal;
}

/** What is wrong with a token, as the log is told; whoever sent it is told the same each time. */
async function fault(verifier: TokenVerifier, token: string): Promise<string> {
  try {
    await holder(verifier, token);
  } catch (error) {
    assert.ok(error instanceof HubError);
    assert.equal(error.code, "UNAUTHENTICATED");
    assert.match(error.message, /^The credential is not valid here/);
    return (error.cause as Error).message;
  }
  throw new Error("the token was accepted");
}

function signedWithSecret(claims: Record<string, unknown>, secret: string = SECRET): Promise<string> {
  const good = { aud: MCP, sub: "orders", exp: Math.floor(Date.now() / 1000) + 600 };
  return new SignJWT({ ...good, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(secret));
}

describe("a JWT", () => {
  it("names its holder, who may do what its scopes say", async () => {
    await using issuer = await TestIssuer.open();
    const verifier = open({ jwtIssuers: [issuer.url] });
    const exp = Math.floor(Date.now() / 1000) + 60;
    const principal = await holder(verifier, await issuer.sign(MCP, { exp }));
    const { id, ...rest } = principal;
    assert.match(id, /^jwt-[\w-]{22}$/);
    assert.deepEqual(rest, {
      subject: "ada",
      kind: "jwt",
      expires: exp * 1000,
      publish: ["*"],
      subscribe: ["*"],
      admin: false,
      sendAs: false,
    });
  });

  it("has the id of its holder at its issuer through one client, whatever else it says", async () => {
    await using issuer = await TestIssuer.open();
    await using other = await TestIssuer.open();
    const verifier = open({ jwtIssuers: [issuer.url, other.url] });
    const id = async (from: TestIssuer, claims: Record<string, unknown>): Promise<string> =>
      (await holder(verifier, await from.sign(MCP, claims))).id;
    const first = await id(issuer, {});
    assert.equal(await id(issuer, { scope: "hub:read", name: "Ada Lovelace", jti: "2" }), first);
    assert.equal(new Set([first, await id(other, {}), await id(issuer, { sub: "eve" })]).size, 3);
    assert.notEqual(await id(issuer, { client_id: "another" }), first);
  });

  it("is signed in any way that is allowed, and in no other", async () => {
    for (const alg of ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]) {
      await using issuer = await TestIssuer.open({ alg });
      const token = await issuer.sign(MCP);
      assert.equal((await holder(open({ jwtIssuers: [issuer.url] }), token)).subject, "ada", alg);
      const others = defaults().jwtAlgorithms.filter((other) => other !== alg);
      const strict = open({ jwtIssuers: [issuer.url], jwtAlgorithms: others });
      assert.equal(await fault(strict, token), "no key of its issuer signed it", alg);
    }
    await using issuer = await TestIssuer.open({ alg: "RS512" });
    await fault(open({ jwtIssuers: [issuer.url] }), await issuer.sign(MCP));
  });

  it("[AUTH-40] is refused if it is not signed, or signed with what is public", async () => {
    await using issuer = await TestIssuer.open({ alg: "RS256" });
    const [jwk] = issuer.keys;
    const publicKey = (await importJWK({ ...jwk, ext: true }, "RS256", { extractable: true })) as CryptoKey;
    const pem = await exportSPKI(publicKey);
    const claims = {
      iss: issuer.url,
      aud: MCP,
      sub: "eve",
      scope: "hub:admin",
      exp: Math.floor(Date.now() / 1000) + 60,
    };
    const unsecured = new UnsecuredJWT(claims).encode();
    const byHand = (header: object, secret: string): string => {
      const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
      return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    };
    const withPublicKey = byHand({ alg: "HS256", kid: jwk?.kid }, pem);
    const withModulus = byHand({ alg: "HS256", kid: jwk?.kid }, JSON.stringify(jwk));
    for (const verifier of [
      open({ jwtIssuers: [issuer.url] }),
      open({ jwtIssuers: [issuer.url], jwtSecret: SECRET }),
      // Even if someone configures what is public as the secret.
      open({ jwtIssuers: [issuer.url], jwtSecret: pem }),
    ]) {
      for (const token of [
        unsecured,
        withPublicKey,
        withModulus,
        byHand({ alg: "none" }, ""),
        byHand({ alg: "hs256" }, pem),
      ]) {
        await fault(verifier, token);
      }
    }
  });

  const WRONG: Readonly<Record<string, Record<string, unknown>>> = {
    "is for another audience": { aud: "https://other.example/mcp" },
    "is for an audience that only begins like ours": { aud: `${PUBLIC_URL}/mcp/other` },
    "is for no audience": { aud: undefined },
    "is of an issuer that is not trusted": { iss: "https://other.example" },
    "is of an issuer that only looks like ours": { iss: "TRAILING" },
    "names no issuer": { iss: undefined },
    "has expired": { exp: Math.floor(Date.now() / 1000) - 60 },
    "never expires": { exp: undefined },
    "expires at no time": { exp: "tomorrow" },
    "is not valid yet": { nbf: Math.floor(Date.now() / 1000) + 60 },
    "is an ID token for a client that has the name of the audience": { at_hash: "x" },
    "is an ID token of Keycloak": { typ: "ID" },
    "is bound to a key": { cnf: { jkt: "x" } },
    "names no one": { sub: undefined, client_id: undefined },
    "names no one but by a name that people choose": { sub: undefined, client_id: undefined, name: "Ada" },
    "grants a pattern that is not one": { hub: { subscribe: ["orders.*", "*.eu"] } },
    "grants what is not a text": { hub: { publish: [1] } },
    "grants the server's own channels": { hub: { publish: ["hub.*"] } },
    "grants too many patterns": { hub: { publish: Array.from({ length: 101 }, (_, at) => `c${at}`) } },
    "grants a pattern that is too long": { hub: { publish: [`${"a".repeat(128)}.*`] } },
    "has grants that are not an object": { hub: ["orders.*"] },
    "grants admin with a text": { hub: { admin: "false" } },
  };
  for (const [what, claims] of Object.entries(WRONG)) {
    it(`[AUTH-40] is refused if it ${what}`, async () => {
      await using issuer = await TestIssuer.open();
      const iss = claims["iss"] === "TRAILING" ? `${issuer.url}/` : claims["iss"];
      const verifier = open({ jwtIssuers: [issuer.url] });
      await fault(verifier, await issuer.sign(MCP, "iss" in claims ? { ...claims, iss } : claims));
      assert.equal((await holder(verifier, await issuer.sign(MCP))).subject, "ada");
    });
  }

  it("is refused if a bit of it was changed, or another key signed it", async () => {
    await using issuer = await TestIssuer.open();
    const verifier = open({ jwtIssuers: [issuer.url] });
    const token = await issuer.sign(MCP);
    const [header = "", payload = "", signature = ""] = token.split(".");
    const admin = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(payload, "base64url").toString()), scope: "hub:admin" }),
    ).toString("base64url");
    await fault(verifier, `${header}.${admin}.${signature}`);
    await fault(verifier, `${header}.${payload}.`);
    await fault(verifier, `${header}.${payload}.${signature.slice(0, -4)}AAAA`);
    const foreign = await signingKey("first");
    assert.equal(await fault(verifier, await issuer.sign(MCP, {}, { key: foreign })), "no key of its issuer signed it");
    await fault(verifier, await issuer.sign(MCP, {}, { header: { kid: "unknown" } }));
    await fault(verifier, await issuer.sign(MCP, {}, { header: { typ: "logout+jwt" } }));
  });

  it("is taken up to ten seconds beyond its times, as clocks differ", async () => {
    await using issuer = await TestIssuer.open();
    const second = 1_000_000;
    const verifier = open({ jwtIssuers: [issuer.url] }, () => second * 1000);
    const token = (claims: Record<string, unknown>): Promise<string> =>
      issuer.sign(MCP, { exp: second + 60, ...claims });
    assert.equal((await holder(verifier, await token({ exp: second - 9 }))).subject, "ada");
    assert.equal((await holder(verifier, await token({ nbf: second + 9 }))).subject, "ada");
    await fault(verifier, await token({ exp: second - 11 }));
    await fault(verifier, await token({ nbf: second + 11 }));
  });

  it("is meant for the server's address, its MCP endpoint, or what JWT_AUDIENCE names", async () => {
    await using issuer = await TestIssuer.open();
    const verifier = open({ jwtIssuers: [issuer.url], jwtAudience: ["hub-api"] });
    for (const audience of [PUBLIC_URL, `${PUBLIC_URL}/`, MCP, "hub-api"]) {
      assert.equal((await holder(verifier, await issuer.sign(audience))).subject, "ada");
    }
    const token = await issuer.sign(MCP, { aud: ["account", MCP] });
    assert.equal((await holder(verifier, token)).subject, "ada");
  });

  it("is verified with each key that fits if it names none, also after a key of the same kind was added", async () => {
    await using issuer = await TestIssuer.open();
    const second = await signingKey("second");
    issuer.keys.push(second.publicJwk);
    const verifier = open({ jwtIssuers: [issuer.url] });
    for (const key of [undefined, second]) {
      const header = { kid: undefined } as unknown as { kid: string };
      const token = await issuer.sign(MCP, {}, key === undefined ? { header } : { key, header });
      assert.equal((await holder(verifier, token)).subject, "ada");
    }
  });

  it("is verified once for as long as it is good, but no longer than five minutes", async () => {
    await using issuer = await TestIssuer.open();
    let now = Date.now();
    const verifier = open({ jwtIssuers: [issuer.url] }, () => now);
    const token = await issuer.sign(MCP, { exp: Math.floor(now / 1000) + 3600 });
    const first = await holder(verifier, token);
    assert.equal(verifier.verify(token), first, "the same principal at once, without waiting");
    now += 299_000;
    assert.equal(verifier.verify(token), first);
    now += 2000;
    assert.notEqual(await holder(verifier, token), first);
    const short = await issuer.sign(MCP, { exp: Math.floor(now / 1000) + 30 });
    await holder(verifier, short);
    now += 41_000;
    assert.match(await fault(verifier, short), /"exp" claim/);
  });
});

describe("what a JWT grants", () => {
  const CASES: readonly (readonly [string, Record<string, unknown>, object])[] = [
    ["nothing without a scope of ours", { scope: "openid" }, { publish: [], subscribe: [], admin: false }],
    ["nothing without a scope at all", { scope: undefined }, { publish: [], subscribe: [], admin: false }],
    ["reading", { scope: "hub:read" }, { publish: [], subscribe: ["*"], admin: false }],
    ["publishing", { scope: "openid hub:publish" }, { publish: ["*"], subscribe: [], admin: false }],
    ["everything to an admin", { scope: "hub:admin" }, { publish: ["*"], subscribe: ["*"], admin: true }],
    ["by a list of scp", { scope: undefined, scp: ["hub:read"] }, { publish: [], subscribe: ["*"] }],
    ["by a text of scp", { scope: undefined, scp: "hub:read hub:publish" }, { publish: ["*"], subscribe: ["*"] }],
    ["not by a scope of another case", { scope: "HUB:READ" }, { publish: [], subscribe: [] }],
    [
      "no more than its claim says",
      { hub: { publish: ["orders.eu"], subscribe: ["orders.*", "news"] } },
      { publish: ["orders.eu"], subscribe: ["news", "orders.*"], admin: false, sendAs: false },
    ],
    [
      "no more than its scopes say, whatever its claim says",
      { scope: "hub:read", hub: { publish: ["*"], subscribe: ["*"], admin: true, sendAs: true } },
      { publish: [], subscribe: ["*"], admin: false, sendAs: false },
    ],
    [
      "the rights of an admin only if both say so",
      { scope: "hub:admin", hub: { publish: ["orders.*"] } },
      { publish: ["orders.*"], subscribe: [], admin: false },
    ],
    ["speaking for others", { hub: { publish: "bridge.*", sendAs: true } }, { publish: ["bridge.*"], sendAs: true }],
    ["nothing by an empty claim", { hub: {} }, { publish: [], subscribe: [], admin: false, sendAs: false }],
  ];
  for (const [what, claims, expected] of CASES) {
    it(what, async () => {
      await using issuer = await TestIssuer.open();
      const verifier = open({ jwtIssuers: [issuer.url] });
      assert.partialDeepStrictEqual(await holder(verifier, await issuer.sign(MCP, claims)), expected);
    });
  }

  it("follows JWT_CLAIM and JWT_CHANNELS", async () => {
    await using issuer = await TestIssuer.open();
    const verifier = open({
      jwtIssuers: [issuer.url],
      jwtClaim: "https://hub.example/grants",
      jwtChannels: ["team.*"],
    });
    const plain = await holder(verifier, await issuer.sign(MCP));
    assert.deepEqual([plain.publish, plain.subscribe], [["team.*"], ["team.*"]]);
    const token = await issuer.sign(MCP, {
      "https://hub.example/grants": { subscribe: ["a"] },
      hub: { subscribe: ["b"] },
    });
    assert.deepEqual((await holder(verifier, token)).subscribe, ["a"]);
  });

  const NAMES: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ name: "Ada Lovelace", preferred_username: "ada" }, "Ada Lovelace"],
    [{ preferred_username: "ada.l" }, "ada.l"],
    [{ sub: undefined }, "app"],
    [{ sub: undefined, client_id: undefined, azp: "web" }, "web"],
    [{ name: "two\nlines\u202e" }, "two lines"],
    [{ name: "x".repeat(500) }, "x".repeat(128)],
    [{ name: "\n" }, "ada"],
    [{ name: 1, preferred_username: { a: 1 } }, "ada"],
  ];
  for (const [claims, subject] of NAMES) {
    it(`is in the name of ${JSON.stringify(subject.slice(0, 20))} with ${JSON.stringify(claims).slice(0, 60)}`, async () => {
      await using issuer = await TestIssuer.open();
      const verifier = open({ jwtIssuers: [issuer.url] });
      assert.equal((await holder(verifier, await issuer.sign(MCP, claims))).subject, subject);
    });
  }
});

describe("a JWT signed with JWT_SECRET", () => {
  it("needs no scope if it has the claim with grants, and is bound by its scopes if it has any", async () => {
    const verifier = open({ jwtSecret: SECRET });
    const hub = { publish: ["orders.*"], subscribe: ["orders.*"], admin: true, sendAs: true };
    assert.partialDeepStrictEqual(await holder(verifier, await signedWithSecret({ hub })), hub);
    assert.partialDeepStrictEqual(await holder(verifier, await signedWithSecret({ hub, scope: "hub:read" })), {
      publish: [],
      subscribe: ["orders.*"],
      admin: false,
    });
    assert.partialDeepStrictEqual(await holder(verifier, await signedWithSecret({})), { publish: [], subscribe: [] });
  });

  it("[AUTH-40] is refused if another secret signed it, or if it is in the name of an issuer that has keys", async () => {
    await using issuer = await TestIssuer.open();
    const verifier = open({ jwtSecret: SECRET, jwtIssuers: [issuer.url] });
    await fault(verifier, await signedWithSecret({}, "another secret of thirty-two chars"));
    await fault(verifier, await signedWithSecret({ iss: issuer.url }));
    await fault(verifier, await signedWithSecret({ aud: "https://other.example" }));
    assert.equal((await holder(verifier, await signedWithSecret({ iss: "backend" }))).subject, "orders");
    const before = issuer.fetches;
    await fault(open({ jwtIssuers: [issuer.url] }), await signedWithSecret({}));
    assert.ok(issuer.fetches - before <= 1);
  });
});

describe("the settings of JWTs", () => {
  const WRONG: readonly (readonly [Partial<JwtSettings>, RegExp])[] = [
    [{ jwtIssuers: ["https://login.example"], publicUrl: "" }, /^JWT_ISSUERS is set.*set PUBLIC_URL.*or JWT_AUDIENCE/],
    [{ jwtSecret: SECRET, publicUrl: "" }, /^JWT_SECRET is set.*set PUBLIC_URL.*or JWT_AUDIENCE/],
    [{ jwtIssuers: ["http://login.example"] }, /^JWT_ISSUERS names "http:\/\/login.example".*use https:/],
    [{ jwtIssuers: ["https://login.example=http://keys.example"] }, /^JWT_ISSUERS names "http:\/\/keys.example"/],
    [{ jwtIssuers: ["https://login.example", "https://login.example=https://a.example"] }, /twice/],
  ];
  for (const [settings, sentence] of WRONG) {
    it(`refuses ${JSON.stringify(settings).slice(0, 70)} with a sentence that says what is right`, () => {
      assert.throws(
        () => open(settings),
        (error) => error instanceof ConfigError && sentence.test(error.message) && !error.message.includes(SECRET),
      );
    });
  }
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditEvent } from "../../src/auth/audit.ts";
import { openJwt } from "../../src/auth/open-jwt.ts";
import type { TokenVerifier } from "../../src/auth/authenticator.ts";
import { defaults } from "../../src/config.ts";
import { HubError } from "../../src/core/errors.ts";
import { signingKey, TestIssuer } from "../support/issuer.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const PUBLIC_URL = "https://hub.example";
const HOUR = 3_600_000;

/** A verifier whose clock a test moves. */
class Bed {
  now = Date.now();
  readonly events: AuditEvent[] = [];
  readonly verifier: TokenVerifier;
  readonly issuer: TestIssuer;

  constructor(issuer: TestIssuer, setting: string = issuer.url) {
    this.issuer = issuer;
    const settings = { ...defaults(), publicUrl: PUBLIC_URL, jwtIssuers: [setting] };
    const verifier = openJwt(
      settings,
      (event) => this.events.push(event),
      () => this.now,
    );
    assert.ok(verifier !== undefined);
    this.verifier = verifier;
  }

  /** What a new token is answered: `ok`, or the code of the refusal and after how many seconds to try again. */
  async answer(
    ...rest: Parameters<TestIssuer["sign"]> extends [string, ...infer Rest] ? Rest : never
  ): Promise<string> {
    const [claims = {}, options] = rest;
    const exp = Math.floor(this.now / 1000) + 600;
    const token = await this.issuer.sign(PUBLIC_URL, { exp, jti: crypto.randomUUID(), ...claims }, options);
    try {
      await this.verifier.verify(token);
      return "ok";
    } catch (error) {
      assert.ok(error instanceof HubError, String(error));
      return [error.code, error.retryAfter].filter((part) => part !== undefined).join(" ");
    }
  }
}

describe("the keys of an issuer", () => {
  it("are found where RFC 8414 and where OpenID Connect says, whatever the path of the issuer", async () => {
    for (const path of ["", "/", "/realms/team", "/realms/team/"]) {
      const bare = path.replace(/\/$/, "");
      for (const metadataPath of [
        `/.well-known/oauth-authorization-server${bare}`,
        `${bare}/.well-known/openid-configuration`,
      ]) {
        await using issuer = await TestIssuer.open({ path });
        issuer.metadataPath = metadataPath;
        assert.equal(await new Bed(issuer).answer(), "ok", `${path} ${metadataPath}`);
      }
    }
  });

  it("are taken from the address that JWT_ISSUERS gives, without asking anything else", async () => {
    await using issuer = await TestIssuer.open();
    assert.equal(await new Bed(issuer, `${issuer.url}=${issuer.url}/keys`).answer(), "ok");
    assert.deepEqual(issuer.asked, ["/keys"]);
  });

  it("[AUTH-44] are not taken from who announces another issuer, or keys where anyone on the way could answer", async () => {
    const metadata = [
      { issuer: "https://other.example" },
      { issuer: undefined },
      { jwks_uri: "http://keys.example/keys" },
      { jwks_uri: 1 },
    ];
    for (const wrong of metadata) {
      await using issuer = await TestIssuer.open();
      issuer.metadata = wrong;
      const bed = new Bed(issuer);
      assert.match(await bed.answer(), /^AUTH_UNAVAILABLE/);
      assert.equal(issuer.fetches, 0);
      assert.equal(bed.events[0]?.action, "issuer_unavailable");
      assert.match(bed.events[0]?.reason ?? "", /issuer is|no jwks_uri|use https:/);
    }
  });

  const FAULTS: Readonly<Record<string, [NonNullable<TestIssuer["fault"]>, RegExp]>> = {
    "answers 500": [(response) => void response.writeHead(500).end(), /answers 500/],
    redirects: [(response) => void response.writeHead(302, { location: "/keys" }).end(), /redirects/],
    "sends what is not JSON": [(response) => void response.end("<html>"), /does not send JSON/],
    "sends no keys": [(response) => void response.end('{"keys":[]}'), /sends no keys/],
    "sends without end": [
      (response) => {
        const more = (): void => {
          while (response.write("x".repeat(65_536)));
        };
        response.on("drain", more);
        more();
      },
      /more than 262144 bytes/,
    ],
    hangs: [() => {}, /does not answer in time/],
    "cuts the connection": [(response) => void response.socket?.destroy(), /cannot be reached|terminated|other side/],
  };
  for (const [what, [fault, reason]] of Object.entries(FAULTS)) {
    it(`[AUTH-44] cannot be had if the issuer ${what}: 503, when to come back, and one word to the operator`, async () => {
      await using issuer = await TestIssuer.open();
      issuer.fault = fault;
      const bed = new Bed(issuer, `${issuer.url}=${issuer.url}/keys`);
      assert.equal(await bed.answer(), "AUTH_UNAVAILABLE 1");
      assert.equal(await bed.answer(), "AUTH_UNAVAILABLE 1");
      assert.equal(issuer.fetches, 1, "nobody waits for a second try so soon");
      bed.now += 1000;
      issuer.fault = undefined;
      assert.equal(await bed.answer(), "ok");
      assert.deepEqual(
        bed.events.map(({ action }) => action),
        ["issuer_unavailable", "issuer_available"],
      );
      assert.match(bed.events[0]?.reason ?? "", reason);
    });
  }

  it("[AUTH-44] stay in use through an outage of hours, in which the issuer is asked ever more seldom", async () => {
    await using issuer = await TestIssuer.open();
    const bed = new Bed(issuer);
    assert.equal(await bed.answer(), "ok");
    issuer.fault = (response) => void response.writeHead(503).end();
    const before = issuer.asked.length;
    for (let second = 0; second < 3600; second += 5) {
      bed.now += 5000;
      assert.equal(await bed.answer(), "ok");
    }
    const tries = issuer.asked.length - before;
    assert.ok(tries > 50 && tries < 400, `${tries} requests in an hour`);
    const other = await signingKey("new");
    assert.match(await bed.answer({}, { key: other }), /^AUTH_UNAVAILABLE \d+$/, "it may be the issuer's next key");
    bed.now += 24 * HOUR;
    assert.match(await bed.answer(), /^AUTH_UNAVAILABLE/, "a key that was withdrawn a day ago would go unnoticed");
    issuer.fault = undefined;
    bed.now += 30_000;
    assert.equal(await bed.answer(), "ok");
  });

  it("[AUTH-44] are found when the issuer changes them, at once or within 30 seconds", async () => {
    await using issuer = await TestIssuer.open();
    const bed = new Bed(issuer);
    assert.equal(await bed.answer(), "ok");
    const second = await signingKey("second");
    issuer.keys = [second.publicJwk];
    assert.equal(await bed.answer({}, { key: second }), "ok");
    const third = await signingKey("third");
    issuer.keys = [third.publicJwk];
    assert.equal(await bed.answer({}, { key: third }), "UNAUTHENTICATED");
    bed.now += 30_000;
    assert.equal(await bed.answer({}, { key: third }), "ok");
    assert.equal(await bed.answer({}, { key: second }), "UNAUTHENTICATED", "it is gone");
  });

  it("[AUTH-44] are asked for once, however many tokens name keys that do not exist", async () => {
    await using issuer = await TestIssuer.open();
    const bed = new Bed(issuer);
    assert.equal(await bed.answer(), "ok");
    const before = issuer.fetches;
    const forged = (at: number): Promise<string> => bed.answer({}, { header: { kid: `unknown-${at}` } });
    for (const round of [1, 2]) {
      const answers = await Promise.all(Array.from({ length: 500 }, (_, at) => forged(at * round)));
      assert.deepEqual(new Set(answers), new Set(["UNAUTHENTICATED"]));
    }
    assert.equal(issuer.fetches - before, 1);
    bed.now += 30_000;
    await Promise.all(Array.from({ length: 100 }, (_, at) => forged(at)));
    assert.equal(issuer.fetches - before, 2);
  });

  it("are refreshed after ten minutes while nobody waits for them", async () => {
    await using issuer = await TestIssuer.open();
    const bed = new Bed(issuer);
    assert.equal(await bed.answer(), "ok");
    let held: (() => void) | undefined;
    issuer.fault = (response) => {
      held = () => response.end(JSON.stringify({ keys: issuer.keys }));
    };
    bed.now += 11 * 60_000;
    assert.equal(await bed.answer(), "ok");
    await until("the issuer is asked", () => held !== undefined);
    held?.();
    assert.equal(issuer.fetches, 2);
  });
});

it("[AUTH-44] a server whose issuer is down starts, and answers its tokens with 503 and Retry-After at every door", async () => {
  await using issuer = await TestIssuer.open();
  issuer.fault = (response) => void response.writeHead(500).end();
  await using server = await startServer({ publicUrl: PUBLIC_URL, jwtIssuers: [issuer.url] });
  const authorization = `Bearer ${await issuer.sign(PUBLIC_URL)}`;
  for (const [path, method] of [
    ["/channels", "GET"],
    ["/mcp", "POST"],
    ["/mcp/tools/call", "POST"],
    ["/events", "GET"],
  ] as const) {
    const answer = await server.request(path, { method, headers: { authorization } });
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.headers["retry-after"] ?? "", /^[1-9]\d?$/);
    assert.equal(answer.headers["www-authenticate"], undefined);
    assert.match(answer.text, /AUTH_UNAVAILABLE/);
  }
});

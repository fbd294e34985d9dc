import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { after, before, describe, it } from "node:test";
import { exportSPKI, generateKeyPair, UnsecuredJWT } from "jose";
import { APP, AuthorizationServer } from "../support/authorization-server.ts";
import { EventReader } from "../support/event-reader.ts";
import { ACCEPT, rpc } from "../support/legacy-client.ts";
import { mcpRequest } from "../support/mcp.ts";
import type { Answer, RequestOptions } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";

const PUBLIC_URL = "https://hub.example";
const MCP = `${PUBLIC_URL}/mcp`;
const METADATA = `${PUBLIC_URL}/.well-known/oauth-protected-resource/mcp`;
const NEEDED = `Bearer resource_metadata="${METADATA}", scope="hub:read"`;
const INVALID = `Bearer resource_metadata="${METADATA}", error="invalid_token", scope="hub:read"`;
const TWO = `Bearer resource_metadata="${METADATA}", error="invalid_request"`;
const SENTENCE = "The credential is not valid here: it may be unknown, expired, revoked or meant for another service";

const upgrade = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};
const initialize = {
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};
const call = { name: "read_messages", arguments: { channel: "secret" } };

interface Door {
  readonly path: string;
  readonly options?: RequestOptions;
  /** Whether its errors are JSON-RPC. */
  readonly isRpc?: true;
}

const DOORS: Readonly<Record<string, Door>> = {
  "/events": { path: "/events?channel=secret" },
  "/channels": { path: "/channels" },
  "/mcp without sessions": { path: "/mcp", options: mcpRequest("tools/call", call), isRpc: true },
  "/mcp with sessions": {
    path: "/mcp",
    options: { method: "POST", headers: { accept: ACCEPT }, body: rpc(initialize) },
    isRpc: true,
  },
  "/mcp/tools/call": {
    path: "/mcp/tools/call",
    options: { method: "POST", body: JSON.stringify({ params: call }) },
    isRpc: true,
  },
  "/metrics": { path: "/metrics" },
  "/ws": { path: "/ws?channel=secret", options: { headers: upgrade } },
};

describe("tokens at every door", () => {
  let issuer: AuthorizationServer;
  let server: TestServer;
  let good: string;
  let bad: Readonly<Record<string, string>>;

  before(async () => {
    issuer = await AuthorizationServer.open();
    // One address sends more bad tokens than the limit allows.
    server = await startServer({ publicUrl: PUBLIC_URL, jwtIssuers: [issuer.issuer], rateLimits: "off" });
    good = await issuer.serviceToken(MCP, "hub:admin");
    bad = await badTokens(issuer, good);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
  });

  const ask = ({ path, options = {} }: Door, headers: OutgoingHttpHeaders): Promise<Answer> =>
    server.request(path, { ...options, headers: { ...options.headers, ...headers } });

  for (const [name, door] of Object.entries(DOORS)) {
    const check = (answer: Answer, status: number, challenge: string | undefined, code: string, said: string): void => {
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.headers["www-authenticate"], challenge);
      const body = answer.json() as Record<string, unknown>;
      if (door.isRpc) {
        assert.deepEqual(body["error"], { ...(body["error"] as object), message: said });
        assert.equal((body["error"] as { data?: { code?: string } }).data?.code, code);
        assert.equal("result" in body, false);
      } else {
        assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
        assert.deepEqual([body["status"], body["code"], body["detail"]], [status, code, said]);
      }
    };

    it(`[AUTH-40] ${name} takes a good token`, async () => {
      const headers = { authorization: `Bearer ${good}` };
      if (name === "/ws") {
        using reader = await server.frames("?channel=secret", { headers });
        assert.equal((await reader.next())["type"], "welcome");
      } else if (name === "/events") {
        using reader = await EventReader.open(`${server.url}/events?channel=secret`, { headers });
        assert.equal(reader.status, 200);
      } else assert.equal((await ask(door, headers)).status, 200);
    });

    if (name !== "/ws") {
      it(`[AUTH-41] ${name} without a token says where to get one, and no error`, async () => {
        const answer = await ask(door, {});
        assert.equal(answer.status, 401);
        assert.equal(answer.headers["www-authenticate"], NEEDED);
      });
    }

    it(`[AUTH-41] ${name} refuses each token that is not good with the same 401`, async () => {
      for (const [what, token] of Object.entries(bad)) {
        const answer = await ask(door, { authorization: `Bearer ${token}` });
        try {
          check(answer, 401, INVALID, "UNAUTHENTICATED", SENTENCE);
        } catch (cause) {
          throw new Error(`a token that is ${what}`, { cause });
        }
      }
    });

    it(`[AUTH-41] ${name} refuses two Authorization headers, and one that is too long`, async () => {
      const two = await ask(door, { authorization: [`Bearer ${good}`, `Bearer ${good}`] as unknown as string });
      const sentence =
        "The request presents more than one credential; send one of Authorization, X-API-Key and a ticket";
      check(two, 400, TWO, "INVALID_REQUEST", sentence);
      const long = await ask(door, { authorization: `Bearer ${"a".repeat(65_536)}` });
      assert.equal(long.status, 400);
      assert.doesNotMatch(long.text, /aaaa/);
    });
  }

  it("[AUTH-42] a token with too little scope is answered with 403 and all the scope that is needed, not a result", async () => {
    const token = await issuer.serviceToken(MCP, "hub:read");
    const publish = { name: "send_sse_message", arguments: { message: "x", channel: "secret" } };
    const doors: readonly Door[] = [
      { path: "/mcp", options: mcpRequest("tools/call", publish) },
      { path: "/mcp/tools/call", options: { method: "POST", body: JSON.stringify({ params: publish }) } },
      { path: "/channels/secret/messages", options: { method: "POST", body: "x" } },
    ];
    for (const door of doors) {
      const answer = await ask(door, { authorization: `Bearer ${token}` });
      assert.equal(answer.status, 403, answer.text);
      const challenge = `Bearer resource_metadata="${METADATA}", error="insufficient_scope", scope="hub:publish"`;
      assert.equal(answer.headers["www-authenticate"], challenge);
      assert.doesNotMatch(answer.text, /isError/);
    }
  });

  it("[AUTH-43] pages of any origin can read where to get a token, and what a challenge says", async () => {
    const metadata = {
      resource: MCP,
      authorization_servers: [issuer.issuer],
      scopes_supported: ["hub:read", "hub:publish"],
      bearer_methods_supported: ["header"],
      resource_name: "sse-mcp-server",
      resource_documentation: `${PUBLIC_URL}/docs`,
    };
    for (const path of ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]) {
      const headers = { origin: "https://elsewhere.example" };
      const answer = await server.request(path, { headers });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(answer.json(), metadata);
      assert.equal(answer.headers["access-control-allow-origin"], "*");
      assert.match(answer.headers["cache-control"] ?? "", /max-age=300/);
      const preflight = await server.request(path, {
        method: "OPTIONS",
        headers: {
          ...headers,
          "access-control-request-method": "GET",
          "access-control-request-headers": "mcp-protocol-version",
        },
      });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.headers["access-control-allow-headers"], "mcp-protocol-version");
      const foreign = await server.request(path, { headers: { host: "evil.example" } });
      assert.equal(foreign.status, 403);
    }
    const own = { origin: `http://127.0.0.1:${server.port}` };
    const refused = await server.request("/mcp", { method: "POST", headers: own, body: "{}" });
    assert.equal(refused.status, 401);
    assert.match(String(refused.headers["access-control-expose-headers"]), /WWW-Authenticate/);
    const preflight = {
      ...own,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    assert.equal((await server.request("/mcp", { method: "OPTIONS", headers: preflight })).status, 204);
  });
});

it("a server without issuers announces none", async () => {
  await using server = await startServer({ publicUrl: PUBLIC_URL, jwtSecret: "a secret of thirty-two characters" });
  assert.equal((await server.request("/.well-known/oauth-protected-resource")).status, 404);
  assert.equal((await server.request("/channels")).headers["www-authenticate"], 'Bearer scope="hub:read"');
});

/** Each is like a good one but for what its name says. */
async function badTokens(issuer: AuthorizationServer, good: string): Promise<Record<string, string>> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { aud: MCP, sub: "eve", client_id: APP.id, scope: "hub:admin", iat: now, exp: now + 600 };
  const pem = await exportSPKI(issuer.publicKey);
  const signed = [
    { alg: "HS256", typ: "at+jwt", kid: "of-the-server" },
    { ...claims, iss: issuer.issuer },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const [header = "", , signature = ""] = good.split(".");
  const tampered = Buffer.from(JSON.stringify({ ...claims, iss: issuer.issuer })).toString("base64url");
  const { privateKey } = await generateKeyPair("RS256");
  return {
    expired: await issuer.forge({ ...claims, exp: now - 60 }),
    "not valid yet": await issuer.forge({ ...claims, nbf: now + 60 }),
    "for another audience": await issuer.serviceToken("https://other.example/mcp", "hub:admin"),
    "of another issuer": await issuer.forge({ ...claims, iss: "https://other.example" }),
    "not signed": new UnsecuredJWT({ ...claims, iss: issuer.issuer }).encode(),
    "signed with the public key as a secret": `${signed}.${createHmac("sha256", pem).update(signed).digest("base64url")}`,
    "signed with an unknown key": await issuer.forge(claims, { kid: "unknown" }, privateKey),
    "signed with another key of that name": await issuer.forge(claims, {}, privateKey),
    "an ID token": (await issuer.personTokens("eve", MCP, "hub:read")).idToken,
    "tampered with": `${header}.${tampered}.${signature}`,
    "not a token": "not-a-token",
  };
}

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { describe, it } from "node:test";
import { SignJWT } from "jose";
import { z } from "zod";
import { defineTool } from "../../src/tools/define-tool.ts";
import { EventReader } from "../support/event-reader.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer, type TestServer } from "../support/server.ts";

const MCP = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** Opens a session with a key; resolves with its id. */
async function sessionOf(server: TestServer, headers: Record<string, string>): Promise<string> {
  const params = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "attacker", version: "1" },
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const answer = await server.request("/mcp", { method: "POST", headers: { ...MCP, ...headers }, body });
  return String(answer.headers["mcp-session-id"]);
}

function post(server: TestServer, key: string, session: string, message: object) {
  const headers = { ...MCP, "x-api-key": key, "mcp-session-id": session };
  return server.request("/mcp", {
    method: "POST",
    headers,
    body: JSON.stringify({ jsonrpc: "2.0", id: 9, ...message }),
  });
}

describe("an attacker", () => {
  it("[AUTH-6] is reported and limited when guessing at POST /session", async () => {
    using ring = new KeyRing();
    ring.add("one", { subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: ring.path, rateLimits: "on", limitFailedCredentials: 3 });
    const statuses = new Set<number>();
    for (let guess = 0; guess < 10; guess++) {
      const headers = { authorization: `Bearer hub_zzzzzzzz_${"A".repeat(43)}` };
      statuses.add((await server.request("/session", { method: "POST", headers })).status);
    }
    assert.deepEqual([...statuses], [401, 429]);
  });

  it("does not end the MCP sessions of others by opening many", async () => {
    using ring = new KeyRing();
    const [victim, greedy] = [ring.add("victim", { subscribe: ["*"] }), ring.add("greedy", { subscribe: ["public"] })];
    await using server = await startServer({ apiKeysFile: ring.path, maxSessions: 20, rateLimits: "on" });
    const session = await sessionOf(server, { "x-api-key": victim });
    for (let count = 0; count < 40; count++) await sessionOf(server, { "x-api-key": greedy });
    assert.equal((await post(server, victim, session, { method: "ping" })).status, 200);
  });

  it("cannot take an idempotency key of another principal", async () => {
    using ring = new KeyRing();
    const key = ring.add("order-service", { publish: ["orders"] });
    await using server = await startServer({ apiKeysFile: ring.path, anonymousPublish: ["orders"] });
    const publish = (headers: Record<string, string>, body: string) =>
      server.request("/channels/orders/messages", {
        method: "POST",
        headers: { "content-type": "text/plain", ...headers },
        body,
      });
    await publish({ "idempotency-key": `key-${key.split("_")[1]} 17` }, "cancelled");
    assert.equal((await publish({ "x-api-key": key, "idempotency-key": "17" }, "shipped")).status, 201);
  });

  it("[AUTH-7] gets nothing more of a running call once the key is revoked", async () => {
    using ring = new KeyRing();
    const key = ring.add("one", { subscribe: ["*"] });
    const slow = defineTool({
      name: "slow",
      description: "Takes a while",
      readOnly: true,
      input: z.object({}),
      async run(_, { signal }) {
        await pause(3000, undefined, { signal }).catch(() => {});
        return "secret";
      },
    });
    await using server = await startServer({ apiKeysFile: ring.path, tools: [slow] });
    const answer = server.request("/mcp/tools/call", {
      method: "POST",
      headers: { "x-api-key": key },
      body: '{"params":{"name":"slow"}}',
    });
    await pause(300);
    ring.revoke("one");
    assert.doesNotMatch(await answer.then(({ text }) => text, String), /secret/);
  });

  it("cannot hold more sockets than its share by presenting the key in a frame", async () => {
    using ring = new KeyRing();
    const key = ring.add("greedy", { subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: ring.path, maxConnections: 20, rateLimits: "off" });
    let open = 0;
    for (let count = 0; count < 12; count++) {
      const reader = await server.frames("?channel=a");
      reader.send({ type: "auth", token: key });
      await pause(50);
      if (JSON.stringify(reader.waiting ?? []).includes("welcome")) open++;
    }
    assert.ok(open <= 10, `${open} of 20 places are one principal's`);
  });

  it("is answered in a session with -32602 for a resource that is not there, never with 500", async () => {
    using ring = new KeyRing();
    const key = ring.add("one", { subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: ring.path });
    const session = await sessionOf(server, { "x-api-key": key });
    const answer = await post(server, key, session, { method: "resources/read", params: { uri: "hub://nothing" } });
    assert.equal(answer.status, 200);
    assert.match(answer.text, /-32602/);
  });

  it("[AUTH-7] waits in a session no longer than the credential of the call, whatever opened the session", async () => {
    const secret = "0123456789abcdef0123456789abcdef";
    const hub = "https://hub.example";
    const token = (seconds: number): Promise<string> =>
      new SignJWT({ sub: "agent", hub: { subscribe: ["*"] } })
        .setProtectedHeader({ alg: "HS256" })
        .setAudience(hub)
        .setExpirationTime(`${seconds}s`)
        .sign(new TextEncoder().encode(secret));
    await using server = await startServer({ jwtSecret: secret, publicUrl: hub });
    const [short, long] = (await Promise.all([token(3), token(600)])).map((jwt) => ({
      authorization: `Bearer ${jwt}`,
    }));
    const session = await sessionOf(server, long ?? {});
    const start = performance.now();
    const { status, text } = await server.request("/mcp", {
      method: "POST",
      headers: { ...MCP, ...short, "mcp-session-id": session },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 30 } },
      }),
    });
    assert.equal(status, 200, text);
    assert.ok(performance.now() - start < 20_000);
  });

  it("is told nothing more in a session of a channel that its newer credential may not read", async () => {
    const secret = "0123456789abcdef0123456789abcdef";
    const hub = "https://hub.example";
    const token = (subscribe: readonly string[]): Promise<string> =>
      new SignJWT({ sub: "agent", hub: { subscribe, publish: ["*"] } })
        .setProtectedHeader({ alg: "HS256" })
        .setAudience(hub)
        .setExpirationTime("600s")
        .sign(new TextEncoder().encode(secret));
    await using server = await startServer({ jwtSecret: secret, publicUrl: hub });
    const [wide, narrow] = (await Promise.all([token(["*"]), token(["news"])])).map((jwt) => ({
      authorization: `Bearer ${jwt}`,
    }));
    const session = await sessionOf(server, wide ?? {});
    const ask = (who: object | undefined, message: object): ReturnType<TestServer["request"]> =>
      server.request("/mcp", {
        method: "POST",
        headers: { ...MCP, ...who, "mcp-session-id": session },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
      });
    for (const uri of ["hub://channels", "hub://channels/secret"]) {
      assert.equal((await ask(wide, { method: "resources/subscribe", params: { uri } })).status, 200);
    }
    assert.equal((await ask(narrow, { method: "ping" })).status, 200);
    const reader = await EventReader.open(`${server.url}/mcp`, {
      headers: { ...narrow, "mcp-session-id": session, "mcp-protocol-version": "2025-06-18" },
    });
    const publish = (channel: string): ReturnType<TestServer["request"]> =>
      server.request(`/channels/${channel}/messages`, { method: "POST", headers: { ...wide }, body: "x" });
    const updated = async (): Promise<string> => {
      for (;;) {
        const { method, params } = JSON.parse((await reader.next()).data) as {
          method: string;
          params: { uri?: string };
        };
        if (method === "notifications/resources/updated") return params.uri ?? "";
      }
    };
    // What it is told at first is that something may have changed while it did not listen.
    assert.equal(await updated(), "hub://channels");
    assert.equal((await publish("secret")).status, 201);
    assert.equal((await publish("news")).status, 201);
    assert.equal(await updated(), "hub://channels");
    assert.ok(!reader.text.includes("hub://channels/secret"));
    assert.equal(reader.waiting.filter(({ data }) => data.includes("resources/updated")).length, 0);
    reader.close();
  });
});

import assert from "node:assert/strict";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { describe, it } from "node:test";
import { isLimited, RateLimits, type LimitSettings } from "../../src/limits/rate-limits.ts";
import type { Principal } from "../../src/core/principal.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { initialize, LegacyClient, type RpcMessage } from "../support/legacy-client.ts";
import { mcp } from "../support/mcp.ts";
import type { Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { SharedNode } from "../support/shared-node.ts";
import { until } from "../support/until.ts";

const NONE: LimitSettings = {
  limitConnects: 0,
  limitPublishes: 0,
  limitPublishBytes: 0,
  limitToolCalls: 0,
  limitHookDeliveries: 0,
  limitHistoryPages: 0,
  limitFailedCredentials: 0,
  limitNewChannels: 0,
  limitWaitingCalls: 0,
};
const TEXT = { "content-type": "text/plain" };

function principal(id: string): Principal {
  return { id, subject: id, kind: "key", publish: [], subscribe: [], admin: false, sendAs: false };
}

/** How many of these calls are let in, each in a turn of its own. */
async function admitted(count: number, call: () => void): Promise<number> {
  let let_in = 0;
  for (let index = 0; index < count; index++) {
    try {
      call();
      let_in++;
    } catch (error) {
      assert.equal((error as { code: string }).code, "RATE_LIMITED");
    }
    await turn();
  }
  return let_in;
}

/** Calls until a call is refused: of a hundred one is, on any machine that does more than a window allows. */
async function refused<Result extends { readonly status: number }>(call: () => Promise<Result>): Promise<Result> {
  for (let count = 0; count < 100; count++) {
    const answer = await call();
    if (answer.status === 429) return answer;
  }
  throw new Error("a hundred calls were not refused");
}

/** Opens a WebSocket and closes it; resolves with how that was answered. */
async function opened(server: TestServer): Promise<{ readonly status: number }> {
  try {
    using _ = await server.frames();
    return { status: 101 };
  } catch (error) {
    if (error instanceof RefusedUpgrade) return error;
    throw error;
  }
}

describe("rate limits", () => {
  it("[LIM-4] let each principal do as much as ten seconds allow, and each address without one, apart from each other", async () => {
    const limits = new RateLimits({ ...NONE, limitPublishes: 1 });
    assert.equal(await admitted(15, () => limits.admit(principal("a"), "192.0.2.1", "publishes")), 10);
    assert.equal(await admitted(15, () => limits.admit(principal("b"), "192.0.2.1", "publishes")), 10);
    assert.equal(await admitted(15, () => limits.admit(undefined, "192.0.2.1", "publishes")), 10);
    assert.equal(await admitted(15, () => limits.admit(principal("a"), "192.0.2.1", "tool_calls")), 15);
    assert.equal(limits.refused.get("publishes"), 15);
  });

  it("let one message pass that is larger than what is left, and none after it", async () => {
    const limits = new RateLimits({ ...NONE, limitPublishBytes: 100 });
    const costs = [900, 5000, 1];
    const found = [];
    for (const cost of costs) found.push(await admitted(1, () => limits.admit(undefined, "a", "publish_bytes", cost)));
    assert.deepEqual(found, [1, 1, 0]);
  });

  it("say when to go on, spread by a fifth, and what the limit is", async () => {
    const limits = new RateLimits({ ...NONE, limitFailedCredentials: 1 });
    limits.admit(undefined, "a", "failed_credentials");
    await turn();
    assert.throws(
      () => limits.admit(undefined, "a", "failed_credentials"),
      ({ retryAfter, rateLimit }: { retryAfter: number; rateLimit: { policy: string; state: string } }) => {
        assert.ok(retryAfter >= 59 && retryAfter <= 72, String(retryAfter));
        assert.equal(rateLimit.policy, '"failed_credentials";q=1;w=60');
        assert.match(rateLimit.state, /^"failed_credentials";r=0;t=(?:59|60)$/);
        return true;
      },
    );
  });

  it("keep no more than so many callers apart, and forget nobody for others", async () => {
    const limits = new RateLimits({ ...NONE, limitFailedCredentials: 10 });
    assert.equal(await admitted(11, () => limits.admit(undefined, "first", "failed_credentials")), 10);
    for (let index = 0; index < 100_000; index++) limits.admit(undefined, `a${index}`, "failed_credentials");
    await turn();
    assert.equal(await admitted(1, () => limits.admit(undefined, "first", "failed_credentials")), 0);
    let news = 0;
    assert.ok((await admitted(20, () => limits.admit(undefined, `new${news++}`, "failed_credentials"))) <= 10);
  });

  it("[LIM-9] are those of all nodes together: what is used on one is soon missing on the others", async () => {
    const store = new LocalStore();
    const settings = { ...NONE, limitPublishes: 1, limitFailedCredentials: 5 };
    const [a, b] = ["a", "b"].map((name) => new RateLimits(settings, new SharedNode(store, name))) as [
      RateLimits,
      RateLimits,
    ];
    const isRefused = (limits: RateLimits, what: "publishes" | "failed_credentials", address: string): boolean => {
      try {
        limits.admit(undefined, address, what, 0);
        return false;
      } catch {
        return true;
      }
    };
    assert.equal(await admitted(8, () => a.admit(undefined, "x", "publishes")), 8);
    assert.equal(await admitted(8, () => b.admit(undefined, "x", "publishes")), 8);
    await until("b refuses", () => isRefused(b, "publishes", "x"));
    a.admit(undefined, "x", "publishes");
    await until("a refuses, too, once it has counted one more", () => isRefused(a, "publishes", "x"));
    assert.equal(isRefused(b, "publishes", "y"), false);
    assert.equal(isRefused(b, "failed_credentials", "x"), false);
    a.admit(undefined, "z", "failed_credentials", 5);
    b.admit(undefined, "z", "failed_credentials", 1);
    await until("b refuses whom a has seen fail", () => isRefused(b, "failed_credentials", "z"));
  });

  it("[LIM-9] are each node's own while the store cannot be reached, which stops no one", async () => {
    const shared = new SharedNode(new LocalStore(), "a");
    shared.isAway = true;
    const limits = new RateLimits({ ...NONE, limitPublishes: 1 }, shared);
    assert.equal(await admitted(5, () => limits.admit(undefined, "x", "publishes")), 5);
    await until("the store was asked", () => shared.failures === 1);
    assert.equal(await admitted(10, () => limits.admit(undefined, "x", "publishes")), 5);
  });

  it("are on for development on loopback, too, if the settings say that others reach it through a proxy", () => {
    const cases = [
      { trustedProxies: ["127.0.0.1"], publicUrl: "" },
      { trustedProxies: [], publicUrl: "https://hub.example" },
      { trustedProxies: [], publicUrl: "http://localhost:8000" },
    ].map((settings) => isLimited({ ...settings, rateLimits: "", env: "development" }, true));
    assert.deepEqual(cases, [true, true, false]);
    const off = { trustedProxies: ["127.0.0.1"], publicUrl: "", rateLimits: "off", env: "development" };
    assert.equal(isLimited(off, true), false);
  });

  it("are off for development on loopback unless they are asked for, and on otherwise", () => {
    const ALONE = { trustedProxies: [], publicUrl: "" };
    const cases = ["", "on", "off"].map((rateLimits) => [
      isLimited({ ...ALONE, rateLimits, env: "development" }, true),
      isLimited({ ...ALONE, rateLimits, env: "production" }, true),
      isLimited({ ...ALONE, rateLimits, env: "development" }, false),
    ]);
    assert.deepEqual(cases, [
      [false, true, true],
      [true, true, true],
      [false, false, false],
    ]);
  });
});

describe("a caller over its limit", { concurrency: true }, () => {
  it("[LIM-4] gets 429 with Retry-After and the RateLimit fields, which pages may read, and is counted in metrics", async () => {
    await using server = await startServer({ rateLimits: "on", limitPublishes: 1 });
    const publish = () =>
      server.request("/channels/a/messages", { method: "POST", headers: { ...TEXT, origin: server.url }, body: "x" });
    const answer = await refused(publish);
    const { headers } = answer;
    assert.equal((answer.json() as { code: string }).code, "RATE_LIMITED");
    assert.match(String(headers["retry-after"]), /^(?:[1-9]|1[0-2])$/);
    assert.equal(headers["ratelimit-policy"], '"publishes";q=10;w=10');
    assert.match(String(headers["ratelimit"]), /^"publishes";r=0;t=\d+$/);
    assert.match(String(headers["access-control-expose-headers"]), /RateLimit, RateLimit-Policy/);
    assert.ok((await server.metric('sse_mcp_rate_limited_total{limit="publishes"}')) >= 1);
  });

  it("[LIM-5] keeps its WebSocket, in the order of its frames, and is told by error frames", async () => {
    await using server = await startServer({ rateLimits: "on", limitPublishes: 1, limitToolCalls: 1 });
    using reader = await server.frames("?channel=a");
    await reader.nextOf("welcome");
    for (let id = 0; id < 40; id++) {
      reader.send(
        id % 2 === 0
          ? { type: "publish", channel: "a", data: id }
          : { type: "mcp_call", tool: "send_sse_message", arguments: { channel: "a", message: String(id) } },
      );
      await turn();
    }
    const error = await reader.nextOf("error");
    assert.equal(error["code"], "RATE_LIMITED");
    assert.ok(Number(error["retryAfter"]) >= 1);
    reader.send({ type: "ping" });
    await reader.nextOf("pong");
  });

  it("[LIM-5] frames sent together keep their order while they are counted", async () => {
    await using server = await startServer({ rateLimits: "on" });
    using reader = await server.frames("?channel=a");
    await reader.nextOf("welcome");
    for (let id = 0; id < 60; id++) {
      const call = { type: "mcp_call", tool: "send_sse_message", arguments: { channel: "a", message: `${id}` } };
      reader.send(id % 3 === 0 ? call : { type: "publish", channel: "a", data: `${id}` });
    }
    for (let id = 0; id < 60; id++) assert.equal((await reader.nextOf("message"))["data"], `${id}`);
  });

  it("[LIM-7] gets a JSON-RPC error with 429 at /mcp, in both eras, and at /mcp/tools/call", async () => {
    await using server = await startServer({ rateLimits: "on", limitToolCalls: 1 });
    const session = await LegacyClient.open(server);
    const call = { name: "get_server_info", arguments: {} };
    const body = JSON.stringify({ params: call });
    await refused(() => server.request("/mcp/tools/call", { method: "POST", body }));
    const modern = await refused(() => mcp(server, "tools/call", call));
    assert.deepEqual(modern.error?.data, { code: "RATE_LIMITED", retry: true });
    await refused(() => session.post({ jsonrpc: "2.0", id: 9, method: "tools/call", params: call }));
  });

  it("[LIM-7] by messages gets 429 from the tool that publishes in a session, too, and others go on", async () => {
    await using server = await startServer({ rateLimits: "on", limitPublishes: 1 });
    const session = await LegacyClient.open(server);
    const send = { name: "send_sse_message", arguments: { channel: "a", message: "x" } };
    const answer = await refused(() => session.post({ id: 9, method: "tools/call", params: send }));
    assert.match(String(answer.headers["content-type"]), /^application\/json/);
    assert.ok(Number(answer.headers["retry-after"]) >= 1);
    assert.match(String(answer.headers["ratelimit-policy"]), /^"publishes";/);
    const { id, error } = answer.json() as RpcMessage;
    assert.deepEqual([id, error?.data?.["code"]], [9, "RATE_LIMITED"]);
    const read = { name: "read_messages", arguments: { channel: "a" } };
    assert.equal((await session.post({ id: 10, method: "tools/call", params: read })).status, 200);
  });

  it("[LIM-8] as a bare EventSource is told when to come back, and other clients get 429", async () => {
    await using server = await startServer({ rateLimits: "on", limitConnects: 1 });
    await refused(() => opened(server));
    using reader = await server.events();
    await reader.ended;
    assert.equal(reader.status, 200);
    assert.ok((reader.retry ?? 0) >= 1000, String(reader.retry));
    assert.match(reader.comments.join(), /connections opened/);
    assert.equal((await server.request("/events")).status, 429);
  });

  it("[LIM-10] by bytes has those of UTF-8 counted, and those of a message once, however often it is repeated", async () => {
    const limits = { limitPublishBytes: 100, limitPublishes: 0 };
    await using server = await startServer({ rateLimits: "on", ...limits });
    const publish = async (body: string, key?: string): Promise<number> => {
      const headers = { ...TEXT, ...(key === undefined ? {} : { "idempotency-key": key }) };
      return (await server.request("/channels/a/messages", { method: "POST", headers, body })).status;
    };
    const euros = "€".repeat(200);
    assert.equal(await publish(euros, "k"), 201);
    for (let count = 0; count < 5; count++) assert.equal(await publish(euros, "k"), 200);
    const written = [await publish(euros), await publish(euros)];
    assert.deepEqual(written, [201, 429]);
  });

  it("by new channels may go on with those there are, and by waiting calls with others", async () => {
    await using server = await startServer({ rateLimits: "on", limitNewChannels: 2, limitWaitingCalls: 1 });
    const publish = async (channel: string): Promise<number> =>
      (await server.request(`/channels/${channel}/messages`, { method: "POST", headers: TEXT, body: "x" })).status;
    assert.deepEqual(
      [await publish("a"), await publish("b"), await publish("c"), await publish("a")],
      [201, 201, 429, 201],
    );
    const waiting = server.call("wait_for_messages", { channels: ["a"], timeoutSeconds: 20 });
    await until("it waits", async () => (await server.metric('sse_mcp_connections{door="waiting"}')) === 1);
    await assert.rejects(server.call("wait_for_messages", { channels: ["a"] }), /429/);
    await publish("a");
    await waiting;
  });

  it("[LIM-11] behind a trusted proxy is one client, and others behind it go on", async () => {
    await using server = await startServer({
      auth: "none",
      rateLimits: "on",
      limitPublishes: 1,
      trustedProxies: ["127.0.0.1"],
    });
    const publish = (client: string): Promise<Answer> => {
      const headers = { ...TEXT, "x-forwarded-for": client };
      return server.request("/channels/a/messages", { method: "POST", headers, body: "x" });
    };
    let forged = 0;
    await refused(() => publish(`203.0.113.${forged++}, 192.0.2.1`));
    assert.equal((await publish("192.0.2.2")).status, 201);
  });

  it("[LIM-4] is not who has a hundred readers and makes fifty calls a second: the defaults let that pass", async () => {
    await using server = await startServer({ rateLimits: "on" });
    const readers = await Promise.all(Array.from({ length: 100 }, () => server.events("?channel=a")));
    const sent: Promise<unknown>[] = [];
    const start = performance.now();
    for (let count = 0; count < 150; count++) {
      await wait(Math.max(0, start + count * 20 - performance.now()));
      sent.push(server.call("send_sse_message", { channel: "a", message: String(count) }));
    }
    await Promise.all(sent);
    for (const reader of readers) {
      await until("it has all", () => reader.waiting.filter(({ data }) => data !== "").length === 150);
      reader.close();
    }
    assert.equal(server.hub.stats.published, 150);
  });

  it("[LIM-6] by sessions of MCP ends its own for new ones, never those of another address", async () => {
    await using server = await startServer({ auth: "none", trustedProxies: ["127.0.0.1"], maxSessions: 4 });
    const from = (address: string) => ({ "x-forwarded-for": address });
    const open = async (address: string): Promise<string> => {
      const params = { protocolVersion: "2025-11-25", capabilities: {} };
      return String((await initialize(server, params, from(address))).headers["mcp-session-id"]);
    };
    const ping = async (session: string, address: string): Promise<number> => {
      const client = new LegacyClient(server, session, "2025-11-25");
      return (await client.post({ id: 1, method: "ping" }, from(address))).status;
    };
    const theirs = await open("192.0.2.2");
    const mine = [];
    for (let count = 0; count < 5; count++) mine.push(await open("192.0.2.1"));
    const answers = await Promise.all(mine.map((session) => ping(session, "192.0.2.1")));
    assert.deepEqual(answers, [404, 404, 404, 200, 200]);
    assert.equal(await ping(theirs, "192.0.2.2"), 200);
  });
});

import assert from "node:assert/strict";
import type { OutgoingHttpHeaders } from "node:http";
import { after, before, describe, it } from "node:test";
import { EventReader } from "../support/event-reader.ts";
import { KeyRing } from "../support/keys.ts";
import { mcpRequest } from "../support/mcp.ts";
import type { RequestOptions } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const OLD = { "mcp-protocol-version": "2025-11-25", accept: "application/json, text/event-stream" };

function bearer(token: string): OutgoingHttpHeaders {
  return { authorization: `Bearer ${token}` };
}

function toolCall(name: string, input: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: input } });
}

/** One thing to do at a door that needs a right, as a request without its credential. */
interface Door {
  readonly title: string;
  readonly path: string;
  readonly options?: RequestOptions;
  /** The scope that it needs. */
  readonly scope: "hub:read" | "hub:publish" | "hub:admin";
}

const modern = (method: string, params: object): RequestOptions => mcpRequest(method, params);
const DOORS: readonly Door[] = [
  { title: "GET /events", path: "/events?channel=secret", scope: "hub:read" },
  { title: "GET /events of the server's own log", path: "/events?channel=hub.logs", scope: "hub:admin" },
  { title: "GET /events of a presence channel", path: "/events?channel=hub.presence.secret", scope: "hub:read" },
  { title: "a page of history", path: "/channels/secret/messages", scope: "hub:read" },
  { title: "a page of history of a pattern", path: "/channels/*/messages", scope: "hub:read" },
  { title: "a search", path: "/messages?q=hidden&channel=secret", scope: "hub:read" },
  { title: "a search of one channel", path: "/channels/secret/messages?q=hidden", scope: "hub:read" },
  { title: "one message", path: "/channels/secret/messages/x-1", scope: "hub:read" },
  {
    title: "publishing over HTTP",
    path: "/channels/secret/messages",
    options: { method: "POST", body: "x" },
    scope: "hub:publish",
  },
  {
    title: "asking a question",
    path: "/questions?channel=secret",
    options: { method: "POST", body: "x" },
    scope: "hub:publish",
  },
  { title: "GET /metrics", path: "/metrics", scope: "hub:admin" },
  { title: "GET /participants of a channel", path: "/participants?channel=secret", scope: "hub:read" },
  { title: "GET /events of who is here", path: "/events?channel=hub.presence", scope: "hub:admin" },
  { title: "GET /recent", path: "/recent", scope: "hub:admin" },
  { title: "GET /connections", path: "/connections", scope: "hub:admin" },
  { title: "GET /connections/{id}", path: "/connections/x-1", scope: "hub:admin" },
  {
    title: "purging a channel",
    path: "/channels/secret/messages",
    options: { method: "DELETE" },
    scope: "hub:admin",
  },
  {
    title: "ending a connection",
    path: "/connections/x-1",
    options: { method: "DELETE" },
    scope: "hub:admin",
  },
  {
    title: "send_sse_message of plain JSON-RPC",
    path: "/mcp/tools/call",
    options: { method: "POST", body: toolCall("send_sse_message", { message: "x", channel: "secret" }) },
    scope: "hub:publish",
  },
  {
    title: "read_messages of plain JSON-RPC",
    path: "/mcp/tools/call",
    options: { method: "POST", body: toolCall("read_messages", { channel: "secret" }) },
    scope: "hub:read",
  },
  {
    title: "send_sse_message of /mcp",
    path: "/mcp",
    options: modern("tools/call", { name: "send_sse_message", arguments: { message: "x", channel: "secret" } }),
    scope: "hub:publish",
  },
  {
    title: "wait_for_messages of /mcp",
    path: "/mcp",
    options: modern("tools/call", { name: "wait_for_messages", arguments: { channels: ["*"] } }),
    scope: "hub:read",
  },
  {
    title: "a channel as a resource of /mcp",
    path: "/mcp",
    options: modern("resources/read", { uri: "hub://channels/secret" }),
    scope: "hub:read",
  },
  {
    title: "subscriptions/listen of /mcp",
    path: "/mcp",
    options: modern("subscriptions/listen", { notifications: { resourceSubscriptions: ["hub://channels/secret"] } }),
    scope: "hub:read",
  },
];

describe("the grants of a credential", () => {
  const ring = new KeyRing();
  const orders = ring.add("order-service", { publish: ["orders.*"], subscribe: ["orders.*", "news"] });
  const admin = ring.add("operator", { admin: true });
  let server: TestServer;

  before(async () => {
    server = await startServer({ apiKeysFile: ring.path });
    const { status } = await server.request("/channels/secret/messages", {
      method: "POST",
      headers: bearer(admin),
      body: "hidden",
    });
    assert.equal(status, 201);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    ring[Symbol.dispose]();
  });

  for (const { title, path, options = {}, scope } of DOORS) {
    it(`[AUTH-1] ${title} without a credential is 401 with a challenge, and shows nothing`, async () => {
      const answer = await server.request(path, options);
      assert.equal(answer.status, 401, answer.text);
      assert.equal(answer.headers["www-authenticate"], 'Bearer scope="hub:read"');
      assert.doesNotMatch(answer.text, /hidden/);
    });

    it(`[AUTH-2] ${title} with a credential that is not valid is 401, whatever else is allowed`, async () => {
      const headers = { ...options.headers, ...bearer(`${orders.slice(0, -1)}${orders.endsWith("A") ? "B" : "A"}`) };
      const answer = await server.request(path, { ...options, headers });
      assert.equal(answer.status, 401, answer.text);
      assert.equal(answer.headers["www-authenticate"], 'Bearer error="invalid_token"');
    });

    it(`[AUTH-3] ${title} beyond the grants is 403, and names the scope that would do`, async () => {
      const answer = await server.request(path, { ...options, headers: { ...options.headers, ...bearer(orders) } });
      assert.equal(answer.status, 403, answer.text);
      assert.equal(answer.headers["www-authenticate"], `Bearer error="insufficient_scope", scope="${scope}"`);
      assert.doesNotMatch(answer.text, /hidden/);
      assert.match(answer.text, /may not/);
      assert.doesNotMatch(answer.text, /isError/);
    });
  }

  it("[AUTH-3] a session of the older protocol is refused over HTTP, and never by a result", async () => {
    const post = (message: object, more: OutgoingHttpHeaders = {}): ReturnType<TestServer["request"]> =>
      server.request("/mcp", {
        method: "POST",
        headers: { ...OLD, ...bearer(orders), ...more },
        body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      });
    const clientInfo = { name: "test", version: "1" };
    const opened = await post({
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
    });
    assert.equal(opened.status, 200);
    const session = { "mcp-session-id": opened.headers["mcp-session-id"] };
    const call = { id: 2, method: "tools/call", params: { name: "read_messages", arguments: { channel: "secret" } } };
    const refused = await post(call, session);
    assert.equal(refused.status, 403);
    assert.equal(refused.headers["www-authenticate"], 'Bearer error="insufficient_scope", scope="hub:read"');
    const subscribe = { id: 3, method: "resources/subscribe", params: { uri: "hub://channels/secret" } };
    assert.equal((await post(subscribe, session)).status, 403);
    assert.equal((await post({ ...call, params: { name: "list_channels" } }, session)).status, 200);
    // Another principal knows the id, and it is worth nothing to it.
    const stolen = await post({ id: 4, method: "ping" }, { ...session, ...bearer(admin) });
    assert.equal(stolen.status, 404);
    assert.equal((await post({ id: 5, method: "ping" }, session)).status, 200);
  });

  it("[AUTH-4] lists only the channels that may be read, on every door", async () => {
    const headers = bearer(orders);
    for (const channel of ["orders.eu", "orders.us"]) {
      await server.request(`/channels/${channel}/messages`, { method: "POST", headers, body: "x" });
    }
    const expected = ["orders.eu", "orders.us"];
    const { channels } = (await server.request("/channels", { headers })).json() as {
      channels: readonly { channel: string }[];
    };
    assert.deepEqual(
      channels.map(({ channel }) => channel),
      expected,
    );
    for (const [method, params] of [
      ["tools/call", { name: "list_channels", arguments: {} }],
      ["resources/list", {}],
      ["resources/read", { uri: "hub://channels" }],
      [
        "completion/complete",
        { ref: { type: "ref/resource", uri: "hub://channels/{channel}" }, argument: { name: "channel", value: "" } },
      ],
    ] as const) {
      const asked = mcpRequest(method, params);
      const { status, text } = await server.request("/mcp", { ...asked, headers: { ...asked.headers, ...headers } });
      assert.equal(status, 200, text);
      assert.match(text, /orders\.us/, method);
      assert.doesNotMatch(text, /secret/, method);
    }
  });

  it("[AUTH-5] the sender of a message is the name of its credential, and is marked as verified", async () => {
    const publish = (token: string, query = ""): ReturnType<TestServer["request"]> =>
      server.request(`/channels/orders.sender/messages${query}`, {
        method: "POST",
        headers: bearer(token),
        body: "x",
      });
    assert.equal((await publish(orders)).status, 201);
    const forged = await publish(orders, "?sender=operator");
    assert.equal(forged.status, 403);
    assert.match(forged.text, /sender is \\"operator\\", and this credential sends as \\"order-service\\"/);
    const bridge = ring.add("bridge", { publish: ["orders.*"], sendAs: true });
    await until("the key counts", async () => (await publish(bridge, "?sender=customer")).status === 201);
    const page = await server.request("/channels/orders.sender/messages", { headers: bearer(orders) });
    const { messages } = page.json() as { messages: readonly { sender: string; verified?: boolean }[] };
    assert.deepEqual(
      messages.map(({ sender, verified }) => [sender, verified]),
      [
        ["order-service", true],
        ["customer", undefined],
      ],
    );
  });

  it("a WebSocket is refused before it opens, and each frame on it", async () => {
    const refused = await server.request("/ws?channel=secret", {
      headers: {
        ...bearer(orders),
        connection: "upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    assert.equal(refused.status, 403);
    const reader = await server.frames("?channel=news", { headers: { authorization: `Bearer ${orders}` } });
    assert.equal((await reader.next())["type"], "welcome");
    for (const frame of [
      { type: "subscribe", channels: ["secret"] },
      { type: "subscribe", channels: ["*"] },
      { type: "publish", channel: "news", data: 1 },
      { type: "mcp_call", tool: "read_messages", arguments: { channel: "secret" } },
      { type: "publish", channel: "orders.eu", data: 1, sender: "operator" },
    ]) {
      reader.ws.send(JSON.stringify({ id: 1, ...frame }));
      const answer = await reader.next();
      assert.deepEqual([answer["type"], answer["code"]], ["error", "FORBIDDEN"], JSON.stringify(frame));
    }
    reader.ws.close();
  });

  it("a WebSocket may send its credential as its first frame, and gets nothing before", async () => {
    const reader = await server.frames("?channel=news");
    reader.ws.send(JSON.stringify({ type: "publish", channel: "orders.eu", data: 1 }));
    assert.equal((await reader.next())["code"], "UNAUTHENTICATED");
    reader.ws.send(JSON.stringify({ type: "auth", token: `${orders}x`, id: 1 }));
    assert.equal((await reader.next())["code"], "UNAUTHENTICATED");
    reader.ws.send(JSON.stringify({ type: "auth", token: orders, id: 2 }));
    assert.deepEqual(await reader.next(), { type: "authenticated", id: 2, subject: "order-service" });
    assert.equal((await reader.next())["type"], "welcome");
    reader.ws.close();
  });

  it("[AUTH-8] an idempotency key of one principal does not answer another", async () => {
    const both = [orders, admin].map((token) =>
      server.request("/channels/orders.key/messages", {
        method: "POST",
        headers: { ...bearer(token), "idempotency-key": "same" },
        body: "x",
      }),
    );
    const [first, second] = await Promise.all(both);
    assert.deepEqual([first?.status, second?.status], [201, 201]);
    const again = await server.request("/channels/orders.key/messages", {
      method: "POST",
      headers: { ...bearer(orders), "idempotency-key": "same" },
      body: "x",
    });
    assert.equal(again.status, 200);
    assert.equal(again.text, first?.text);
  });

  it("two credentials in one request are 400", async () => {
    const answer = await server.request("/channels", { headers: { ...bearer(orders), "x-api-key": admin } });
    assert.equal(answer.status, 400);
    assert.equal(answer.headers["www-authenticate"], 'Bearer error="invalid_request"');
    assert.equal((await server.request("/channels", { headers: { "x-api-key": orders } })).status, 200);
  });

  it("what is public stays so", async () => {
    for (const path of ["/", "/chat", "/dashboard", "/health", "/docs", "/openapi.json", "/client.js"]) {
      const { status } = await server.request(path, { headers: bearer("nonsense") });
      assert.equal(status, 200, path);
    }
  });

  it("[AUTH-6] an admin reads what was refused, and never the credential", async () => {
    await using own = await startServer({ apiKeysFile: ring.path });
    const reader = await EventReader.open(`${own.url}/events?channel=hub.audit`, { headers: bearer(admin) });
    await own.request("/channels", { headers: bearer("hub_AAAAAAAA_secretsecretsecretsecretsecretsecretsecret1") });
    const event = await reader.next();
    assert.equal(event.event, "audit");
    assert.match(event.data, /credential_refused/);
    assert.doesNotMatch(event.data, /secretsecret/);
    reader.close();
  });

  it("of someone without a credential, if they are all that is configured, are all that anyone has", async () => {
    await using open = await startServer({ anonymousSubscribe: ["news"] });
    const publish = await open.request("/channels/news/messages", { method: "POST", body: "x" });
    assert.equal(publish.status, 401);
    assert.equal((await open.request("/channels/news/messages")).status, 200);
    assert.equal((await open.request("/channels/secret/messages")).status, 401);
    assert.equal((await open.request("/metrics")).status, 401);
    await assert.rejects(
      startServer({ auth: "none", anonymousSubscribe: ["news"] }),
      /AUTH is none, .+ANONYMOUS_SUBSCRIBE/,
    );
  });
});

import assert from "node:assert/strict";
import type { OutgoingHttpHeaders } from "node:http";
import { describe, it } from "node:test";
import type { OpenConnection } from "../../src/protocol/open-connection.ts";
import { CLOSE_CODES } from "../../src/protocol/ws-frames.ts";
import { KeyRing } from "../support/keys.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { mcpRequest } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

interface Page {
  readonly connections: readonly OpenConnection[];
  readonly next: string | null;
  readonly total: number;
}

async function listed(server: TestServer, query = "", headers: OutgoingHttpHeaders = {}): Promise<Page> {
  const answer = await server.request(`/connections${query}`, { headers });
  assert.equal(answer.status, 200, answer.text);
  return answer.json() as Page;
}

/** The only one that is open at a door, once it is. */
async function only(server: TestServer, door: string): Promise<OpenConnection> {
  let found: readonly OpenConnection[] = [];
  await until(`one is open at ${door}`, async () => {
    found = (await listed(server, `?door=${door}`)).connections;
    return found.length === 1;
  });
  return found[0] as OpenConnection;
}

async function ended(server: TestServer, { id }: OpenConnection): Promise<void> {
  const answer = await server.request(`/connections/${id}`, { method: "DELETE" });
  assert.deepEqual([answer.status, answer.text], [204, ""]);
  assert.equal((await server.request(`/connections/${id}`)).status, 404);
}

describe("GET /connections", { concurrency: true }, () => {
  it("[OPS-25] has who reads what, from where, since when, and how much it has taken", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=orders.*,news", { headers: { "user-agent": "curl/8.5.0" } });
    await server.publish("orders.eu", "x".repeat(1000));
    await reader.next();
    const { connections, next, total } = await listed(server);
    const [one] = connections;
    assert.deepEqual([connections.length, next, total], [1, null, 1]);
    assert.ok(one !== undefined);
    const { id, since, deliveredBytes, ...rest } = one;
    assert.deepEqual(rest, {
      door: "sse",
      subject: "anyone",
      address: "127.0.0.1",
      client: "curl/8.5.0",
      channels: ["orders.*", "news"],
      watches: false,
      pendingBytes: 0,
    });
    assert.ok(Math.abs(Date.parse(since) - Date.now()) < 60_000, since);
    assert.ok((deliveredBytes ?? 0) > 1000 && (deliveredBytes ?? 0) < 3000, String(deliveredBytes));
    assert.deepEqual((await server.request(`/connections/${id}`)).json(), one);
    reader[Symbol.dispose]();
    await until("it is gone", async () => (await listed(server)).total === 0);
  });

  it("[OPS-25] has every door: streams of both eras of MCP, calls that wait, and readers that watch", async () => {
    await using server = await startServer();
    using frames = await server.frames("?channel=a&watch=true");
    await frames.nextOf("welcome");
    const listen = mcpRequest("subscriptions/listen", {
      notifications: { resourceSubscriptions: ["hub://channels/orders.eu"] },
    });
    const listening = server.request("/mcp", listen);
    const waiting = server.call("wait_for_messages", { channels: ["b"], timeoutSeconds: 30 });
    const client = await LegacyClient.open(server);
    using stream = await client.listen();
    assert.equal(stream.status, 200);
    const doors = ["websocket", "listen", "waiting", "mcp"];
    const found = new Map<string, OpenConnection>();
    for (const door of doors) found.set(door, await only(server, door));
    assert.deepEqual([found.get("websocket")?.watches, found.get("websocket")?.channels], [true, ["a"]]);
    assert.deepEqual(found.get("listen")?.channels, ["orders.eu"]);
    assert.deepEqual([found.get("waiting")?.channels, found.get("waiting")?.pendingBytes], [["b"], null]);
    assert.equal((await listed(server)).total, 4);
    for (const door of doors) await ended(server, found.get(door) as OpenConnection);
    assert.deepEqual((await waiting).structuredContent["messages"], []);
    assert.equal((await listening).status, 200);
    assert.equal((await frames.closed).code, CLOSE_CODES.ended);
    await until("all have gone", async () => (await listed(server)).total === 0);
  });

  it("[OPS-25] comes a page at a time, and filtered by a channel that a pattern may cover", async () => {
    await using server = await startServer();
    const queries = ["?channel=orders.eu", "?channel=orders.*", "?channel=*", "?channel=news"];
    const readers = await Promise.all(queries.map((query) => server.events(query)));
    await until("all are there", async () => (await listed(server)).total === 4);
    const first = await listed(server, "?limit=3");
    assert.equal(first.connections.length, 3);
    const rest = await listed(server, `?limit=3&after=${first.next}`);
    assert.deepEqual([rest.connections.length, rest.next], [1, null]);
    assert.equal(new Set([...first.connections, ...rest.connections].map(({ id }) => id)).size, 4);
    const onEurope = (await listed(server, "?channel=orders.eu")).connections.flatMap(({ channels }) => channels);
    assert.deepEqual([...onEurope].sort(), ["*", "orders.*", "orders.eu"]);
    for (const reader of readers) reader[Symbol.dispose]();
  });

  it("refuses what it does not know with a sentence", async () => {
    await using server = await startServer();
    for (const [query, rule] of [
      ["?door=ftp", /door/],
      ["?limit=1001", /limit/],
      ["?after=nothing", /^after is "nothing"; give next of the page before/],
      ["?channel=orders.*", /channel/i],
      ["?readers=1", /readers/],
    ] as const) {
      const answer = await server.request(`/connections${query}`);
      assert.equal(answer.status, 400, query);
      assert.match((answer.json() as { detail: string }).detail, rule);
    }
    for (const id of ["other-1", "x", "%00"]) {
      const answer = await server.request(`/connections/${id}`, { method: "DELETE" });
      assert.equal(answer.status, 404, id);
    }
  });
});

describe("DELETE /connections/{id}", { concurrency: true }, () => {
  it("[OPS-26] ends a stream so that its client comes back and misses nothing", async () => {
    await using server = await startServer();
    using first = await server.events();
    const { id } = await server.publish("default", "before");
    await first.next();
    await ended(server, await only(server, "sse"));
    await first.ended;
    assert.match(first.comments.join(), /ended by an admin/);
    await server.publish("default", "meanwhile");
    using again = await server.events("", { lastEventId: id });
    assert.equal((await again.next()).data, "meanwhile");
  });

  it("[OPS-26] is for admins, and says in hub.audit who ended whose", async () => {
    using ring = new KeyRing();
    const operator = { authorization: `Bearer ${ring.add("operator", { admin: true })}` };
    const reader = { authorization: `Bearer ${ring.add("order-service", { subscribe: ["orders.*"] })}` };
    await using server = await startServer({ apiKeysFile: ring.path });
    using audit = await server.events("?channel=hub.audit&format=json", { headers: operator });
    using orders = await server.events("?channel=orders.eu", { headers: reader });
    const { connections } = await listed(server, "?channel=orders.eu", operator);
    assert.deepEqual(
      connections.map(({ subject }) => subject),
      ["order-service"],
    );
    const path = `/connections/${connections[0]?.id}`;
    for (const method of ["GET", "DELETE"]) {
      assert.equal((await server.request(path, { method, headers: reader })).status, 403);
      assert.equal((await server.request(path, { method })).status, 401);
    }
    assert.equal((await server.request(path, { method: "DELETE", headers: operator })).status, 204);
    await orders.ended;
    const { data } = JSON.parse((await audit.next()).data) as { data: Record<string, unknown> };
    assert.deepEqual([data["action"], data["subject"], data["by"]], ["connection_ended", "order-service", "operator"]);
    assert.match(String(data["reason"]), /^the connection \S+ \(sse, from 127\.0\.0\.1\) was ended$/);
  });
});

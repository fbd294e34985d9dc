import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ParticipantList } from "../src/protocol/participant.ts";
import type { ServerOptions } from "../src/server.ts";
import { Cli, runCli } from "./support/cli.ts";
import { RefusedUpgrade } from "./support/frame-reader.ts";
import { LegacyClient } from "./support/legacy-client.ts";
import { listOf, participant } from "./support/participants.ts";
import { KeyRing } from "./support/keys.ts";
import { needsEngine, startEngine } from "./support/redis.ts";
import type { Answer } from "./support/request.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { until } from "./support/until.ts";

interface Status {
  readonly id: string;
  readonly address: string;
  readonly draining: boolean;
}

/** Two servers on one engine, which know of one another. */
async function startTwo(url: string, options: ServerOptions = {}, other: ServerOptions = {}) {
  const a = await startServer({ data: url, ...options });
  const b = await startServer({ data: url, ...options, ...other });
  return { a, b };
}

async function nodesOf(server: TestServer): Promise<readonly Status[]> {
  return (await server.call("get_server_info")).structuredContent["nodes"] as Status[];
}

async function knowEachOther(a: TestServer, b: TestServer): Promise<void> {
  await until("they know each other", async () =>
    [await nodesOf(a), await nodesOf(b)].every((nodes) => nodes.length === 2),
  );
}

async function readersOf(server: TestServer, channel: string): Promise<number> {
  const { channels } = (await server.request(`/channels?pattern=${channel}`)).json() as {
    channels: { readers: number }[];
  };
  return channels[0]?.readers ?? 0;
}

async function statusOf(opening: Promise<Disposable>): Promise<number> {
  try {
    using _ = await opening;
    return 101;
  } catch (error) {
    if (error instanceof RefusedUpgrade) return error.status;
    throw error;
  }
}

function withKey(key: string): { readonly headers: Record<string, string> } {
  return { headers: { "x-api-key": key } };
}

async function ticketFrom(server: TestServer, key: string): Promise<string> {
  const answer = await server.request("/tickets", { method: "POST", ...withKey(key), body: "{}" });
  assert.equal(answer.status, 201);
  return (answer.json() as { ticket: string }).ticket;
}

describe("nodes on one engine", { concurrency: true }, () => {
  it("end with code 1 and a sentence if their signing key is damaged, and leave nothing open", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await engine.cli("SET", "{hub}:value:secret", "damaged");
    const failed = await runCli(["--port", "0", "--data", engine.url]);
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /^sse-mcp-server: The signing key that the nodes share .* delete it and restart the nodes$/m,
    );
    await engine.cli("DEL", "{hub}:value:secret");
    await using server = await startServer({ data: engine.url });
    await server.publish("orders.eu", "hello");
  });

  it("[PUB-30] count one another's readers in receipts and lists, and their metrics say how many nodes there are", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url);
    await using _a = a;
    await using _b = b;
    using onA = await a.events("?channel=orders.eu");
    using first = await b.events("?channel=orders.eu");
    using second = await b.frames("?channel=orders.*");
    using looksOn = await b.events("?channel=orders.eu&watch=true");
    await until("a knows of b's readers", async () => (await readersOf(a, "orders.eu")) === 3);
    await until("b knows of a's reader", async () => (await readersOf(b, "orders.eu")) === 3);
    const { receivers } = await a.publish("orders.eu", "hello");
    assert.equal(receivers, 3);
    for (const reader of [onA, first, looksOn]) assert.equal((await reader.next()).data, "hello");
    assert.equal((await second.nextOf("message"))["data"], "hello");
    for (const server of [a, b]) {
      await until("its metrics say that there are two", async () => (await server.metric("sse_mcp_hub_nodes")) === 2);
    }
    assert.deepEqual(
      [await a.metric("sse_mcp_messages_published_total"), await b.metric("sse_mcp_messages_published_total")],
      [1, 0],
    );
    assert.deepEqual(
      [await a.metric("sse_mcp_messages_delivered_total"), await b.metric("sse_mcp_messages_delivered_total")],
      [1, 2],
    );
  });

  it("[NAME-20] carry the presence of readers, and other ephemeral messages, to readers of all nodes", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url);
    await using _a = a;
    await using _b = b;
    using reader = await b.frames("?channel=hub.presence.lobby&channel=lobby");
    await reader.nextOf("welcome");
    using writer = await a.frames("?channel=lobby");
    for (const channel of ["hub.presence.lobby", "lobby"]) {
      writer.send({ type: "publish", channel, data: `here on ${channel}`, ephemeral: true, id: 1 });
      const { data, id } = await reader.nextOf("message");
      assert.deepEqual([data, id ?? undefined], [`here on ${channel}`, undefined]);
    }
  });

  it("[FILE-6] take no files, and say why: what one keeps would be missing on the others", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url);
    await using _a = a;
    await using _b = b;
    for (const answer of [await a.request("/files", { method: "POST", body: "x" }), await b.request("/files/x")]) {
      const { code, detail, retry } = answer.json() as { code: string; detail: string; retry: boolean };
      assert.deepEqual([answer.status, code, retry], [501, "NOT_SUPPORTED", false]);
      assert.match(detail, /^This hub has its log on Redis and takes no files/);
    }
  });

  it("[HIST-6] know the address of a message that another of them has just given out", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url);
    await using _a = a;
    await using _b = b;
    for (let n = 0; n < 20; n++) {
      const { id } = await a.publish("orders", n);
      const answer = await b.request(`/channels/orders/messages/${id}`);
      assert.deepEqual([answer.status, (answer.json() as { data: unknown }).data], [200, n]);
    }
  });

  it("[HERE-10] list the participants of all of them, each once, and forget those of one that stops", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url);
    await using _a = a;
    await using _b = b;
    using _service = await b.events("?channel=orders.eu");
    const agents = await Promise.all([a, b].map((server) => LegacyClient.open(server)));
    using _first = await agents[0]?.listen();
    using _second = await agents[1]?.listen();
    for (const server of [a, b]) {
      const agent = await participant(server, "test", ({ nodes }) => nodes.length === 2);
      assert.equal(agent.state, "connected");
      assert.equal((await listOf(server)).total, 2);
    }
    using told = await a.events("?channel=hub.presence");
    assert.equal((JSON.parse((await told.next()).data) as ParticipantList).total, 2);
    await b.close();
    await participant(a, "test", ({ nodes }) => nodes.length === 1);
    assert.equal((await listOf(a)).total, 1);
  });

  it("[NAME-6] tell on hub.stats what the node of the reader does, and list all", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url);
    await using _a = a;
    await using _b = b;
    await knowEachOther(a, b);
    const ids = await Promise.all([a, b].map(async (server) => (await nodesOf(server))[0]?.id));
    using reader = await b.events("?channel=hub.stats");
    for (let count = 0; count < 2; count++) {
      const { node, nodes } = JSON.parse((await reader.next()).data) as { node: string; nodes: Status[] };
      assert.equal(node, ids[1]);
      assert.deepEqual(new Set(nodes.map(({ id }) => id)), new Set(ids));
    }
  });

  it("forget one that was killed, and its readers, within twenty seconds", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using a = await startServer({ data: engine.url });
    await using killed = new Cli(["--port", "0", "--data", engine.url]);
    const url = await killed.url();
    const aborted = new AbortController();
    const stream = fetch(`${url}/events?channel=orders.eu`, { signal: aborted.signal });
    await until("a knows of its reader", async () => (await readersOf(a, "orders.eu")) === 1);
    const isListed = ({ address }: Status): boolean => address.endsWith(`:${new URL(url).port}`);
    await until("it is listed", async () => (await nodesOf(a)).some(isListed));
    const start = performance.now();
    killed.kill("SIGKILL");
    aborted.abort();
    await stream.catch(() => {});
    await until("it is forgotten", async () => (await nodesOf(a)).length === 1);
    assert.ok(performance.now() - start < 20_000, `${performance.now() - start} ms`);
    assert.equal((await a.publish("orders.eu", 1)).receivers, 0);
  });

  it("keep what they know of one another while the engine is away", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url);
    await using _a = a;
    await using _b = b;
    using _reader = await b.events("?channel=orders.eu");
    await knowEachOther(a, b);
    await until("a knows of b's reader", async () => (await readersOf(a, "orders.eu")) === 1);
    await engine.kill("SIGSTOP");
    // Longer than it takes to forget a node that is silent.
    const end = performance.now() + 17_000;
    await until("time is over", async () => {
      assert.equal((await nodesOf(a)).length, 2);
      assert.equal(await readersOf(a, "orders.eu"), 1);
      return performance.now() > end;
    });
    await engine.kill("SIGCONT");
    const publish = { method: "POST", body: "1" };
    await until("a publishes again, with both readers", async () => {
      const answer = await a.request("/channels/orders.eu/messages", publish);
      return answer.status === 201 && (answer.json() as { receivers: number }).receivers === 1;
    });
    assert.equal((await nodesOf(b)).length, 2);
  });

  it("list one that stops as draining, and forget it when it is gone", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url, { drainWait: 2 });
    await using _a = a;
    await knowEachOther(a, b);
    const closed = b.close();
    await until("it drains", async () => (await nodesOf(a))[1]?.draining === true);
    await closed;
    await until("it is gone", async () => (await nodesOf(a)).length === 1, 5000);
  });

  it("[BRW-8] take a ticket that another gave, once among all of them, and not from a key that is gone", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    using keys = new KeyRing();
    const [ann, bob] = [keys.add("ann", { subscribe: ["*"] }), keys.add("bob", { subscribe: ["*"] })];
    const { a, b } = await startTwo(engine.url, { apiKeysFile: keys.path });
    await using _a = a;
    await using _b = b;
    const ticket = await ticketFrom(a, ann);
    assert.ok((await engine.cli("--scan")).includes("ticket:"));
    assert.ok(!(await engine.cli("--scan")).includes(ticket));
    const found = await Promise.all([b, a, b].map((server) => statusOf(server.frames(`?channel=x&ticket=${ticket}`))));
    assert.deepEqual(found.map(String).sort(), ["101", "401", "401"]);
    const late = await ticketFrom(a, bob);
    keys.revoke("bob");
    await until("b refuses bob", async () => (await b.request("/channels", withKey(bob))).status === 401);
    assert.equal(await statusOf(b.frames(`?ticket=${late}`)), 401);
  });

  it("[BRW-8] answer 503 to a ticket while the engine is away, and take another afterwards", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    using keys = new KeyRing();
    const ann = keys.add("ann", { subscribe: ["*"] });
    await using server = await startServer({ data: engine.url, apiKeysFile: keys.path });
    const ticket = await ticketFrom(server, ann);
    await engine.kill("SIGSTOP");
    assert.equal(await statusOf(server.frames(`?channel=x&ticket=${ticket}`)), 503);
    await engine.kill("SIGCONT");
    const ask = { method: "POST", ...withKey(ann), body: "{}" };
    await until("tickets are given again", async () => (await server.request("/tickets", ask)).status === 201);
    assert.equal(await statusOf(server.frames(`?channel=x&ticket=${await ticketFrom(server, ann)}`)), 101);
  });

  it("[KEY-4] refuse a key that one of them no longer has, end what is open by it, and so does one that starts later", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    using keys = new KeyRing();
    const key = keys.add("ann", { subscribe: ["*"] });
    using old = keys.copy();
    const { a, b } = await startTwo(engine.url, { apiKeysFile: keys.path }, { apiKeysFile: old.path });
    await using _a = a;
    await using _b = b;
    using stream = await b.frames("?channel=orders.eu", withKey(key));
    await stream.nextOf("welcome");
    const isRefused = async (server: TestServer): Promise<boolean> =>
      (await server.request("/channels", withKey(key))).status === 401;
    assert.deepEqual([await isRefused(a), await isRefused(b)], [false, false]);
    const begun = await a.request("/session", { method: "POST", ...withKey(key) });
    const [cookie = ""] = String(begun.headers["set-cookie"]).split(";");
    const inSession = { headers: { cookie } };
    assert.equal((await b.request("/channels", inSession)).status, 200);
    keys.revoke("ann");
    await until("both refuse it", async () => (await isRefused(a)) && (await isRefused(b)));
    assert.equal((await stream.closed).code, 4104);
    for (const server of [a, b]) assert.equal((await server.request("/channels", inSession)).status, 401);
    await using c = await startServer({ data: engine.url, apiKeysFile: old.path });
    assert.equal(await isRefused(c), true);
  });

  it("[LIM-9] share the limits of each caller", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const { a, b } = await startTwo(engine.url, { rateLimits: "on", limitPublishes: 2 });
    await using _a = a;
    await using _b = b;
    const publish = (server: TestServer): Promise<Answer> =>
      server.request("/channels/a/messages", { method: "POST", body: "1" });
    for (let count = 0; count < 15; count++) assert.equal((await publish(a)).status, 201);
    let onB = 0;
    await until("b refuses, too", async () => {
      const { status } = await publish(b);
      if (status === 201) onB++;
      return status === 429;
    });
    assert.ok(onB < 20, `${onB} of 20 were let in on b, after 15 on a`);
  });
});

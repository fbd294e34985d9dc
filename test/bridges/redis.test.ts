import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Outgoing } from "../../src/bridges/bus.ts";
import { redis } from "../../src/bridges/kinds/redis.ts";
import type { RedisIn, RedisOut } from "../../src/bridges/kinds/redis/rules.ts";
import { runCli } from "../support/cli.ts";
import { freePort } from "../support/free-port.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { startRedisStreams } from "../support/buses/redis-streams.ts";
import { Engine, needsEngine, startEngine } from "../support/redis.ts";
import { describeBridge } from "./bridge.suite.ts";
import { HubProcess } from "./hub-process.ts";

describeBridge("a bridge to Redis streams", {
  needs: (test) => needsEngine(test),
  start: startRedisStreams,
  prefix: "ce_",
  isDurable: true,
});

function outgoing(id: string, channel: string): Outgoing {
  return { id, headers: {}, body: Buffer.from(id), names: { channel, event: "message", sender: "me", id } };
}

describe("a bridge", () => {
  it("is checked without a change on the bus: what it would make of a message, and what is wrong", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    await server.declare("orders");
    await server.send("orders", [
      { headers: {}, contentType: "application/json", body: Buffer.from('{"n":1}'), key: "eu" },
    ]);
    const rules = [
      { ...server.incoming("orders"), channel: "orders.${key}" },
      { ...server.incoming("none"), channel: "x" },
    ];
    const bridge = { name: "shop", kind: "redis", connection: server.connection, in: rules };
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("bridges.json"), JSON.stringify({ bridges: [bridge] }));
    const cli = await runCli(["bridges", "check", "--bridges-file", folder.file("bridges.json")]);
    assert.equal(cli.code, 1);
    assert.equal(
      cli.stdout,
      'shop: connected\nshop: in[0]: would publish on orders.eu: event message, sender shop, data {"n":1}\n' +
        "shop: in[1]: Redis has no stream none; create it, or set declare: true in the rule\n",
    );
    assert.equal(await server.waiting("orders"), undefined, "no group was made");
    await server.kill();
    const away = await runCli(["bridges", "check"], {
      env: { BRIDGES: JSON.stringify([{ ...bridge, in: [rules[0]] }]) },
    });
    assert.equal(away.code, 1);
    assert.match(away.stdout, /^shop: Redis: .*ECONNREFUSED/);
    const none = await runCli(["bridges", "check"]);
    assert.deepEqual(
      [none.code, none.stderr],
      [1, "sse-mcp-server: No bridge is configured; give --bridges-file or BRIDGES\n"],
    );
  });

  it("leaves out nothing of a stream that is made while it waits for it, or made again", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    const bridge = {
      name: "orders",
      kind: "redis",
      connection: server.connection,
      in: [{ stream: "orders", channel: "orders" }],
    };
    await using hub = await HubProcess.start([bridge]);
    await until("it has looked", () => hub.output.includes("Redis has no stream orders"));
    const order = (number: number): { headers: {}; body: Uint8Array } => ({
      headers: {},
      body: Buffer.from(`{"n":${number}}`),
    });
    await server.send("orders", [order(1)]);
    const has = (count: number) => async (): Promise<boolean> => (await hub.history("orders")).length === count;
    await until("the first is there", has(1));
    await server.flush();
    await server.send("orders", [order(2), order(3)]);
    await until("those of the new stream are there", has(3));
    assert.deepEqual(
      (await hub.history("orders")).map(({ data }) => data),
      [{ n: 1 }, { n: 2 }, { n: 3 }],
    );
    assert.match(hub.output, /bridge orders: running again/);
  });

  it("takes an entry without the field of the payload as an object of all its fields", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    await server.declare("orders");
    const bridge = {
      name: "orders",
      kind: "redis",
      connection: server.connection,
      in: [{ ...server.incoming("orders"), channel: "orders" }],
    };
    await using hub = await HubProcess.start([bridge]);
    await server.add("orders", { order: "17", total: "12 €" });
    await until("it is there", async () => (await hub.history("orders")).length === 1);
    assert.deepEqual((await hub.history("orders"))[0]?.data, { order: "17", total: "12 €" });
  });

  it("makes the server unhealthy while it does not run, only if it is required", async (t) => {
    if (!needsEngine(t)) return;
    const port = await freePort();
    const bridge = (name: string, required: boolean): object => ({
      name,
      kind: "redis",
      connection: `redis://127.0.0.1:${port}`,
      in: [{ stream: "s", channel: "a", declare: true }],
      required,
    });
    await using easy = await HubProcess.start([bridge("easy", false)]);
    const healthOf = async (hub: HubProcess): Promise<unknown> => {
      const answer = await fetch(`${hub.url}/health`);
      const { checks } = (await answer.json()) as { checks: { bridges: string } };
      return [answer.status, checks.bridges];
    };
    assert.deepEqual(await healthOf(easy), [200, "easy is connecting"]);
    await using strict = await HubProcess.start([bridge("strict", true)]);
    assert.deepEqual(await healthOf(strict), [503, "strict is connecting"]);
    await using engine = new Engine(port, {});
    await engine.restart();
    await until("both run", async () =>
      [await healthOf(easy), await healthOf(strict)].every((health) => JSON.stringify(health) === '[200,"ok"]'),
    );
  });

  it("reads fewer entries at once if they are large", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    await server.declare("heavy");
    const big = Array.from({ length: 100 }, (_, index) => ({ body: Buffer.alloc(500_000, `${index} `), headers: {} }));
    await server.send("heavy", big);
    const bus = await redis.connect(server.connection, { bridge: "test", node: "n1", report: () => {} });
    try {
      const rule = redis.in.parse({ stream: "heavy", from: "earliest" }) as unknown as RedisIn;
      const counts: number[] = [];
      const seen: number[] = [];
      for await (const batch of (await bus.source(rule)).batches()) {
        counts.push(batch.messages.length);
        seen.push(...batch.messages.map(({ body }) => Number.parseInt(Buffer.from(body ?? []).toString(), 10)));
        await batch.settle(batch.messages.map(() => "done"));
        if (seen.length === 100) break;
      }
      assert.deepEqual(seen, [...Array(100).keys()]);
      // Four megabytes, but for the first read, which cannot know their size.
      assert.ok(
        counts.slice(1).every((count) => count <= 8),
        counts.join(" "),
      );
    } finally {
      await bus.close();
    }
  });

  it("reads fewer entries at once if they have many fields", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    await server.declare("wide");
    const headers = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [String(index), ""]));
    await server.send(
      "wide",
      Array.from({ length: 200 }, () => ({ body: Buffer.alloc(0), headers })),
    );
    const bus = await redis.connect(server.connection, { bridge: "test", node: "n1", report: () => {} });
    const rule = redis.in.parse({ stream: "wide", from: "earliest" }) as unknown as RedisIn;
    const counts: number[] = [];
    for await (const batch of (await bus.source(rule)).batches()) {
      counts.push(batch.messages.length);
      await batch.settle(batch.messages.map(() => "done"));
      if (counts.length === 3) break;
    }
    // The first read cannot know what they take.
    assert.ok(counts.slice(1).every((count) => count <= 20), counts.join(" ")); // prettier-ignore
    await bus.close();
  });

  it("refuses a message for a stream that it may not write, and sends the others", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    await server.allow("picky", "word", "open");
    const connection = server.connection.replace("redis://", "redis://picky:word@");
    const bus = await redis.connect(connection, { bridge: "test", node: "n1", report: () => {} });
    try {
      const target = await bus.target(redis.out.parse({ stream: "${channel}" }) as unknown as RedisOut);
      const results = await target.send(["open", "closed", "open"].map((channel) => outgoing("1", channel)));
      assert.deepEqual([results[0], results[2]], [undefined, undefined]);
      assert.match(results[1]?.message ?? "", /^NOPERM/);
      // If all messages go to one stream, they wait until it is allowed.
      const fixed = await bus.target(redis.out.parse({ stream: "closed" }) as unknown as RedisOut);
      await assert.rejects(fixed.send([outgoing("2", "open")]), /NOPERM/);
    } finally {
      await bus.close();
    }
  });

  it("refuses a message that has no value for its stream", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    const bus = await redis.connect(server.connection, { bridge: "b", node: "n1", report: () => {} });
    const target = await bus.target(redis.out.parse({ stream: "from-${sender}" }) as unknown as RedisOut);
    const nameless = { ...outgoing("1", "a"), names: { channel: "a", sender: "" } };
    const results = await target.send([nameless, outgoing("2", "a")]);
    assert.deepEqual(
      results.map((error) => error?.message),
      ["it has no value for a placeholder of its stream, from-${sender}", undefined],
    );
    await bus.close();
  });

  it("goes on at another node when the one that sends stands still, and loses nothing", async (t) => {
    if (!needsEngine(t)) return;
    await using server = await startRedisStreams();
    await using engine = await startEngine();
    await server.declare("out");
    const bridge = {
      name: "alerts",
      kind: "redis",
      connection: server.connection,
      out: [{ ...server.outgoing("out"), channels: ["alerts"] }],
    };
    const env = { DATA: engine.url };
    await using one = await HubProcess.start([bridge], env);
    await using receiver = await server.receive("out");
    const idsSeen = (): readonly string[] => [
      ...new Set(receiver.messages.map(({ headers }) => headers["ce_id"] ?? "")),
    ];
    const ids: string[] = [];
    await until("the first one sends", async () => {
      if (receiver.messages.length === 0) ids.push(await one.publish("alerts", ids.length));
      return receiver.messages.length > 0;
    });
    await using two = await HubProcess.start([bridge], env);
    process.kill(one.pid, "SIGSTOP");
    for (let number = 0; number < 50; number++) ids.push(await two.publish("alerts", number));
    await until("the other has taken over", () => idsSeen().includes(ids.at(-1) ?? ""), 60_000);
    process.kill(one.pid, "SIGCONT");
    for (let number = 0; number < 50; number++) ids.push(await two.publish("alerts", number));
    await until("all were sent", () => idsSeen().includes(ids.at(-1) ?? ""), 60_000);
    const first = ids.indexOf(idsSeen()[0] ?? "");
    assert.deepEqual(idsSeen(), ids.slice(first));
  });
});

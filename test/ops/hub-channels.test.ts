import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BridgeStatus } from "../../src/protocol/bridge-status.ts";
import type { ParticipantList } from "../../src/protocol/participant.ts";
import { Recent } from "../../src/ops/recent.ts";
import type { Figures, RecentActivity, ServerInfo } from "../../src/protocol/server-info.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

describe("hub.bridges", { concurrency: true }, () => {
  it("[NAME-5] tells once a second how each bridge does, to whoever reads it by its name", async () => {
    const bridge = { name: "away", kind: "redis", connection: "redis://127.0.0.1:1" };
    await using server = await startServer({ bridges: [{ ...bridge, out: [{ channels: ["b"], stream: "b" }] }] });
    using reader = await server.events("?channel=hub.bridges");
    const { event, data } = await reader.next();
    const { node, time, bridges } = JSON.parse(data) as { node: string; time: string; bridges: BridgeStatus[] };
    assert.deepEqual([event, bridges.map(({ name, kind }) => [name, kind])], ["bridges", [["away", "redis"]]]);
    assert.match(node, /^[a-z\d]{10}$/);
    const next = JSON.parse((await reader.next()).data) as { time: string };
    assert.ok(next.time > time);
  });
});

describe("GET /recent", () => {
  it("[OPS-24] has the figures and the log lines from before anyone read them, the oldest first", async () => {
    await using server = await startServer({ logLevel: "warn" });
    const recent = async (): Promise<RecentActivity> => (await server.request("/recent")).json() as RecentActivity;
    await until("three seconds were counted", async () => (await recent()).stats.length >= 3);
    const { stats } = await recent();
    const info = (await server.call("get_server_info")).structuredContent;
    for (const [index, { time, ...figures }] of stats.entries()) {
      assert.ok(index === 0 || time > (stats[index - 1]?.time ?? ""), "they are in order");
      for (const [name, group] of Object.entries(figures)) {
        const known = Object.keys(info[name] as object);
        for (const field of Object.keys(group)) assert.ok(known.includes(field), `${name}.${field} is of hub.stats`);
      }
    }
  });

  it("keeps ten minutes and 500 lines at most", () => {
    const recent = new Recent();
    const time = (second: number): string => new Date(second * 1000).toISOString();
    for (let second = 0; second < 1000; second++) {
      recent.figures({ time: time(second) } as Figures);
      recent.line({ time: time(second), node: "n", level: "info", msg: String(second) });
    }
    const { stats, logs } = recent.activity;
    assert.deepEqual([stats.length, stats[0]?.time, stats.at(-1)?.time], [600, time(400), time(999)]);
    assert.deepEqual([logs.length, logs[0]?.msg, logs.at(-1)?.msg], [500, "500", "999"]);
  });
});

describe("hub.stats", () => {
  it("[NAME-5] tells once a second what get_server_info answers, to whoever reads it by its name", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=hub.stats&format=json");
    using everything = await server.events("?channel=*");
    const { event, data } = await reader.next();
    const { channel, sender, id, data: told } = JSON.parse(data) as Record<string, unknown>;
    assert.deepEqual([event, channel, sender, id], ["stats", "hub.stats", "hub", null]);
    const { structuredContent } = await server.call("get_server_info");
    assert.deepEqual(Object.keys(told as object), Object.keys(structuredContent));
    assert.deepEqual((told as { connections: unknown }).connections, structuredContent["connections"]);
    await reader.next();
    assert.doesNotMatch(everything.text, /data:/);
  });

  it("tells how long messages took to their readers, and nothing where none had any", async () => {
    await using server = await startServer();
    using stats = await server.events("?channel=hub.stats");
    using reader = await server.events("?channel=a");
    const quiet = JSON.parse((await stats.next()).data) as ServerInfo;
    assert.deepEqual(quiet.delivery, { p50Ms: null, p99Ms: null });
    await server.publish("a", 1);
    await reader.next();
    const { delivery } = JSON.parse((await stats.next()).data) as ServerInfo;
    assert.ok(delivery.p50Ms !== null && delivery.p99Ms !== null);
    assert.ok(delivery.p50Ms > 0 && delivery.p99Ms >= delivery.p50Ms && delivery.p99Ms < 10_000);
  });

  it("counts as nothing published, is not kept, and is not listed", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=hub.stats");
    await reader.next();
    assert.equal(server.hub.stats.published, 0);
    assert.equal(server.hub.log.size().messages, 0);
    assert.deepEqual((await server.call("list_channels")).structuredContent["channels"], []);
    const history = await server.request("/channels/hub.stats/messages");
    assert.deepEqual((history.json() as { messages: unknown[] }).messages, []);
  });
});

describe("hub.logs", () => {
  it("[NAME-5][NAME-6] tells what the server logs, without what an error carries beside its sentence", async () => {
    using folder = new TemporaryFolder();
    const broken = {
      listing: { name: "broken", description: "Fails", inputSchema: { type: "object" } },
      call: () => Promise.reject(new Error("the password is 1234")),
    };
    const logFile = folder.file("hub.log");
    await using server = await startServer({ logLevel: "info", logFile }, { tools: [broken] });
    using reader = await server.events("?channel=hub.logs");
    const answer = await server.request("/mcp", {
      method: "POST",
      headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "broken" },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: {
          name: "broken",
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      }),
    });
    assert.doesNotMatch(answer.text, /1234/);
    const { event, data } = await reader.next();
    const { time, ...line } = JSON.parse(data) as Record<string, string>;
    assert.equal(event, "log");
    const { node } = (await server.call("get_server_info")).structuredContent;
    assert.deepEqual(line, { node, level: "error", msg: "an MCP method failed" });
    assert.ok(Math.abs(Date.parse(time ?? "") - Date.now()) < 60_000);
  });

  it("tells how many readers were refused and cut, a line a second at most, and that the server stops", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("hub.log");
    const small = { maxConnections: 2, maxPendingBytes: 65_536, drain: 1 };
    await using server = await startServer({ ...small, logLevel: "debug", logFile });
    using reader = await server.events("?channel=hub.logs");
    using slow = await server.wire();
    slow.socket.pause();
    slow.send(["GET /events HTTP/1.1", "Host: localhost"]);
    await until("it reads", () => server.hub.size === 2);
    for (let tries = 0; tries < 3; tries++) assert.equal((await server.request("/events")).status, 503);
    while (server.hub.stats.slow === 0) await server.publish("default", "x".repeat(60_000));
    const told = new Map<string, number>();
    const happened = (): unknown => ["refused", "cut", "came"].map((what) => told.get(what));
    while (told.get("refused") !== 3 || !told.has("cut") || !told.has("came")) {
      const { level, msg = "" } = JSON.parse((await reader.next()).data) as Record<string, string>;
      const [, times, what = ""] = /^(\d+) readers? (?:were |was )?(refused|cut|came)/.exec(msg) ?? [];
      assert.equal(level, what === "came" ? "debug" : "warn", msg);
      told.set(what, (told.get(what) ?? 0) + Number(times));
    }
    assert.deepEqual(happened(), [3, 1, 2]);
    void server.close();
    const last = JSON.parse((await reader.next()).data) as Record<string, string>;
    assert.deepEqual([last["level"], last["msg"]], ["info", "stopping: 1 reader is ended within 1 s"]);
  });

  it("tells how many MCP sessions were ended to make room for others", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ maxSessions: 1, logLevel: "info", logFile: folder.file("hub.log") });
    using reader = await server.events("?channel=hub.logs");
    for (let session = 0; session < 3; session++) await LegacyClient.open(server);
    let told = 0;
    while (told < 2) {
      const { level, msg = "" } = JSON.parse((await reader.next()).data) as Record<string, string>;
      assert.match(`${level} ${msg}`, /^warn \d MCP sessions? (?:was|were) ended to make room/);
      told += Number.parseInt(msg, 10);
    }
    assert.equal(told, 2);
  });
});

describe("hub.presence", { concurrency: true }, () => {
  it("[NAME-7] tells a reader who is here at once, and then when that changes, at most once a second", async () => {
    await using server = await startServer();
    using orders = await server.events("?channel=orders");
    using reader = await server.events("?channel=hub.presence&format=json");
    using everything = await server.events("?channel=*");
    using bare = await server.events();
    const told = async (): Promise<Record<string, unknown>> => JSON.parse((await reader.next()).data) as never;
    const first = await told();
    assert.deepEqual(
      [first["channel"], first["event"], first["id"], first["sender"]],
      ["hub.presence", "presence", null, "hub"],
    );
    const { time, node, participants, total, more } = first["data"] as ParticipantList & { time: string; node: string };
    assert.deepEqual([total, more, participants.length], [3, false, 3]);
    assert.equal(participants[0]?.nodes[0], node);
    using late = await server.events("?channel=hub.presence");
    assert.equal((JSON.parse((await late.next()).data) as ParticipantList).total, 3);
    orders.close();
    let after = first["data"] as ParticipantList & { time: string };
    while (after.total === 3) after = (await told())["data"] as typeof after;
    assert.equal(after.total, 2);
    assert.ok(Date.parse(after.time) - Date.parse(time) >= 1000);
    assert.equal(server.hub.stats.published, 0);
    assert.equal(server.hub.log.size().messages, 0);
    assert.doesNotMatch(everything.text + bare.text, /data:/);
  });
});

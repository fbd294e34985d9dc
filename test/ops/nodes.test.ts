import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hub } from "../../src/core/hub.ts";
import { Participants } from "../../src/core/participants.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { Nodes } from "../../src/ops/nodes.ts";
import type { NodeStatus } from "../../src/protocol/server-info.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { SharedNode } from "../support/shared-node.ts";
import { TestSink } from "../support/test-sink.ts";
import { until } from "../support/until.ts";

/** A hub with its readers, as one of several nodes. */
class TestNode implements AsyncDisposable {
  readonly shared: SharedNode;
  readonly nodes: Nodes;
  readonly hub: Hub;
  readonly reports: string[];
  readonly participants: Participants;
  draining = false;

  private constructor(shared: SharedNode, nodes: Nodes, hub: Hub, reports: string[]) {
    this.shared = shared;
    this.nodes = nodes;
    this.hub = hub;
    this.reports = reports;
    this.participants = new Participants(shared.node);
  }

  static async start(store: LocalStore, name: string): Promise<TestNode> {
    const shared = new SharedNode(store, name);
    const reports: string[] = [];
    const nodes = new Nodes(shared, (sentence) => reports.push(sentence));
    const hub = await openHub(new MemoryLog(FOREVER), { remoteReaders: nodes.remoteReaders });
    const node = new TestNode(shared, nodes, hub, reports);
    nodes.start({ index: hub.index, status: () => node.status, participants: node.participants });
    return node;
  }

  get status(): NodeStatus {
    return {
      id: this.shared.node,
      address: "machine:8000",
      version: "1.2.3",
      started: "2026-01-01T00:00:00.000Z",
      connections: this.hub.size,
      publishedPerSecond: 0,
      deliveredPerSecond: 0,
      draining: this.draining,
    };
  }

  /** Readers of a channel on the other nodes. */
  others(channel: string): number {
    return this.nodes.remoteReaders?.readers(draftOf(channel, 0).channel) ?? 0;
  }

  async receivers(channel: string): Promise<number> {
    return (await this.hub.publish(draftOf(channel, "x"))).receivers;
  }

  read(...channels: string[]): () => void {
    const subscription = this.hub.subscribe({ channels: patternsOf(...channels) }, new TestSink());
    return () => this.hub.unsubscribe(subscription);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub.close();
    await this.nodes.close();
  }
}

describe("nodes that share a store", () => {
  it("[PUB-30] a receipt counts the readers of this node, and those that the others told of", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    await using b = await TestNode.start(store, "b");
    await using c = await TestNode.start(store, "c");
    a.read("orders.eu");
    const leave = b.read("orders.*", "orders.eu");
    b.read("*");
    c.read("news");
    await until("a knows of b and c", () => a.others("orders.eu") === 2 && a.others("news") === 2);
    assert.equal(await a.receivers("orders.eu"), 3);
    assert.equal(await a.receivers("orders.us"), 2);
    assert.equal(await a.receivers("news"), 2);
    await until("b knows of a and c", () => b.others("orders.eu") === 1 && b.others("news") === 1);
    assert.equal(await b.receivers("orders.eu"), 3);
    leave();
    await until("a knows that one left", () => a.others("orders.eu") === 1);
    assert.equal(await a.receivers("orders.eu"), 2);
  });

  it("[PUB-30] lists the channels that only readers of other nodes ask for, with the readers of all", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    await using b = await TestNode.start(store, "b");
    a.read("orders.eu");
    b.read("orders.eu", "orders.us", "news.*");
    b.read("orders.*");
    await until("a knows of b", () => a.others("orders.eu") === 2);
    const listed = (pattern: string, limit: number, after?: string): [string, number][] =>
      a.hub
        .channels({ pattern: patternsOf(pattern)[0] as never, limit, ...(after === undefined ? {} : { after }) })
        .map(({ channel, readers }) => [channel, readers]);
    assert.deepEqual(listed("*", 10), [
      ["orders.eu", 3],
      ["orders.us", 2],
    ]);
    assert.deepEqual(listed("orders.*", 1), [["orders.eu", 3]]);
    assert.deepEqual(listed("orders.*", 10, "orders.eu"), [["orders.us", 2]]);
    assert.deepEqual(listed("orders.us", 10), [["orders.us", 2]]);
  });

  it("does not count those who only watch, on any node", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    await using b = await TestNode.start(store, "b");
    b.hub.subscribe({ channels: patternsOf("a"), watch: true }, new TestSink());
    b.read("b");
    await until("a knows of b", () => a.others("b") === 1);
    assert.equal(await a.receivers("a"), 0);
  });

  it("a node that starts later knows at once who reads on the others, however many patterns they read", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    const channels = Array.from({ length: 1234 }, (_, at) => `many.c${at}`);
    a.read(...channels);
    a.read("many.c7");
    await using b = await TestNode.start(store, "b");
    await until("b knows of a", () => b.others("many.c999") === 1);
    assert.deepEqual(
      ["many.c0", "many.c7", "many.c1233"].map((channel) => b.others(channel)),
      [1, 2, 1],
    );
  });

  it("a node that missed a change notices it by its number, and gets a copy", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    await using b = await TestNode.start(store, "b");
    const leave = a.read("lost", "kept");
    await until("b knows of a", () => b.others("lost") === 1);
    let lost = 0;
    b.shared.loses = (text) => text.includes('"kind":"change"') && ++lost > 0;
    leave();
    await until("the change is lost", () => lost > 0);
    b.shared.loses = () => false;
    assert.equal(b.others("lost"), 1);
    a.read("kept");
    await until("b knows again", () => b.others("lost") === 0 && b.others("kept") === 1);
  });

  it("lists the nodes with what they told, until they say goodbye", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    {
      await using b = await TestNode.start(store, "b");
      b.read("orders.eu");
      await until("a knows of b", () => a.others("orders.eu") === 1);
      b.draining = true;
      b.nodes.sendStatus();
      await until("a knows that it stops", () => a.nodes.others()[0]?.draining === true);
      assert.deepEqual(a.nodes.others(), [b.status]);
    }
    assert.deepEqual(a.nodes.others(), []);
    assert.equal(a.others("orders.eu"), 0);
  });

  it("nodes that could not reach one another know one another again afterwards", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    await using b = await TestNode.start(store, "b");
    b.read("before");
    await until("a knows of b", () => a.others("before") === 1);
    b.shared.isAway = true;
    b.read("meanwhile");
    assert.equal(await b.receivers("meanwhile"), 1);
    await until("b has told no one", () => b.hub.index.changed?.size === 0);
    assert.equal(a.others("meanwhile"), 0);
    b.shared.isAway = false;
    await until("a knows of b again", () => a.others("meanwhile") === 1);
    assert.equal(a.others("before"), 1);
  });

  it("leaves out what no node tells, says so once, and goes on", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    const whole = { kind: "change", node: "x".repeat(10), changes: 0, counts: [] };
    const wrong = [
      "",
      "null",
      "{",
      "[]",
      "x".repeat(200_000),
      ...[
        { node: "../etc" },
        { node: 7 },
        { changes: -1 },
        { changes: 1e300 },
        { counts: {} },
        { counts: Array.from({ length: 501 }, () => ["a", 1]) },
        { counts: [["a..b", 1]] },
        { counts: [["a", -1]] },
        { counts: [["a", 1, 2]] },
        { kind: "news" },
        { kind: undefined },
        { kind: "copy" },
        { kind: "copy", part: "0" },
        { kind: "status" },
        { kind: "status", status: {} },
        { kind: "status", status: { ...a.status, version: "v".repeat(301) } },
        { kind: "status", status: { ...a.status, connections: "many" } },
      ].map((fault) => JSON.stringify({ ...whole, ...fault })),
    ];
    for (const text of wrong) await store.publish("nodes", text);
    assert.equal(a.reports.length, 1);
    assert.deepEqual(a.nodes.others(), []);
    await using b = await TestNode.start(store, "b");
    b.read("orders.eu");
    await until("a knows of b", () => a.others("orders.eu") === 1);
  });

  it("[HERE-10] tells the others who is here, as a list that is bounded, and is forgotten with its participants", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    const b = await TestNode.start(store, "b");
    const identity = { kind: "agent", name: "planner", verified: false } as const;
    const first = b.participants.attendee(identity, () => patternsOf("orders.eu"));
    const leave = first.connect();
    first.wait({ for: "answer", channel: "ops", question: "q" });
    a.participants.attendee(identity, () => patternsOf("orders.us")).connect();
    await until("a knows of b's agent", () => a.participants.all[0]?.nodes.length === 2);
    const [planner] = a.participants.all;
    assert.deepEqual(planner?.channels, ["orders.eu", "orders.us"]);
    assert.equal(planner.waits[0]?.for, "answer");
    leave(true);
    await until("a knows that it left", () => a.participants.all[0]?.nodes.join() === a.shared.node);
    for (let index = 0; index < 1000; index++) {
      const named = { ...identity, name: `agent-${index}` };
      b.participants.attendee(named, () => patternsOf(`channel.${"x".repeat(100)}`)).connect();
    }
    await until("a knows of some", () => a.participants.isCut);
    assert.equal(a.participants.all.length, 301);
    await using c = await TestNode.start(store, "c");
    await until("c knows of as many", () => c.participants.all.length === 301);
    await b[Symbol.asyncDispose]();
    await until("a forgets them", () => a.participants.all.length === 1 && !a.participants.isCut);
  });

  it("[HERE-10] refuses a list of participants that is too long or not one", async () => {
    const store = new LocalStore();
    await using a = await TestNode.start(store, "a");
    await using b = await TestNode.start(store, "b");
    await until("a knows of b", () => a.nodes.others().length === 1);
    const good = { kind: "agent", verified: false, waits: [], channels: ["a"], nodes: ["z"], opened: 1 };
    const report = { kind: "participants", node: b.shared.node, changes: 0, more: false };
    for (const wrong of [
      [{ ...good, kind: "robot" }],
      [{ ...good, name: 1 }],
      [{ ...good, verified: "yes" }],
      [{ ...good, opened: 1e300 }],
      [{ ...good, channels: ["hub.stats"] }],
      [{ ...good, channels: Array.from({ length: 101 }, (_, index) => `a${index}`) }],
      [{ ...good, waits: [{ for: "answer", channel: "a", question: 1, since: 1 }] }],
      [{ ...good, waits: [{ for: "messages", channels: ["*a"], since: 1 }] }],
      Array.from({ length: 301 }, () => good),
      "all",
    ]) {
      await store.publish("nodes", JSON.stringify({ ...report, participants: wrong }));
      assert.deepEqual(a.participants.all, [], JSON.stringify(wrong).slice(0, 200));
    }
    await store.publish("nodes", JSON.stringify({ ...report, participants: [good] }));
    assert.deepEqual(a.participants.all[0]?.nodes, [b.shared.node]);
  });

  it("says nothing to anyone and keeps no account of changes if there can be no other node", async () => {
    const store = new LocalStore();
    const told: string[] = [];
    store.subscribe("nodes", (text) => told.push(text));
    const nodes = new Nodes(store);
    assert.equal(nodes.remoteReaders, undefined);
    await using hub = await openHub(new MemoryLog(FOREVER), { remoteReaders: nodes.remoteReaders });
    const participants = new Participants(nodes.node);
    nodes.start({ index: hub.index, status: () => assert.fail("asked for its status"), participants });
    hub.subscribe({ channels: patternsOf("a") }, new TestSink());
    assert.equal(hub.index.changed, undefined);
    nodes.sendStatus();
    await nodes.close();
    assert.deepEqual(told, []);
  });
});

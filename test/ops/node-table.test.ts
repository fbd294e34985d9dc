import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName } from "../../src/core/channel.ts";
import { NodeTable } from "../../src/ops/node-table.ts";
import type { ChangeReport, CopyReport, PatternCount, StatusReport } from "../../src/ops/node-report.ts";
import { patternsOf } from "../support/sample.ts";

type Counts = Readonly<Record<string, number>>;

function list(counts: Counts): readonly PatternCount[] {
  return Object.entries(counts).map(([pattern, count]) => [patternsOf(pattern)[0] as never, count]);
}

function reported(node: string, changes: number): StatusReport {
  const status = {
    id: node,
    address: "host:8000",
    version: "1.0.0",
    started: "2026-01-01T00:00:00.000Z",
    connections: 0,
    publishedPerSecond: 0,
    deliveredPerSecond: 0,
    draining: false,
  };
  return { kind: "status", node, changes, status, wantsCopy: false };
}

function change(node: string, changes: number, counts: Counts): ChangeReport {
  return { kind: "change", node, changes, counts: list(counts) };
}

function copy(node: string, changes: number, part: number, isLast: boolean, counts: Counts): CopyReport {
  return { kind: "copy", node, changes, part, isLast, counts: list(counts) };
}

function readers(table: NodeTable, channel: string): number {
  return table.readers(channelName(channel));
}

describe("the table of nodes", () => {
  it("forgets a node that is not heard of, and what its readers ask for", () => {
    const table = new NodeTable({ nodes: 10, patterns: 10 });
    table.take(change("a", 1, { x: 2 }), 1000);
    table.take(change("b", 1, { x: 1 }), 2000);
    assert.equal(readers(table, "x"), 3);
    table.removeSilent(1500);
    assert.equal(readers(table, "x"), 1);
    table.removeSilent(2500);
    assert.equal(readers(table, "x"), 0);
    assert.deepEqual([...table.channels(patternsOf("x")[0] as never)], []);
  });

  it("asks a node for a copy while something of it is missing, and not again while the copy comes", () => {
    const table = new NodeTable({ nodes: 10, patterns: 10 });
    assert.equal(table.take(reported("a", 0), 0), false);
    assert.equal(table.take(change("a", 1, { x: 1 }), 0), false);
    assert.equal(table.take(change("a", 3, { y: 1 }), 0), true);
    assert.equal(table.take(reported("a", 3), 1999), false);
    assert.equal(table.take(reported("a", 3), 2000), true);
    assert.equal(table.take(copy("a", 3, 0, false, { x: 5 }), 2100), false);
    assert.equal(table.take(reported("a", 3), 4000), false);
    assert.equal(table.take(change("a", 4, { x: 6 }), 4000), false);
    assert.equal(table.take(copy("a", 4, 1, true, { z: 7 }), 4000), false);
    assert.deepEqual(
      ["x", "y", "z"].map((channel) => readers(table, channel)),
      [6, 0, 7],
    );
    assert.equal(table.take(reported("a", 4), 9000), false);
  });

  it("asks again for a copy of which a part was lost", () => {
    const table = new NodeTable({ nodes: 10, patterns: 10 });
    assert.equal(table.take(reported("a", 7), 0), true);
    table.take(copy("a", 7, 0, false, { x: 1 }), 100);
    assert.equal(table.take(copy("a", 7, 2, true, { z: 1 }), 200), false);
    assert.equal(table.take(reported("a", 7), 3000), true);
    table.take(copy("a", 7, 0, true, { y: 1 }), 3100);
    assert.deepEqual(
      ["x", "y", "z"].map((channel) => readers(table, channel)),
      [0, 1, 0],
    );
  });

  it("removes what a large node told in steps, and counts right when it is done", () => {
    const table = new NodeTable({ nodes: 10, patterns: 20_000 });
    const channels = Array.from({ length: 12_000 }, (_, at) => `c${at}`);
    for (let part = 0; part < 24; part++) {
      const counts = Object.fromEntries(channels.slice(part * 500, (part + 1) * 500).map((channel) => [channel, 1]));
      table.take(change("large", part + 1, counts), 0);
    }
    table.take(change("small", 1, { c0: 1, c11999: 1 }), 0);
    const total = (): number => channels.reduce((sum, channel) => sum + readers(table, channel), 0);
    table.remove("large");
    assert.equal(total(), 7002);
    table.sweep();
    table.sweep();
    assert.equal(total(), 2);
    table.take(copy("small", 1, 0, true, { c0: 5 }), 0);
    assert.deepEqual([total(), readers(table, "c0")], [5, 5]);
    table.remove("small");
    assert.equal(total(), 0);
    assert.deepEqual([...table.channels(patternsOf("*")[0] as never)], []);
  });

  it("keeps as many nodes and patterns as it may, and tells that there are more", () => {
    const table = new NodeTable({ nodes: 2, patterns: 3 });
    table.take(change("a", 1, { x: 1, y: 1 }), 0);
    table.take(change("b", 1, { x: 1 }), 0);
    assert.equal(table.isCut, false);
    table.take(change("b", 2, { z: 1, x: 0 }), 0);
    assert.equal(table.isCut, true);
    table.take(change("b", 3, { w: 1 }), 0);
    assert.deepEqual(
      ["w", "x", "y", "z"].map((channel) => readers(table, channel)),
      [1, 1, 1, 0],
    );
    assert.equal(table.take(change("c", 1, { x: 1 }), 0), false);
    assert.equal(readers(table, "x"), 1);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName } from "../../src/core/channel.ts";
import { NodeTable } from "../../src/ops/node-table.ts";
import type { NodeText } from "../../src/ops/node-text.ts";
import { patternsOf } from "../support/sample.ts";

function text(node: string, told: Partial<NodeText>, counts: Readonly<Record<string, number>> = {}): NodeText {
  const list = Object.entries(counts).map(([pattern, count]) => [patternsOf(pattern)[0] as never, count] as const);
  return { node, changes: 0, isChange: false, counts: list, ...told };
}

function readers(table: NodeTable, channel: string): number {
  return table.readers(channelName(channel));
}

describe("the table of nodes", () => {
  it("forgets a node that is not heard of, and what its readers ask for", () => {
    const table = new NodeTable({ nodes: 10, patterns: 10 });
    table.take(text("a", { changes: 1, isChange: true }, { x: 2 }), 1000);
    table.take(text("b", { changes: 1, isChange: true }, { x: 1 }), 2000);
    assert.equal(readers(table, "x"), 3);
    table.removeSilent(1500);
    assert.equal(readers(table, "x"), 1);
    table.removeSilent(2500);
    assert.equal(readers(table, "x"), 0);
    assert.deepEqual([...table.channels(patternsOf("x")[0] as never)], []);
  });

  it("asks a node for a copy while something of it is missing, and not again while the copy comes", () => {
    const table = new NodeTable({ nodes: 10, patterns: 10 });
    assert.equal(table.take(text("a", {}), 0), false);
    assert.equal(table.take(text("a", { changes: 1, isChange: true }, { x: 1 }), 0), false);
    assert.equal(table.take(text("a", { changes: 3, isChange: true }, { y: 1 }), 0), true);
    assert.equal(table.take(text("a", { changes: 3 }), 1999), false);
    assert.equal(table.take(text("a", { changes: 3 }), 2000), true);
    assert.equal(table.take(text("a", { changes: 3, part: 0 }, { x: 5 }), 2100), false);
    assert.equal(table.take(text("a", { changes: 3 }), 4000), false);
    assert.equal(table.take(text("a", { changes: 4, isChange: true }, { x: 6 }), 4000), false);
    assert.equal(table.take(text("a", { changes: 4, part: 1, isLast: true }, { z: 7 }), 4000), false);
    assert.deepEqual(
      ["x", "y", "z"].map((channel) => readers(table, channel)),
      [6, 0, 7],
    );
    assert.equal(table.take(text("a", { changes: 4 }), 9000), false);
  });

  it("asks again for a copy of which a part was lost", () => {
    const table = new NodeTable({ nodes: 10, patterns: 10 });
    assert.equal(table.take(text("a", { changes: 7 }), 0), true);
    table.take(text("a", { changes: 7, part: 0 }, { x: 1 }), 100);
    assert.equal(table.take(text("a", { changes: 7, part: 2, isLast: true }, { z: 1 }), 200), false);
    assert.equal(table.take(text("a", { changes: 7 }), 3000), true);
    table.take(text("a", { changes: 7, part: 0, isLast: true }, { y: 1 }), 3100);
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
      table.take(text("large", { changes: part + 1, isChange: true }, counts), 0);
    }
    table.take(text("small", { changes: 1, isChange: true }, { c0: 1, c11999: 1 }), 0);
    const total = (): number => channels.reduce((sum, channel) => sum + readers(table, channel), 0);
    table.remove("large");
    assert.equal(total(), 7002);
    table.sweep();
    table.sweep();
    assert.equal(total(), 2);
    table.take(text("small", { changes: 1, part: 0, isLast: true }, { c0: 5 }), 0);
    assert.deepEqual([total(), readers(table, "c0")], [5, 5]);
    table.remove("small");
    assert.equal(total(), 0);
    assert.deepEqual([...table.channels(patternsOf("*")[0] as never)], []);
  });

  it("keeps as many nodes and patterns as it may, and tells that there are more", () => {
    const table = new NodeTable({ nodes: 2, patterns: 3 });
    table.take(text("a", { changes: 1, isChange: true }, { x: 1, y: 1 }), 0);
    table.take(text("b", { changes: 1, isChange: true }, { x: 1 }), 0);
    assert.equal(table.isCut, false);
    table.take(text("b", { changes: 2, isChange: true }, { z: 1, x: 0 }), 0);
    assert.equal(table.isCut, true);
    table.take(text("b", { changes: 3, isChange: true }, { w: 1 }), 0);
    assert.deepEqual(
      ["w", "x", "y", "z"].map((channel) => readers(table, channel)),
      [1, 1, 1, 0],
    );
    assert.equal(table.take(text("c", { changes: 1, isChange: true }, { x: 1 }), 0), false);
    assert.equal(readers(table, "x"), 1);
  });
});

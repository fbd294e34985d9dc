import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LeaseHolder, type Lease } from "../../src/core/lease.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { SharedNode } from "../support/shared-node.ts";
import { until } from "../support/until.ts";

describe("a lease", { concurrency: true }, () => {
  it("is one node's at a time, which keeps it until it gives it back", async () => {
    const store = new LocalStore();
    const [a, b] = [holder(store, "a"), holder(store, "b")];
    await until("one has it", () => a.leases.length + b.leases.length > 0);
    const [first, second] = a.leases.length === 1 ? [a, b] : [b, a];
    const start = performance.now();
    await until("it was renewed", () => performance.now() - start > 400);
    assert.deepEqual([first.leases.length, second.leases.length, first.leases[0]?.signal.aborted], [1, 0, false]);
    await first.holder.close();
    assert.equal(first.leases[0]?.signal.aborted, true);
    await until("the other has it", () => second.leases.length === 1);
    await second.holder.close();
    store.close();
  });

  it("passes on from a node that cannot renew it, which stops before another begins", async () => {
    const store = new LocalStore();
    const a = holder(store, "a");
    await until("a has it", () => a.leases.length === 1);
    const b = holder(store, "b");
    let wasOver = false;
    b.onHeld = () => (wasOver = a.leases[0]?.signal.aborted === true);
    a.node.isAway = true;
    await until("b has it", () => b.leases.length === 1);
    assert.ok(wasOver);
    a.node.isAway = false;
    await b.holder.close();
    await until("a has it again", () => a.leases.length === 2);
    assert.equal(a.leases[1]?.signal.aborted, false);
    await a.holder.close();
    store.close();
  });
});

interface Held {
  readonly node: SharedNode;
  readonly holder: LeaseHolder;
  readonly leases: Lease[];
  onHeld: () => void;
}

function holder(store: LocalStore, name: string): Held {
  const node = new SharedNode(store, name);
  const leases: Lease[] = [];
  const held: Held = {
    node,
    leases,
    onHeld: () => {},
    holder: new LeaseHolder({
      store: node,
      name: "bridge",
      lifetime: 150,
      onHeld: (lease) => {
        leases.push(lease);
        held.onHeld();
      },
    }),
  };
  return held;
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApiKeys } from "../../src/auth/api-keys.ts";
import type { AuditEvent } from "../../src/auth/audit.ts";
import { Lifetimes } from "../../src/auth/lifetimes.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { KeyRing } from "../support/keys.ts";
import { SharedNode } from "../support/shared-node.ts";
import { until } from "../support/until.ts";

/** The keys of one of several nodes, in a file of its own. */
class KeyNode implements Disposable {
  readonly ring: KeyRing;
  readonly shared: SharedNode;
  readonly lifetimes = new Lifetimes();
  readonly events: AuditEvent[] = [];
  readonly keys: ApiKeys;

  private constructor(ring: KeyRing, shared: SharedNode) {
    this.ring = ring;
    this.shared = shared;
    this.keys = new ApiKeys(ring.path, { lifetimes: this.lifetimes, audit: (event) => this.events.push(event) });
    this.lifetimes.isGone = (principal) => this.keys.isGone(principal);
  }

  static async start(store: LocalStore, name: string, ring: KeyRing): Promise<KeyNode> {
    const node = new KeyNode(ring, new SharedNode(store, name));
    await node.keys.share(node.shared);
    return node;
  }

  has(token: string): boolean {
    return this.keys.verify(token) !== undefined;
  }

  [Symbol.dispose](): void {
    this.keys.close();
    this.lifetimes.close();
    this.ring[Symbol.dispose]();
  }
}

describe("API keys on several nodes", { concurrency: true }, () => {
  it("[KEY-4] a key that one node's file no longer has is refused by all, which end what is open by it", async () => {
    const store = new LocalStore();
    const ring = new KeyRing();
    const [token, other] = [ring.add("gone", { subscribe: ["*"] }), ring.add("stays", { subscribe: ["*"] })];
    using a = await KeyNode.start(store, "a", ring);
    using b = await KeyNode.start(store, "b", ring.copy());
    const ended: string[] = [];
    for (const [name, given] of Object.entries({ token, other })) {
      const principal = b.keys.verify(given);
      assert.ok(principal !== undefined);
      b.lifetimes.hold(principal, { end: (reason) => ended.push(`${name} ${reason}`) });
    }
    a.ring.revoke("gone");
    await until("both refuse it", () => !a.has(token) && !b.has(token));
    assert.deepEqual(ended, ["token revoked"]);
    assert.deepEqual([a.has(other), b.has(other)], [true, true]);
    const [event] = b.events;
    assert.deepEqual([event?.action, event?.subject, event?.level], ["key_revoked", "gone", "warn"]);
  });

  it("[KEY-4] a node that starts later with an old file refuses it, too", async () => {
    const store = new LocalStore();
    const ring = new KeyRing();
    const [token, other] = [ring.add("gone", { subscribe: ["*"] }), ring.add("stays", { subscribe: ["*"] })];
    const old = ring.copy();
    using a = await KeyNode.start(store, "a", ring);
    a.ring.revoke("gone");
    await until("it is revoked", async () => !a.has(token) && (await store.get("revocations")) === "1");
    using c = await KeyNode.start(store, "c", old);
    assert.deepEqual([c.has(token), c.has(other)], [false, true]);
  });

  it("a key that grants less on one node is refused by those that have it as it was, until they have it as it is", async () => {
    const store = new LocalStore();
    const ring = new KeyRing();
    const token = ring.add("less", { subscribe: ["orders.*", "news"] });
    using a = await KeyNode.start(store, "a", ring);
    using b = await KeyNode.start(store, "b", ring.copy());
    a.ring.change("less", { subscribe: ["news"] });
    await until("b refuses it", () => !b.has(token));
    assert.deepEqual(a.keys.verify(token)?.subscribe, ["news"]);
    b.ring.change("less", { subscribe: ["news"] });
    await until("b takes it as it is", () => b.keys.verify(token)?.subscribe.length === 1);
  });

  it("a key that grants more on one node stays good on the others", async () => {
    const store = new LocalStore();
    const ring = new KeyRing();
    const token = ring.add("more", { subscribe: ["news"] });
    const gone = ring.add("gone", {});
    using a = await KeyNode.start(store, "a", ring);
    using b = await KeyNode.start(store, "b", ring.copy());
    a.ring.change("more", { subscribe: ["*"] });
    await until("a has it", () => a.keys.verify(token)?.subscribe[0] === "*");
    a.ring.revoke("gone");
    await until("b was told of another", () => !b.has(gone));
    assert.deepEqual(b.keys.verify(token)?.subscribe, ["news"]);
  });

  it("[KEY-4] a revoked key that comes back into a file stays refused", async () => {
    const store = new LocalStore();
    const ring = new KeyRing();
    const token = ring.add("back", {});
    using a = await KeyNode.start(store, "a", ring);
    const before = a.ring.text;
    a.ring.revoke("back");
    await until("it is revoked", async () => !a.has(token) && (await store.get("revocations")) === "1");
    a.ring.text = before;
    await until("the operator is told", () => a.events.some(({ reason = "" }) => reason.includes("make a new key")));
    assert.equal(a.has(token), false);
  });

  it("nodes that could not be reached are told afterwards, and tell what they revoked meanwhile", async () => {
    const store = new LocalStore();
    const ring = new KeyRing();
    const [first, second] = [ring.add("first", {}), ring.add("second", {})];
    using a = await KeyNode.start(store, "a", ring);
    using b = await KeyNode.start(store, "b", ring.copy());
    b.shared.isAway = true;
    a.ring.revoke("first");
    b.ring.revoke("second");
    await until("each has revoked one", () => !a.has(first) && !b.has(second));
    assert.deepEqual([a.has(second), b.has(first)], [true, true]);
    b.shared.isAway = false;
    await until("both know of both", () => !a.has(second) && !b.has(first));
  });

  it("leaves out what no node tells", async () => {
    const store = new LocalStore();
    const ring = new KeyRing();
    const token = ring.add("stays", {});
    using a = await KeyNode.start(store, "a", ring);
    for (const text of ["", "null", "{}", '{"digests":7}', '{"digests":["x",7]}', "x".repeat(1000)]) {
      await store.publish("revocations", text);
    }
    assert.equal(a.has(token), true);
  });
});

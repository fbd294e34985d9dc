import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Tickets } from "../../src/auth/tickets.ts";
import { mayPublish, maySubscribe, type Principal } from "../../src/core/principal.ts";
import { channelName, channelPattern } from "../../src/core/channel.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { SharedNode } from "../support/shared-node.ts";

const ANN: Principal = {
  subject: "ann",
  kind: "jwt",
  id: "jwt-ann",
  publish: [channelPattern("orders.*")],
  subscribe: [channelPattern("orders.*"), channelPattern("news")],
  admin: false,
  sendAs: false,
};

const REFUSED = { code: "UNAUTHENTICATED" };

describe("tickets", () => {
  it("a ticket is good once, for the principal that asked for it", async () => {
    const tickets = new Tickets(new LocalStore());
    const { ticket } = await tickets.issue(ANN, undefined, 60_000);
    assert.match(ticket, /^[\w-]{43}$/);
    assert.deepEqual(await tickets.verify(ticket), ANN);
    await assert.rejects(tickets.verify(ticket), REFUSED);
  });

  it("a ticket that is too old, made up, or of a credential that is gone is refused", async () => {
    let now = 0;
    let isGone = false;
    const clock = (): number => now;
    const tickets = new Tickets(new LocalStore(clock), () => isGone, clock);
    const old = await tickets.issue(ANN, undefined, 30_000);
    const last = await tickets.issue(ANN, undefined, 3_600_000);
    const revoked = await tickets.issue(ANN, undefined, 60_000);
    const short = await tickets.issue({ ...ANN, expires: 1000 }, undefined, 60_000);
    assert.deepEqual([old.expires, last.expires, short.expires], [30_000, 60_000, 1000]);
    now = 30_000;
    for (const wrong of [old.ticket, short.ticket, "", "x", "A".repeat(43), `${last.ticket}x`]) {
      await assert.rejects(tickets.verify(wrong), REFUSED, wrong);
    }
    assert.deepEqual(await tickets.verify(last.ticket), ANN);
    isGone = true;
    await assert.rejects(tickets.verify(revoked.ticket), REFUSED);
  });

  it("channels narrow what is read by it, and never widen it, even for an admin", async () => {
    const tickets = new Tickets(new LocalStore());
    const channels = [channelPattern("news"), channelPattern("orders.eu")];
    const narrowed = await tickets.verify((await tickets.issue(ANN, channels, 1000)).ticket);
    assert.deepEqual([narrowed.subscribe, narrowed.publish, narrowed.id], [channels, ANN.publish, ANN.id]);
    await assert.rejects(tickets.issue(ANN, [channelPattern("*")], 1000), { code: "FORBIDDEN" });
    const admin = await tickets.verify((await tickets.issue({ ...ANN, admin: true }, channels, 1000)).ticket);
    assert.equal(maySubscribe(admin, channelPattern("orders.us")), false);
    assert.equal(mayPublish(admin, channelName("anything")), true);
    await assert.rejects(tickets.issue({ ...ANN, admin: true }, [channelPattern("hub.stats")], 1000), {
      code: "FORBIDDEN",
    });
  });

  it("one principal's unused tickets are bounded, leave room for others, and make room when they are old", async () => {
    let now = 0;
    const clock = (): number => now;
    const tickets = new Tickets(new LocalStore(clock), undefined, clock);
    for (let count = 0; count < 1000; count++) await tickets.issue(ANN, undefined, 60_000);
    await assert.rejects(tickets.issue(ANN, undefined, 60_000), { code: "RATE_LIMITED", retryAfter: 60 });
    await tickets.issue({ ...ANN, id: "jwt-bob" }, undefined, 60_000);
    now = 60_000;
    const { ticket } = await tickets.issue(ANN, undefined, 60_000);
    assert.ok(await tickets.verify(ticket));
  });

  it("tickets that are used make room for others, and no more than they took", async () => {
    let now = 0;
    const clock = (): number => now;
    const tickets = new Tickets(new LocalStore(clock), undefined, clock);
    for (let count = 0; count < 1500; count++)
      await tickets.verify((await tickets.issue(ANN, undefined, 60_000)).ticket);
    const before = await Promise.all(Array.from({ length: 500 }, () => tickets.issue(ANN, undefined, 60_000)));
    now = 59_999;
    for (const { ticket } of before.slice(0, 250)) await tickets.verify(ticket);
    now = 60_000;
    for (let count = 0; count < 1000; count++) await tickets.issue(ANN, undefined, 60_000);
    await assert.rejects(tickets.issue(ANN, undefined, 60_000), { code: "RATE_LIMITED" });
  });

  it("[BRW-8] a ticket of one node is good on another, and on one of them only", async () => {
    const store = new LocalStore();
    const [a, b] = [new Tickets(new SharedNode(store, "a")), new Tickets(new SharedNode(store, "b"))];
    const { ticket } = await a.issue(ANN, undefined, 60_000);
    const found = await Promise.allSettled([b.verify(ticket), a.verify(ticket), b.verify(ticket)]);
    assert.deepEqual(found.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
  });
});

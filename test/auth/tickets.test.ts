import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { Tickets } from "../../src/auth/tickets.ts";
import { mayPublish, maySubscribe, type Principal } from "../../src/core/principal.ts";
import { channelName, channelPattern } from "../../src/core/channel.ts";

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

function asking(ticket: string): IncomingMessage {
  return { url: `/ws?channel=orders.*&ticket=${ticket}` } as IncomingMessage;
}

describe("tickets", () => {
  it("a ticket is good once, for the principal that asked for it", () => {
    const tickets = new Tickets();
    const { ticket } = tickets.issue(ANN, undefined, 60_000);
    assert.match(ticket, /^[\w-]{43}$/);
    assert.equal(tickets.verify({ url: "/ws" } as IncomingMessage), undefined);
    assert.deepEqual(tickets.verify(asking(ticket)), ANN);
    assert.throws(() => tickets.verify(asking(ticket)), REFUSED);
  });

  it("a ticket that is too old, made up, or of a credential that is gone is refused", () => {
    let now = 0;
    let isGone = false;
    const tickets = new Tickets(
      () => isGone,
      () => now,
    );
    const old = tickets.issue(ANN, undefined, 30_000);
    const [last, revoked] = [tickets.issue(ANN, undefined, 3_600_000), tickets.issue(ANN, undefined, 60_000)];
    const short = tickets.issue({ ...ANN, expires: 1000 }, undefined, 60_000);
    assert.deepEqual([old.expires, last.expires, short.expires], [30_000, 60_000, 1000]);
    now = 30_000;
    for (const wrong of [old.ticket, short.ticket, "", "x", "A".repeat(43), `${last.ticket}x`]) {
      assert.throws(() => tickets.verify(asking(wrong)), REFUSED, wrong);
    }
    assert.throws(() => tickets.verify(asking(`${last.ticket}&ticket=${last.ticket}`)), { code: "INVALID_REQUEST" });
    assert.equal(tickets.verify(asking(last.ticket)), ANN);
    isGone = true;
    assert.throws(() => tickets.verify(asking(revoked.ticket)), REFUSED);
  });

  it("channels narrow what is read by it, and never widen it, even for an admin", () => {
    const tickets = new Tickets();
    const channels = [channelPattern("news"), channelPattern("orders.eu")];
    const narrowed = tickets.verify(asking(tickets.issue(ANN, channels, 1000).ticket)) as Principal;
    assert.deepEqual([narrowed.subscribe, narrowed.publish, narrowed.id], [channels, ANN.publish, ANN.id]);
    assert.throws(() => tickets.issue(ANN, [channelPattern("*")], 1000), { code: "FORBIDDEN" });
    const admin = tickets.verify(asking(tickets.issue({ ...ANN, admin: true }, channels, 1000).ticket)) as Principal;
    assert.equal(maySubscribe(admin, channelPattern("orders.us")), false);
    assert.equal(mayPublish(admin, channelName("anything")), true);
    assert.throws(() => tickets.issue({ ...ANN, admin: true }, [channelPattern("hub.stats")], 1000), {
      code: "FORBIDDEN",
    });
  });

  it("one principal's unused tickets are bounded, leave room for others, and make room when they are old", () => {
    let now = 0;
    const tickets = new Tickets(undefined, () => now);
    for (let count = 0; count < 1000; count++) tickets.issue(ANN, undefined, 60_000);
    assert.throws(() => tickets.issue(ANN, undefined, 60_000), { code: "RATE_LIMITED", retryAfter: 60 });
    tickets.issue({ ...ANN, id: "jwt-bob" }, undefined, 60_000);
    now = 60_000;
    const { ticket } = tickets.issue(ANN, undefined, 60_000);
    assert.ok(tickets.verify(asking(ticket)));
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { linkTo, placeIn } from "../../src/web/dashboard/place.ts";
import { MessageRate } from "../../src/web/dashboard/message-rate.ts";

describe("the place that an address of the dashboard names", () => {
  it("is a channel, a connection, or everything", () => {
    assert.deepEqual(placeIn(linkTo("channel", "orders.eu")), { kind: "channel", name: "orders.eu" });
    assert.deepEqual(placeIn(linkTo("connection", "k3x9-1c")), { kind: "connection", name: "k3x9-1c" });
    for (const hash of ["", "#"]) assert.deepEqual(placeIn(hash), { kind: "overview" });
  });

  it("is everything if it names what cannot be, and stays what it is for a part of the page", () => {
    const wrong = ["#channel/orders.*", "#channel/hub.audit", "#channel/%E0", "#channel/a%2Fb", "#connection/../x"];
    for (const hash of [...wrong, `#connection/${"x".repeat(65)}`, "#channel/<b>"]) {
      assert.deepEqual(placeIn(hash), { kind: "overview" }, hash);
    }
    for (const hash of ["#tail", "#channel/", "#channels"]) assert.equal(placeIn(hash), undefined, hash);
  });
});

describe("the rate of a channel", () => {
  it("counts each second, and what is not known is no zero", () => {
    const rate = new MessageRate(5);
    for (const time of [1000, 7100, 7900, 9000]) rate.add(time);
    assert.deepEqual(rate.until(10.5), [
      [5, 6, 7, 8, 9],
      [0, 0, 2, 0, 1],
    ]);
    rate.knownFrom(7100);
    assert.deepEqual(rate.until(10), [
      [8, 9],
      [0, 1],
    ]);
    assert.deepEqual(new MessageRate(5).until(2), [
      [0, 1],
      [0, 0],
    ]);
  });
});

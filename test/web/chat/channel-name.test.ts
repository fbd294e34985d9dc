import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName } from "../../../src/core/channel.ts";
import { nearestName, channelProblem } from "../../../src/web/chat/channel-name.ts";

describe("the name of a channel", () => {
  it("is told why it is none, with one that would do", () => {
    for (const [given, name] of [
      ["#general", "general"],
      ["général", "general"],
      ["support team", "support-team"],
      ["  Support   Team! ", "Support-Team"],
      ["orders.*", "orders"],
      ["a..b", "a.b"],
      ["a/b", "a-b"],
      ["دعم", "support-team"],
      ["канал", "support-team"],
      ["#hub.x", "support-team"],
      ["", "support-team"],
      [`${"é".repeat(127)}.é`, "e".repeat(127)],
    ] as const) {
      const why = channelProblem(given) ?? "";
      assert.match(why, /use words joined by dots, of letters A–Z, digits, - and _, such as /);
      assert.ok(why.endsWith(` such as ${name}`), why);
      assert.equal(channelName(nearestName(given)), name);
    }
  });

  it("is refused as the server would, and taken where it would", () => {
    for (const text of [
      "default",
      "orders.eu",
      "_",
      "x".repeat(128),
      "hub",
      "hub.stats",
      "x".repeat(129),
      "ä",
      "a b",
    ]) {
      let takes = true;
      try {
        channelName(text);
      } catch {
        takes = false;
      }
      assert.equal(channelProblem(text) === undefined, takes, text);
    }
    assert.match(channelProblem("x".repeat(200)) ?? "", /it has 200 characters; at most 128 are allowed$/);
    assert.match(channelProblem("hub.logs") ?? "", /reserved for the server's own messages/);
  });
});

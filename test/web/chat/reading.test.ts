import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../../src/client/index.ts";
import { hueOf, initialOf } from "../../../src/web/shared/names.ts";
import { PRESENCE_EVERY, readersSentence, Roster } from "../../../src/web/chat/roster.ts";
import { dayName, placeOf } from "../../../src/web/chat/grouping.ts";

const NOON = new Date(2026, 5, 15, 12);

function message(minutes: number, more: Partial<Message> = {}): Message {
  const time = new Date(NOON.getTime() + minutes * 60_000).toISOString();
  return { id: "e-1", channel: "a", event: "message", data: "x", sender: "ada", time, ...more };
}

describe("a message below another", () => {
  it("says again who sends it only where that is another, or later, or of another kind", () => {
    const above = message(0);
    const hasHead = (below: Message): boolean => placeOf(below, above).hasHead;
    assert.equal(hasHead(message(1)), false);
    assert.equal(hasHead(message(6)), true);
    assert.equal(hasHead(message(1, { sender: "grace" })), true);
    assert.equal(hasHead(message(1, { via: "tool" })), true, "an agent of the same name is another");
    assert.equal(hasHead(message(1, { event: "order" })), true);
    assert.deepEqual(placeOf(above, undefined), { beginsDay: true, hasHead: true });
  });

  it("begins a day at midnight", () => {
    assert.deepEqual(placeOf(message(12 * 60), message(12 * 60 - 1)), { beginsDay: true, hasHead: true });
  });

  it("names days as people do", () => {
    assert.equal(dayName(NOON, NOON), "Today");
    assert.equal(dayName(new Date(2026, 5, 14, 23, 59), NOON), "Yesterday");
    assert.match(dayName(new Date(2026, 5, 13), NOON), /13/);
    assert.match(dayName(new Date(2025, 5, 13), NOON), /2025/);
    assert.equal(dayName(new Date(2025, 11, 31), new Date(2026, 0, 1)), "Yesterday");
  });
});

describe("who reads", () => {
  it("is who was seen lately, at most fifty of them", () => {
    const roster = new Roster();
    roster.see("grace", 0);
    roster.see("ada", PRESENCE_EVERY);
    assert.deepEqual(roster.names(PRESENCE_EVERY), ["ada", "grace"]);
    assert.deepEqual(roster.names(3 * PRESENCE_EVERY), ["ada"]);
    roster.forget("ada");
    assert.deepEqual(roster.names(3 * PRESENCE_EVERY), []);
    // Closed without a word, there, seen since the server was asked, and of a program that the server does not list.
    roster.see("gone", 1, true);
    roster.see("here", 1, true);
    roster.see("new", 3, true);
    roster.see("program", 1);
    roster.keepListed(new Set(["here"]), 2);
    assert.deepEqual(roster.names(4), ["here", "new", "program"]);
    for (let n = 0; n < 200; n++) roster.see(`name ${n}`, n);
    assert.equal(roster.names(200).length, 50);
  });

  it("is told in a few words", () => {
    assert.deepEqual(readersSentence(undefined, [], 2), { count: "", names: [], rest: "" });
    assert.equal(readersSentence(0, [], 2).count, "", "the page itself is about to read");
    assert.deepEqual(readersSentence(1, ["a"], 2), { count: "1 reader", names: ["a"], rest: "" });
    assert.deepEqual(readersSentence(7, ["a", "b", "c"], 2), {
      count: "7 readers",
      names: ["a", "b"],
      rest: " and 1 more",
    });
  });

  it("has a letter and a colour, whatever the name", () => {
    for (const [name, letter] of [
      ["ada", "A"],
      ["  \u202e-éva", "É"],
      ["😀", "😀"],
      ["42", "4"],
      ["", "?"],
      ["\u202e", "?"],
    ] as const) {
      assert.equal(initialOf(name), letter);
      const hue = hueOf(name);
      assert.ok(hue >= 0 && hue < 360 && hue === hueOf(name));
    }
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../../src/client/index.ts";
import { channelName } from "../../../src/core/channel.ts";
import { addressFor } from "../../../src/web/chat/channel-name.ts";
import { titleIn, Titles } from "../../../src/web/chat/titles.ts";

function message(id: string | null, data: unknown, seconds = 0): Message {
  return { id, channel: "a", event: "channel", data, sender: "ana", time: new Date(seconds * 1000).toISOString() };
}

describe("the title of a channel", () => {
  it("is what the newest message says, in whatever order they come, also from another log", () => {
    const titles = new Titles();
    assert.equal(titles.name("a"), "a");
    titles.hear(message("f-2", { title: "Zwei" }, 2));
    // From before a restart, with the page of history that has it.
    titles.hear(message("e-1", { title: "Eins" }, 1));
    assert.equal(titles.name("a"), "Zwei");
    titles.hear(message("g-1", { title: "Neu", topic: "x" }, 3));
    assert.partialDeepStrictEqual(titles.of("a"), { title: "Neu", topic: "x" });
    titles.hear(message("g-2", { title: "" }, 4));
    assert.equal(titles.name("a"), "a");
    assert.equal(titles.name("constructor"), "constructor");
  });

  it("is none that is too long, has other fields, or is not kept, and no one is turned around by it", () => {
    for (const data of [
      null,
      "x",
      {},
      { title: 1 },
      { title: "x", topic: 1 },
      { title: "x", by: "y" },
      { title: "x".repeat(81) },
    ]) {
      assert.equal(titleIn(message("e-1", data)), undefined, JSON.stringify(data));
    }
    assert.equal(titleIn(message(null, { title: "x" })), undefined);
    assert.equal(titleIn(message("e-1", { title: "\u202eevil\u0000" }))?.title, "evil");
  });

  it("has an address that is the same for the same text, and a name for a channel", () => {
    assert.equal(addressFor("Support Team"), "support-team");
    assert.equal(addressFor("Général"), "general");
    assert.equal(addressFor("دعم"), addressFor(" دعم "));
    assert.notEqual(addressFor("دعم"), addressFor("канал"));
    for (const text of ["دعم", "канал", "東京", "🎉", "!", "hub", "Ünïcode ✓"])
      assert.ok(channelName(addressFor(text)));
  });
});

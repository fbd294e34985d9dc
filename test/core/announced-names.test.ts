import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AnnouncedNames } from "../../src/core/announced-names.ts";
import type { Message } from "../../src/core/message.ts";
import type { ChannelName } from "../../src/protocol/channel.ts";

function announcement(data: string, sender = "Kim", channel = "hub.presence.a"): Message {
  return { channel: channel as ChannelName, event: "presence", data, sender, offset: 1, time: 0, ephemeral: true };
}

describe("the names that readers announce", () => {
  it("[HERE-2] come from announcements alone: nothing else that is published there changes or stops anything", () => {
    const names = new AnnouncedNames();
    const reader = { identity: { kind: "person", name: undefined, verified: false } as const };
    const verified = { identity: { kind: "person", name: "Ana", verified: true } as const };
    const end = names.follow("r1", reader);
    names.follow("r1", verified);
    const word = JSON.stringify({ reader: "r1", state: "here" });
    for (const wrong of [
      announcement("not JSON"),
      announcement("null"),
      announcement(JSON.stringify({ reader: "r1", state: "x".repeat(600) })),
      { ...announcement(word), event: "typing" },
      announcement(word, "Kim", "hub.presence"),
    ]) {
      names.hear(wrong);
      assert.equal(reader.identity.name, undefined);
    }
    names.hear(announcement(word));
    assert.deepEqual([reader.identity.name, verified.identity.name], ["Kim", "Ana"]);
    names.hear(announcement(JSON.stringify({ reader: "r1", state: "gone" }), "Someone else"));
    assert.equal(reader.identity.name, "Kim");
    end();
    names.hear(announcement(word, "Grace"));
    assert.equal(reader.identity.name, "Kim");
  });
});

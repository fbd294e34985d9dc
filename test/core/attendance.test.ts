import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { visibleTo } from "../../src/core/attendance.ts";
import { Participants } from "../../src/core/participants.ts";
import { ANYONE, type Principal } from "../../src/core/principal.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";

describe("a look at who is here", () => {
  it("[HERE-9] costs little while a thousand agents read a hundred channels each, whatever one may read", () => {
    const participants = new Participants("node");
    for (let agent = 0; agent < 1000; agent++) {
      const name = `agent-${agent}`;
      const channels = Array.from({ length: 100 }, (_, index) => `team.${agent}-${index}.*`);
      participants.caller({ kind: "agent", name, verified: false }).wait({ for: "messages", channels })();
    }
    const subscribe = Array.from({ length: 20 }, (_, index) => `team.${index}-7.*` as ChannelPattern);
    const reader: Principal = { ...ANYONE, id: "key reader", kind: "key", subscribe, admin: false };
    const start = performance.now();
    for (let look = 0; look < 30; look++) {
      participants.called({ kind: "agent", name: "agent-5", verified: false });
      assert.equal(visibleTo(reader, participants.all, { limit: 100 }).total, 20);
    }
    assert.ok(performance.now() - start < 5000, `30 looks took ${performance.now() - start} ms`);
  });
});

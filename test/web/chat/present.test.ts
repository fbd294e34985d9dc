import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Participant } from "../../../src/protocol/participant.ts";
import { presentIn } from "../../../src/web/chat/present.ts";
import { doingText } from "../../../src/web/shared/participants.ts";

const NOW = Date.parse("2030-01-31T09:00:00Z");

function participant(given: Partial<Participant>): Participant {
  return {
    name: null,
    kind: "agent",
    verified: false,
    state: "connected",
    since: new Date(NOW - 125_000).toISOString(),
    waiting: null,
    channels: [],
    moreChannels: 0,
    nodes: [],
    ...given,
  };
}

describe("who is present in a channel", () => {
  it("are the people whose pages say so, and the agents, services and logins that the server lists, each once", () => {
    const { present, waiting } = presentIn(
      ["kim", "planner"],
      [
        participant({ name: "planner", state: "idle" }),
        participant({ name: "billing", kind: "service" }),
        participant({ name: "Ana", kind: "person", verified: true }),
        participant({ name: "left a moment ago", kind: "person" }),
        participant({ kind: "service" }),
      ],
      NOW,
    );
    assert.deepEqual(present, [
      { name: "Ana", doing: "connected for 2 min" },
      { name: "billing", doing: "connected for 2 min" },
      { name: "kim" },
      { name: "planner", doing: "idle for 2 min" },
    ]);
    assert.deepEqual(waiting, []);
  });

  it("are named apart if they wait for an answer, with how long they have", () => {
    const { waiting } = presentIn(
      [],
      [
        participant({
          name: "claude-code",
          state: "waiting",
          waiting: { for: "answer", channel: "ops", question: "q" },
        }),
        participant({ name: "codex", state: "waiting", waiting: { for: "messages", channels: ["ops"] } }),
      ],
      NOW,
    );
    assert.deepEqual(waiting, [{ name: "claude-code", doing: "waiting for an answer for 2 min" }]);
  });

  it("have waited, or been idle, for so long as its largest unit says", () => {
    const state = "idle";
    for (const [seconds, told] of [
      [-5, "0 s"],
      [59, "59 s"],
      [60, "1 min"],
      [7199, "1 h"],
      [3 * 86_400, "3 days"],
    ] as const) {
      const since = new Date(NOW - seconds * 1000).toISOString();
      assert.equal(doingText(participant({ state, since }), NOW), `idle for ${told}`);
    }
  });
});

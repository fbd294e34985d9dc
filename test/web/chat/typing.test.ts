import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { doingSentence, Typing, TypingTeller, type TypingState } from "../../../src/web/chat/typing.ts";

describe("who is writing", () => {
  it("is who said so lately, until a message, a word that it ended, or eight seconds", () => {
    const typing = new Typing();
    assert.equal(typing.hear("Ana", { state: "typing" }, 0), 8000);
    typing.hear("bot", { state: "thinking" }, 1000);
    typing.hear("anyone", { state: "typing", name: "Guest" }, 1000);
    typing.hear("Kim", { state: "typing" }, 1000);
    assert.deepEqual(typing.now(2000, "Kim"), { typing: ["Ana", "Guest"], thinking: ["bot"] });
    typing.hear("Guest", { state: "stopped" }, 2000);
    typing.stop("bot");
    assert.deepEqual(typing.now(7999, ""), { typing: ["Ana", "Kim"], thinking: [] });
    assert.deepEqual(typing.now(8000, ""), { typing: ["Kim"], thinking: [] });
  });

  it("is no one who says something else, and not more people than there is room for", () => {
    const typing = new Typing();
    for (const data of [null, 1, "typing", {}, { state: "dancing" }, []]) typing.hear("Ana", data, 0);
    typing.hear("", { state: "typing" }, 0);
    assert.deepEqual(typing.now(1, ""), { typing: [], thinking: [] });
    for (let n = 0; n < 100; n++) typing.hear(`person ${n}`, { state: "typing" }, 0);
    assert.equal(typing.now(1, "").typing.length, 20);
    assert.deepEqual(doingSentence(["a", "b", "c", "d", "e"], "typing"), {
      names: ["a", "b", "c"],
      rest: " and 2 more are typing…",
    });
    assert.equal(doingSentence(["a"], "thinking").rest, " is thinking…");
  });

  it("is told again after three seconds, and that it ended only if that was told", () => {
    const told: TypingState[] = [];
    const teller = new TypingTeller((state) => told.push(state));
    teller.ended(0);
    for (const now of [0, 100, 2999, 3000, 3001]) teller.wrote(false, now);
    teller.wrote(true, 3100);
    teller.ended(3200);
    assert.deepEqual(told, ["typing", "typing", "stopped"]);
  });
});

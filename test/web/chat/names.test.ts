import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plainName, readable } from "../../../src/web/shared/names.ts";

describe("a name in a page", () => {
  it("shows a sign for each character that no one would see, so that no name looks like another", () => {
    for (const hidden of [
      "\u202e",
      "\u200b",
      "\u200f",
      "\u00ad",
      "\u034f",
      "\u3164",
      "\u2060",
      "\ufeff",
      "\u{e0041}",
    ]) {
      assert.equal(readable(`bo${hidden}ss`), "bo\ufffdss");
      assert.equal(plainName(` bo${hidden}ss${hidden} `), "boss");
    }
  });

  it("is left as it is otherwise", () => {
    for (const name of ["Ada Lovelace", "Zoë ❤️‍🔥", "می‌خواهم", "agent-7", "世界"]) {
      assert.equal(readable(name), name);
      assert.equal(plainName(name), name);
    }
  });
});

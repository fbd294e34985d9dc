import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mentionPieces, mentions } from "../../src/web/shared/mentions.ts";
import { assert as holds, constantFrom, property, string } from "../support/properties.ts";

describe("mentions in a text", () => {
  it("are names after an @, and not addresses", () => {
    for (const [text, ...names] of [
      ["@Ana can you look?", "Ana"],
      ["(@Ana, @kim-2.)", "Ana", "kim-2"],
      ["@أحمد and @Zoë!", "أحمد", "Zoë"],
      ["a@b.example or x/@y or @@z", ""],
      ["@ alone, and @-", ""],
    ] as const) {
      const found = mentionPieces(text, "").flatMap(({ name }) => name ?? []);
      assert.deepEqual(
        found,
        names.filter((name) => name !== ""),
        text,
      );
    }
  });

  it("are of someone in any case, with spaces, and not of one whose name only begins so", () => {
    assert.ok(mentions("hey @ana maría, look", "Ana María"));
    assert.ok(mentions("@C.3 (x)", "C.3"));
    assert.ok(!mentions("@anabel", "ana"));
    assert.ok(!mentions("ana", "ana"));
    assert.ok(!mentions("@ana", ""));
    assert.ok(!mentions("@cx3", "c.3"));
  });

  it("leave every letter of the text where it is", () => {
    holds(
      property(string({ unit: constantFrom("@", "a", "é", ".", " ", "(", "-", "*", "\n") }), string(), (text, me) => {
        assert.equal(
          mentionPieces(text, me)
            .map((piece) => piece.text)
            .join(""),
          text,
        );
      }),
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { BEGINNING, cursorText, parseCursor, startOf, type Cursor } from "../../src/protocol/cursor.ts";

describe("a cursor", () => {
  it("is epoch and offset as text, and back", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{1,16}$/), fc.maxSafeNat(), (epoch, offset) => {
        assert.deepEqual(parseCursor(cursorText(epoch, offset)), { epoch, offset });
      }),
    );
  });

  it("is not read out of text that is none, whatever the text", () => {
    const texts = [
      "", "-", "e-", "-1", "e--1", "e-1 ", " e-1", "e-1\n", "E-1", "e-1.5", "e-1e3", "e_1", "e-0x1", "e-٣", "ä-1",
      `${"e".repeat(17)}-1`, "e-99999999999999999", "e-9007199254740992", "e".repeat(1_000_000), "null", "undefined",
    ]; // prettier-ignore
    for (const text of texts) assert.equal(parseCursor(text), undefined, text.slice(0, 40));
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const cursor = parseCursor(text);
        assert.ok(cursor === undefined || Number.isSafeInteger(cursor.offset));
      }),
    );
  });

  it("starts where it stands if the log knows it, at the beginning for `earliest`, and otherwise nowhere", () => {
    const asked: Cursor[] = [];
    const log = {
      knows(cursor: Cursor): boolean {
        asked.push(cursor);
        return cursor.epoch === "mine" && cursor.offset <= 7;
      },
    };
    assert.equal(startOf("mine-7", log), 7);
    assert.equal(startOf("mine-0", log), 0);
    assert.equal(startOf("mine-8", log), undefined);
    assert.equal(startOf("other-1", log), undefined);
    assert.equal(asked.length, 4);
    assert.equal(startOf("earliest", log), BEGINNING);
    assert.equal(startOf("rubbish", log), undefined);
    assert.equal(asked.length, 4);
  });
});

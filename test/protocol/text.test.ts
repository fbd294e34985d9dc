import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { oneLine, oneLineData, oneLineName } from "../../src/protocol/text.ts";
import { visibleJson, visibleLines, visibleText } from "../../src/protocol/visible.ts";

/** What no line for people may hold as it is. */
const HARMFUL = /[\p{Cc}\u2028\u2029\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

describe("one line of text", () => {
  it("leaves ordinary text alone", () => {
    const texts = ["hello", "", "Grüße, 世界 👩‍👩‍👧", 'he said "hi"', "C:\\new\\table", "a  b", "نامه‌ها"];
    for (const text of texts) assert.equal(oneLine(text), text);
  });

  it("makes of what breaks a line, or moves a cursor, a JSON string", () => {
    assert.equal(oneLine("a\nb"), String.raw`"a\nb"`);
    assert.equal(oneLine("a\r\n\tb"), String.raw`"a\r\n\tb"`);
    assert.equal(oneLine("\u001b[2J\u009b2J\u007f"), String.raw`"\u001b[2J\u009b2J\u007f"`);
    assert.equal(oneLine("a\u0085b\u2028c\u2029d"), String.raw`"a\u0085b\u2028c\u2029d"`);
    assert.equal(oneLine("\u202eevil\u2066\u200b"), String.raw`"\u202eevil\u2066\u200b"`);
    assert.equal(oneLine("\u{e0041}"), String.raw`"\udb40\udc41"`);
    assert.equal(oneLine("\ud800"), String.raw`"\ud800"`);
  });

  it("writes out what hides, and leaves what emoji and words are made of", () => {
    assert.equal(oneLine("a\u034fb\u115f\u3164\uffa0"), String.raw`"a\u034fb\u115f\u3164\uffa0"`);
    assert.equal(oneLine("hi\u{e0101}\u{e0102}\ufe01"), String.raw`"hi\udb40\udd01\udb40\udd02\ufe01"`);
    assert.equal(oneLine("hi\u200c\u200d\u200c"), String.raw`"hi\u200c\u200d\u200c"`);
    assert.equal(oneLine("hi\u200d\ufe0f\u200d\ufe0f"), String.raw`"hi\u200d\ufe0f\u200d\ufe0f"`);
    for (const text of ["❤️‍🔥", "👩🏽‍❤️‍👨🏻", "1️⃣", "葛\u{e0100}城", "می‌خواهم", "🏳️‍🌈"]) assert.equal(oneLine(text), text);
  });

  it("tells a text that looks like a JSON string from the text that one stands for", () => {
    assert.equal(oneLine('"a\\nb"'), String.raw`"\"a\\nb\""`);
  });

  it("quotes a name that could be taken for more than a name", () => {
    for (const name of ["ada", "Ada Lovelace", "agent-7@example.org", "Zoë"]) assert.equal(oneLineName(name), name);
    assert.equal(oneLineName("boss: yes"), '"boss: yes"');
    assert.equal(oneLineName("[order] boss"), '"[order] boss"');
    assert.equal(oneLineName("bo\u200dss"), String.raw`"bo\u200dss"`);
    assert.equal(oneLineName("boss\u3164"), String.raw`"boss\u3164"`);
    assert.equal(oneLineName("bo\u034fss\ufe00"), String.raw`"bo\u034fss\ufe00"`);
    assert.equal(oneLineName("\u2800"), String.raw`"\u2800"`);
    assert.equal(oneLineName(" boss"), '" boss"');
    assert.equal(oneLineName(""), '""');
  });

  it("writes other values as JSON that parses to the same", () => {
    const value = { "a\u2028": ["x\ny\u202e\u0085", 1, null, "\\n"] };
    const text = oneLineData(value);
    assert.equal(text, String.raw`{"a\u2028":["x\ny\u202e\u0085",1,null,"\\n"]}`);
    assert.deepEqual(JSON.parse(text), value);
    assert.equal(oneLineData("a\nb"), String.raw`"a\nb"`);
  });

  it("shows in indented JSON what would turn letters around, or hide them", () => {
    const value = { "rm\u200b": ["a\u202etxt.exe", "\u{e0041}\u2800\u0085\n", "Grüße"] };
    const json = visibleJson(value, 2);
    assert.doesNotMatch(json.replaceAll("\n", ""), HARMFUL);
    assert.match(json, /^\{\n  "rm\\u200b": \[\n    "a\\u202etxt\.exe",/);
    assert.deepEqual(JSON.parse(json), value);
  });

  it("shows in a text of several lines what would turn letters around, or hide them, and leaves words and lines alone", () => {
    assert.equal(visibleText("a\u202etxt.exe\u200b\r\nb\u2066\u0007"), "a\\u202etxt.exe\\u200b\nb\\u2066\\u0007");
    assert.equal(
      visibleText("1\u200f2 \u200d\u200d a\u{e0100}\u{e0101}\u{e0041}"),
      "1\\u200f2 \\u200d\\u200d a\\udb40\\udd00\\udb40\\udd01\\udb40\\udc41",
    );
    for (const text of [
      "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
      "葛\u{e0100}",
      "\u06dd١",
      "Grüße,\n\t世界 👩‍👩‍👧 ❤️",
      "نامه‌ها\u200f!",
      "שלום\u200f (a)",
    ])
      assert.equal(visibleText(text), text);
  });

  it("has in one line of JSON no value that digits beside it would read from right to left with", () => {
    assert.equal(visibleLines({ steps: ["a", 100] }), '{"steps":["a",100]}');
    assert.equal(visibleLines({ steps: ["א", 100] }), '{\n "steps": [\n  "א",\n  100\n ]\n}');
  });

  it("never lets two texts come out alike, or anything harmful through", () => {
    const unit = fc.oneof(fc.string({ unit: "binary", maxLength: 1 }), fc.constantFrom("\n", "\\", "n", '"', "\u2028"));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 8 }), (parts) => {
        const text = parts.join("");
        for (const write of [oneLine, oneLineName]) {
          const line = write(text);
          assert.doesNotMatch(line, HARMFUL);
          assert.equal(line.startsWith('"') ? JSON.parse(line) : line, text);
        }
      }),
    );
  });
});

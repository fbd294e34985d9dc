import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { isDeeper, JsonFault, keptJson, parseJson } from "../../src/protocol/json.ts";

function refusal(text: string): string {
  try {
    parseJson(text, "It");
  } catch (error) {
    assert.ok(error instanceof JsonFault);
    return error.message;
  }
  throw new Error(`it was not refused: ${text}`);
}

describe("JSON from outside", () => {
  it("is the same value that JSON.parse makes, whatever it holds and however it is spaced", () => {
    const json = fc.oneof(
      fc.jsonValue({ stringUnit: "binary" }),
      fc.json().map((text) => JSON.parse(text) as unknown),
    );
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, " ", "\t", 3), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        assert.deepEqual(parseJson(text, "It"), JSON.parse(text));
        assert.deepEqual(keptJson(text), JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it("is written out again with every number that a double cannot hold as it came", () => {
    const numbers = [
      "12345678901234567890",
      "-9007199254740993",
      "0.1234567890123456789",
      "1.00000000000000000001",
      "123456789012345678e-4",
      "-0",
      "-0.0",
      `1${"0".repeat(50)}1`,
    ];
    for (const number of numbers) {
      assert.equal(JSON.stringify(parseJson(number, "It")), number);
      const text = `{"a":[${number},{"\\"b":${number}}],"c":"${number}"}`;
      assert.equal(JSON.stringify(parseJson(text, "It")), text);
      assert.equal(JSON.stringify(keptJson(text)), text);
    }
  });

  it("has plain numbers wherever a double says the same, however they are written", () => {
    const numbers: [string, number][] = [
      ["1.0", 1],
      ["1e2", 100],
      ["100E-2", 1],
      ["0.10", 0.1],
      ["0e9", 0],
      ["0.000", 0],
      ["9007199254740992", 2 ** 53],
      ["1e300", 1e300],
      ["5e-324", 5e-324],
      ["1.7976931348623157e308", Number.MAX_VALUE],
      [`1${"0".repeat(300)}`, 1e300],
    ];
    for (const [text, number] of numbers) assert.equal(parseJson(text, "It"), number, text);
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (number) => {
        const value = parseJson(JSON.stringify([number]), "It") as [number];
        assert.ok(value[0] === number);
      }),
    );
  });

  it("brings back the digits of any decimal, or its value", () => {
    const digits = fc.stringMatching(/^(?:0|[1-9]\d{0,40})(?:\.\d{1,40})?(?:e[+-]?\d{1,2})?$/);
    fc.assert(
      fc.property(digits, (text) => {
        const value = parseJson(text, "It");
        if (typeof value !== "number") assert.equal(JSON.stringify(value), text);
        else assert.equal(Number(text), value);
      }),
      { numRuns: 1000 },
    );
  });

  it("may begin with a byte order mark, and a string in it keeps its own", () => {
    assert.deepEqual(parseJson('\uFEFF{"a":"\uFEFF"}', "It"), { a: "\uFEFF" });
  });

  it("is refused with the place of a number beyond the range of doubles", () => {
    assert.equal(refusal("1e400"), "It holds 1e400, which no double can hold; send it as a string");
    for (const [text, named] of [
      ['{"a":1,"b":[0,-1e400]}', /^It holds -1e400 at b\.1, /],
      ['{"a":{"price":1e-400}}', /^It holds 1e-400 at a\.price, /],
      [`[${"9".repeat(400)}]`, /^It holds 9{32} at 0, /],
      ['{"a":12345678901234567890,"b":1E999}', /^It holds 1E999 at b, /],
    ] as const)
      assert.match(refusal(text), named);
  });

  it("names what it refuses on one line", () => {
    assert.equal(
      refusal('{"a\u2028b":1e400}'),
      String.raw`It holds 1e400 at "a\u2028b", which no double can hold; send it as a string`,
    );
    assert.match(refusal('{"\u202e":1,"\u202e":2}'), /the name "\\u202e" twice/);
  });

  it("says the first of many numbers beyond the range, and looks at no other", () => {
    assert.match(refusal(`[1,${Array(1000).fill("1e-999").join()}]`), /^It holds 1e-999 at 1, /);
    assert.match(refusal('{"a":1e999,"b":-1e999}'), /^It holds 1e999 at a, /);
  });

  it("is refused if an object has a name twice, and not if two objects have it", () => {
    for (const [text, name] of [
      ['{"a":1,"a":1}', "a"],
      ['{"a" : 1 , "\\u0061":2}', "a"],
      ['[1,{"x":{"b":1,"c":{"b":2},"b":3}}]', "b"],
      ['{"__proto__":1,"__proto__":2}', "__proto__"],
      ['{"":1,"":2}', ""],
      ['{"\\\\":":","\\\\":1}', "\\"],
    ] as const)
      assert.equal(refusal(text), `It has an object with the name ${JSON.stringify(name)} twice; give each name once`);
    for (const text of [
      '{"a":{"a":"a"},"b":["a","a"]}',
      '["a:","a\\":",{"a:":":"}]',
      '{"a":"\\\\"}',
      '{"__proto__":{"x":1}}',
    ])
      assert.equal(JSON.stringify(parseJson(text, "It")), text);
  });

  it("is refused if it is no JSON, or nested deeper than it may be, however deep", () => {
    for (const text of ["", "{", "nonsense", "{'a':1}", "01", "NaN", "\uFEFF\uFEFF1"])
      assert.equal(refusal(text), "It is not JSON");
    for (const levels of [129, 100_000]) {
      const text = "[".repeat(levels) + "]".repeat(levels);
      assert.equal(refusal(text), "It is nested deeper than 128 levels; flatten it");
      assert.ok(isDeeper(JSON.parse(text), 128));
    }
    assert.ok(parseJson("[".repeat(128) + "]".repeat(128), "It"));
  });

  it("costs no more than in proportion to its length", () => {
    const many = 200_000;
    for (const text of [
      `"${"\\\\".repeat(many)}"`,
      `[${"0,".repeat(many)}0]`,
      `1${"0".repeat(many)}1e-${many}`,
      `"${'\\"'.repeat(many)}"`,
    ])
      parseJson(text, "It");
  });
});

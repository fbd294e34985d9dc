import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFound, MAX_QUERY, searchQuery } from "../../src/core/search-query.ts";
import { messageWords } from "../../src/core/search-words.ts";

function finds(query: string, data: unknown, sender = "anyone"): boolean {
  return isFound(searchQuery(query, "q"), { data: JSON.stringify(data), sender });
}

describe("the words of a search", () => {
  const cases: readonly (readonly [query: string, data: unknown, isIn: boolean])[] = [
    ["refund", "The Refund was sent", true],
    ["refund", "refunds", false],
    ["refund*", "refunds", true],
    ["sent refund", "The refund was sent", true],
    ["refund lost", "The refund was sent", false],
    ['"was sent"', "The refund was sent", true],
    ['"sent was"', "The refund was sent", false],
    ['"was se*"', "The refund was sent", true],
    ['"was se"*', "The refund was sent", true],
    ['"was sent', "The refund was sent", true],
    ["order_id", "the order id", true],
    ["order-17", "Order #17, paid", true],
    ["3.14", { pi: 3.14 }, true],
    ["12345678901234567890", { id: JSON.rawJSON("12345678901234567890") }, true],
    ["deep", { a: [{ b: "quite deep" }] }, true],
    ["amount", { amount: 5 }, false],
    ["true", { paid: true }, false],
    ['"one two"', ["one", "two"], false],
    ["line", 'a "quoted"\nline \\ with\ttabs', true],
    ["quoted", 'a "quoted"\nline', true],
    ["cafe", "Café", true],
    ["CAFÉ", "cafe\u0301", true],
    ["strasse", "Straße", true],
    ["istanbul", "İSTANBUL", true],
    ["ΟΔΟΣ", "οδος", true],
    ["елка", "Ёлка", true],
    ["full", "ｆｕｌｌ width", true],
    ["東京", "私は東京都に行く", true],
    ["京", "私は東京都に行く", true],
    ["東京都に", "私は東京都に行く", true],
    ["京東", "私は東京都に行く", false],
    ["か", "が", false],
    ["ガス", "ｶﾞｽ", true],
    ["서울", "서울에서 만나요", true],
    ["ไทย", "ภาษาไทยง่าย", true],
    ["كتاب", "والكتاب هنا", true],
    ["كتاب", "كِتَابٌ", true],
    ["احمد", "أحمد", true],
    ["كت", "والكتاب", true],
    ["تب ك", "كتاب", false],
    ["שלום", "בשלום", true],
    ["किताब", "यह किताब है", true],
    ["कतब", "यह किताब है", false],
    ['"iPhone ケース"', "iPhoneケース", true],
    ['"東京 tower"', "私の東京 Tower", true],
    ['"東京 tower"', "東京都 Tower", false],
    ["𠮷野", "𠮷野家", true],
    ["soft", "so\u00adft", true],
    ["c", "c++", true],
    ["x".repeat(100), "x".repeat(100), true],
  ];
  it("[SRCH-1] are found whatever their case, accents, form and script, in all texts and numbers", () => {
    for (const [query, data, isIn] of cases)
      assert.equal(finds(query, data), isIn, `${query} in ${JSON.stringify(data)}`);
  });

  it("[SRCH-1] are found in the sender, too, and no phrase reaches from it into the data", () => {
    assert.equal(finds("shop", "x", "order-shop"), true);
    assert.equal(finds("shop paid", "paid", "order-shop"), true);
    assert.equal(finds('"shop paid"', "paid", "order-shop"), false);
  });

  it("are those that are found: a message has every word of its own, and every two that follow each other", () => {
    for (const [, data] of cases) {
      const words = messageWords(JSON.stringify(data), "anyone").filter((word) => word !== "\ue000");
      for (const word of words) assert.equal(finds(word, data), true, `${word} in ${JSON.stringify(data)}`);
    }
  });

  it("[SRCH-2] are refused with a sentence if there are none, too many, or too much text, and nothing else is", () => {
    for (const [query, sentence] of [
      ["", /^q has no letters or digits to search for; give words/],
      ['"" * !!', /^q has no letters/],
      ["x".repeat(MAX_QUERY + 1), /^q has 257 characters; at most 256 are allowed/],
      ["a ".repeat(17), /^q has 17 words; at most 16 are allowed/],
    ] as const)
      assert.throws(() => searchQuery(query, "q"), { code: "INVALID_INPUT", message: sentence }, query);
    for (const query of [
      'a"b',
      "a AND (b OR c)",
      "NEAR(a b)",
      "words : a",
      "^a",
      "-a",
      'a" * b',
      "a'b;--",
      "\ud800a",
      "{a}",
    ])
      assert.ok(searchQuery(query, "q").length > 0, query);
  });

  it("take no longer, and fail at nothing, in a message that was made to be hard to search", () => {
    const start = performance.now();
    // Each of these characters stands for eighteen, and each of the words begins the phrase.
    assert.equal(finds("صلى", "\ufdfa".repeat(65_536)), true);
    assert.equal(finds(`"${"a ".repeat(100)}b"`, `${"a ".repeat(32_000)}c b`), false);
    assert.equal(finds(`"${"a ".repeat(100)}b"`, `${"a ".repeat(32_000)}b`), true);
    assert.equal(finds('"a a b a a c"', "a a b a a b a a c"), true);
    assert.equal(
      finds(
        "end",
        Array.from({ length: 100_000 }, () => ""),
      ),
      false,
    );
    assert.equal(finds("京", "京".repeat(65_000)), true);
    assert.ok(performance.now() - start < 5000);
  });

  it("are sought in the first 65,536 characters of a message, which takes no longer if it is larger", () => {
    const text = `${"a ".repeat(32_768)}end`;
    assert.equal(finds("end", text.slice(2)), false);
    assert.equal(finds("end", text.slice(10)), true);
    assert.equal(finds("a end", text.slice(10)), true);
    const start = performance.now();
    assert.equal(finds("end", `${"\\".repeat(8 * 1024 * 1024)}end`), false);
    assert.ok(performance.now() - start < 5000);
  });

  it("are read from any text in bounded time, whatever a character stands for and however many marks it has", () => {
    for (const [name, text] of [
      ["a character that stands for four words", "\ufdfa".repeat(65_536)],
      ["one that stands for words without spaces", "\u337f".repeat(65_536)],
      ["marks that have to be put in order", `a${"\u0301\u0316".repeat(32_000)}`],
      [
        "marks of a letter, in between of which something is left out",
        `\u0915${`${"\u094d\u093c".repeat(15)}\u00ad`.repeat(2000)}`,
      ],
    ] as const) {
      const start = performance.now();
      assert.ok(messageWords(JSON.stringify(text), "anyone").length <= 65_536 + 2, name);
      assert.equal(finds("lost", text), false, name);
      assert.ok(performance.now() - start < 4000, `${name}: ${performance.now() - start} ms`);
    }
    const [phrase] = searchQuery("\ufdfa".repeat(MAX_QUERY), "q");
    assert.ok((phrase?.words.length ?? Infinity) <= 512);
  });
});

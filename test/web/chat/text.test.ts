import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../../support/properties.ts";
import { beginningOf, piecesOf } from "../../../src/web/shared/text.ts";

const linksIn = (text: string): string[] => piecesOf(text).flatMap(({ href }) => (href === undefined ? [] : [href]));

describe("links in a text", () => {
  it("are addresses of http and https, without what belongs to the sentence", () => {
    for (const [text, ...links] of [
      ["see https://example.com.", "https://example.com"],
      ["(http://localhost:8000/docs), and", "http://localhost:8000/docs"],
      [
        "https://example.com/a_(b) and https://example.com/?q=1&r=2#x!",
        "https://example.com/a_(b)",
        "https://example.com/?q=1&r=2#x",
      ],
      ["<https://example.com/>", "https://example.com/"],
      ["https://a.b/“q”", "https://a.b/"],
      ["„https://a.b“ – (https://x，then", "https://a.b", "https://x"],
      ["见 https://a.b/c。 https://a.b/c？ https://a.b）", "https://a.b/c", "https://a.b/c", "https://a.b"],
      ["https://a.b/c—and https://a.b/d’s", "https://a.b/c", "https://a.b/d"],
      ["no address: example.com, http://, https://?, xhttps://example.com"],
    ] as const) {
      assert.deepEqual(linksIn(text), links, text);
    }
  });

  it("are none where the address may not lead where it seems to", () => {
    for (const text of [
      "javascript:alert(1)",
      "data:text/html,x",
      "https://user@example.com/",
      "https://user:password@example.com/",
      "https://bank.example@evil.example/",
      "https://xn--e1awd7f.com/",
      "https://\u0435xample.com/",
      "https://example.com/\u202egnp.exe",
      "https://example.com\u2024evil.example/",
      'https://"example.com/',
      // What follows may go on with the name of the host, or with the path.
      "https://exampl\u0435.com/",
      "https://example。evil.example/",
      "https://example．evil.example/",
      "https://bank\u2010example.com/",
      "https://bank—example.com/",
      "https://co·op.example/",
      "https://example：8080/",
      "https://bank.example＠evil.example/",
      "https://example.com/Müller",
      "https://example.com/file\u2024exe",
      "https://example.com/read\u2010me",
      "https://example.com/long…",
      "https://example.com/a／b",
      "https://example.com/😀",
    ]) {
      assert.deepEqual(linksIn(text), [], text);
    }
  });

  it("leave the text as it was", () => {
    const part = fc.constantFrom("https://", "http://a.b/", "(", ")", ".", " ", "é", "\u202e", "x", "\n");
    fc.assert(
      fc.property(fc.array(part), fc.string(), (parts, more) => {
        const text = parts.join("") + more;
        assert.equal(
          piecesOf(text)
            .map((piece) => piece.text)
            .join(""),
          text,
        );
      }),
    );
  });
});

describe("the beginning of a text", () => {
  it("is the text where that is not long, or hardly longer than what would be shown", () => {
    for (const text of ["", "short", "x".repeat(2000), "x".repeat(2300), "line\n".repeat(29)])
      assert.equal(beginningOf(text), text);
  });

  it("is cut by characters and by lines, and never through a pair of surrogates", () => {
    assert.equal(beginningOf("x".repeat(65_536)).length, 2000);
    assert.equal(beginningOf("line\n".repeat(500)).split("\n").length, 30);
    const faces = beginningOf(`x${"😀".repeat(3000)}`);
    assert.ok(faces.length <= 2000 && faces.isWellFormed());
  });

  it("is how every text begins, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 5000, size: "max" }), (text) => {
        const beginning = beginningOf(text);
        assert.ok(text.startsWith(beginning) && beginning.length <= 2400 && (text === "" || beginning !== ""));
      }),
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commandsIn } from "../../../src/web/guide/commands.ts";
import { excerptOf } from "../../../src/web/guide/search.ts";

describe("what the search of the guide shows", () => {
  it("is the text around the first word that was found", () => {
    const text = `${"one two three four five six seven eight nine ten ".repeat(4)}needle ${"and so on ".repeat(30)}`;
    const excerpt = excerptOf(text, ["needle", "missing"]);
    assert.match(excerpt, /^… \w+ .*needle and so on .* …$/);
    assert.ok(excerpt.length < 160, excerpt);
  });

  it("is the beginning of the text if the word is there, or only in the heading", () => {
    assert.equal(excerptOf("Short text", ["short"]), "Short text");
    assert.equal(excerptOf("Short text", ["heading"]), "Short text");
    assert.equal(excerptOf("", ["heading"]), "");
  });

  it("is some text even if nothing in it is a space", () => {
    assert.match(excerptOf(`${"x".repeat(100)}needle${"x".repeat(100)}`, ["needle"]), /needle/);
  });
});

describe("what is copied of a terminal", () => {
  it("is what was typed, over as many lines as the shell reads, without what was printed", () => {
    const shown = `$ curl http://localhost:8000/mcp \\\n    -d '{\n  "id": 1\n}'\n{"id":1}\n$ echo done\ndone`;
    assert.equal(commandsIn(shown), `curl http://localhost:8000/mcp \\\n    -d '{\n  "id": 1\n}'\necho done`);
  });
});

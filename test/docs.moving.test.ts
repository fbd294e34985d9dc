import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { exported } from "./support/archives.ts";
import { blocksIn } from "./support/page-blocks.ts";
import { Recipe } from "./support/recipe.ts";
import { needsEngine, startEngine } from "./support/redis.ts";
import { draftOf } from "./support/sample.ts";
import { openSqlite } from "./support/sqlite-file.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/moving.md"), "utf8");

describe("docs/moving.md", { timeout: 120_000 }, () => {
  it("moves a log with what it shows", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using recipe = await Recipe.open(async () => ({ "redis://localhost:6379": engine.url }));
    mkdirSync(recipe.file("data"));
    {
      await using log = await openSqlite(recipe.file("data/hub.db"));
      for (const text of ["one", "two"]) await log.append(draftOf("orders.eu", text));
      await log.append(draftOf("orders.us", "three", { key: "k" }));
    }
    for (const block of blocksIn(PAGE)) await recipe.follow(block);
    const text = readFileSync(recipe.file("hub.ndjson"), "utf8");
    assert.equal(await exported(recipe.file("new.db")), text);
    // Redis does not say when it was last in use.
    const known = (all: string): string => all.replace(/"used":\d+,/, "");
    assert.equal(known(await exported(recipe.file("back.db"))), known(text));
  });
});

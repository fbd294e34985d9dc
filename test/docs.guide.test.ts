import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { blocksIn } from "./support/page-blocks.ts";
import { Recipe } from "./support/recipe.ts";

const read = (page: string): string => readFileSync(join(import.meta.dirname, "../docs", page), "utf8");

describe("the pages of the guide", { timeout: 120_000 }, () => {
  it("show what a hub answers: its health after the installation, and a call that waits", async () => {
    await using recipe = await Recipe.open();
    await recipe.start("sse-mcp-server");
    let typed = 0;
    for (const page of ["install.md", "client-timeouts.md"]) {
      for (const block of blocksIn(read(page)).filter(({ language }) => language === "console")) {
        await recipe.follow(block);
        typed++;
      }
    }
    assert.equal(typed, 2);
  });

  it("have a check of streams that shows the first line at once, and a command that prints the configuration", async () => {
    await using recipe = await Recipe.open();
    await recipe.start("sse-mcp-server");
    const indented = read("deploying.md").replace(/^ {3}/gm, "");
    const [stream, print] = blocksIn(indented).filter(({ language }) => language === "sh");
    assert.match(stream?.text ?? "", /^curl -N /);
    const begin = `export HUB_TOKEN=none PUBLIC_URL=http://localhost:${recipe.port}\n`;
    await recipe.start(begin + (stream?.text ?? ""), (output) => output.includes("retry: "));
    assert.equal(print?.text, "sse-mcp-server --print-config");
    const main = join(import.meta.dirname, "../src/cli/main.ts");
    assert.match(execFileSync(process.execPath, [main, "--print-config"], { encoding: "utf8" }), /RETENTION_AGE/i);
  });

  it("compare versions: each program has one, and the time it was looked at", () => {
    const [, table = ""] = /\n(\| program [^]*?)\n\n/.exec(read("comparison.md")) ?? [];
    const rows = table.split("\n").slice(2);
    assert.equal(rows.length, 7);
    for (const row of rows) assert.match(row.split("|")[3] ?? "", /\d.*20\d\d/, row);
  });
});

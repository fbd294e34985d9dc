import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Cli } from "./support/cli.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";
import { until } from "./support/until.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/tools.md"), "utf8");
/** The package by its name, as a program that installed it has it. */
const NODE_OPTIONS = `--import=${new URL("support/from-source.ts", import.meta.url).href}`;

function blocks(language: string): string[] {
  return [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, text = ""]) => text);
}

describe("docs/tools.md", () => {
  it("has a tool that serve --tools offers, and that answers as the page shows", async () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("tools.ts"), blocks("ts")[0] as string);
    const [serve = "", call = ""] = blocks("sh");
    const words = serve.trim().split(" ").slice(1);
    await using cli = new Cli([...words, "--port", "0", "--data", "memory:"], {
      cwd: folder.path,
      env: { NODE_OPTIONS },
    });
    const url = await cli.url();
    const command = call.replaceAll("http://localhost:8000", url).replace("curl", "curl -sS");
    const answer = JSON.parse(execFileSync("bash", ["-c", command], { encoding: "utf8" })) as {
      result: { structuredContent: { order: string } };
    };
    const shown = JSON.parse(blocks("json")[0] as string) as typeof answer;
    assert.match(answer.result.structuredContent.order, /^[a-z0-9]+-1$/);
    answer.result.structuredContent.order = shown.result.structuredContent.order;
    assert.deepEqual(answer, shown);
  });

  it("has a program that starts a server with the tool", async () => {
    using folder = new TemporaryFolder();
    const [tools = "", hub = ""] = blocks("ts");
    writeFileSync(folder.file("tools.ts"), tools);
    writeFileSync(
      folder.file("hub.ts"),
      hub.replace("port: 8000", 'port: 0, data: "memory:"').replace(/$/, "\nawait server.close();\n"),
    );
    const output = execFileSync(process.execPath, [folder.file("hub.ts")], {
      cwd: folder.path,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS },
    });
    assert.match(output, /http:\/\/127\.0\.0\.1:\d+\n/);
  });

  it("is right that serve says in one sentence what is wrong with a file of tools", async () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("none.ts"), "export const a = 1;");
    writeFileSync(folder.file("broken.ts"), "export const a = ;");
    const twice = `import { defineTool, z } from "sse-mcp-server";
export const tools = [1, 2].map(() => defineTool({ name: "a", description: "a", input: z.object({}), run: () => "" }));`;
    writeFileSync(folder.file("twice.ts"), twice);
    const sentences = {
      "none.ts": /TOOLS names none\.ts, which exports no tool; export what defineTool returns/,
      "broken.ts": /TOOLS names broken\.ts, which cannot be loaded: /,
      "missing.ts": /TOOLS names missing\.ts, which does not exist/,
      "twice.ts": /two tools named a; give each its own name/,
    };
    for (const [file, sentence] of Object.entries(sentences)) {
      await using cli = new Cli(["serve", "--port", "0", "--data", "memory:", "--tools", file], {
        cwd: folder.path,
        env: { NODE_OPTIONS },
      });
      await until("it ends", () => cli.code !== undefined);
      assert.deepEqual([cli.code, cli.stdout], [1, ""]);
      assert.match(cli.stderr, sentence);
      assert.equal(cli.stderr.split("\n").length, 2, cli.stderr);
    }
  });
});

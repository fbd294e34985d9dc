import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** The documents the project was created from lie beside the checkout, where they are at all. */
const FOLDER = join(import.meta.dirname, "../../../shared/seed");

/** A piece of code in a document. */
export interface CodeBlock {
  readonly language: string;
  /** The last line of text before it, without its decoration. */
  readonly title: string;
  readonly code: string;
}

/** All code in the documents; skips the test where they are not there. */
export function seedBlocks(test: TestContext): readonly CodeBlock[] {
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith(".txt")) : [];
  if (files.length === 0) {
    test.skip(`the project's first document is not here: ${join("..", "shared", "seed", "*.txt")}`);
    return [];
  }
  return files.sort().flatMap((name) => blocks(readFileSync(join(FOLDER, name), "utf8")));
}

/** The blocks in a language whose title matches. */
export function blocksOf(all: readonly CodeBlock[], language: string, title: RegExp): readonly CodeBlock[] {
  return all.filter((block) => block.language === language && title.test(block.title));
}

/** The code with our server in place of the one it names. */
export function pointedAt(code: string, port: number): string {
  return code.replaceAll(/\b(?:localhost|sse-mcp-server):8000\b/g, `localhost:${port}`);
}

function blocks(text: string): CodeBlock[] {
  const found: CodeBlock[] = [];
  let title = "";
  let open: { language: string; lines: string[] } | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (open !== undefined && line === "```") {
      found.push({ language: open.language, title, code: open.lines.join("\n") });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else if (line.startsWith("```")) open = { language: line.slice(3), lines: [] };
    else if (line.trim() !== "") title = line.replaceAll(/[*#:]/g, "").trim();
  }
  return found;
}

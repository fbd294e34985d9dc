import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, type Tool } from "../index.ts";

/** The mark of `defineTool`, the same in every copy of this package. */
const TOOL = Symbol.for("sse-mcp-server.Tool");

/**
 * The tools that modules export, singly or in lists, by any name. Node takes the types from a module in TypeScript.
 * Throws a `ConfigError` that names the module and says what is wrong with it.
 */
export async function loadTools(paths: readonly string[]): Promise<readonly Tool[]> {
  const loaded = await Promise.all(paths.map(loadModule));
  return loaded.flat();
}

async function loadModule(path: string): Promise<readonly Tool[]> {
  const file = resolve(path);
  if (!existsSync(file)) throw new ConfigError(`TOOLS names ${path}, which does not exist`);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new ConfigError(
      `TOOLS names ${path}, which cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const tools = [...new Set(Object.values(module).flat().filter(isTool))];
  if (tools.length > 0) return tools;
  throw new ConfigError(`TOOLS names ${path}, which exports no tool; export what defineTool returns`);
}

/** It may come from another copy of this package. */
function isTool(value: unknown): value is Tool {
  return typeof value === "object" && value !== null && TOOL in value;
}

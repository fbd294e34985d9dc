import { readFileSync } from "node:fs";
import { HubError } from "../core/errors.ts";

const VIEWS = new URL("../../public/views/", import.meta.url);
const read = new Map<string, string>();

/** The HTML of a view for MCP clients, which `npm run pages` builds. Throws if it is not built. */
export function viewHtml(name: string): string {
  let html = read.get(name);
  if (html !== undefined) return html;
  try {
    html = readFileSync(new URL(`${name}.html`, VIEWS), "utf8");
  } catch (cause) {
    throw new HubError("INTERNAL", "The views are not built; run npm ci", { cause });
  }
  read.set(name, html);
  return html;
}

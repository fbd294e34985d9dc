import type { ContentResult } from "../../src/mcp/definitions.ts";
import type { JsonObject } from "../../src/mcp/errors.ts";

/** A picture of one black pixel. */
export const IMAGE: JsonObject = {
  type: "image",
  data: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg==",
  mimeType: "image/png",
};

/** A sound of two samples. */
export const AUDIO: JsonObject = {
  type: "audio",
  data: "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==",
  mimeType: "audio/wav",
};

export function text(said: string): JsonObject {
  return { type: "text", text: said };
}

export function resource(uri: string, mimeType: string, said: string): JsonObject {
  return { type: "resource", resource: { uri, mimeType, text: said } };
}

/** The result of a tool. */
export function content(...blocks: readonly JsonObject[]): ContentResult {
  return { content: blocks };
}

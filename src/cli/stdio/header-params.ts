import { isObject } from "../../protocol/json.ts";
import { exchange } from "./exchange.ts";
import type { HubEndpoint } from "./hub-endpoint.ts";
import type { JsonObject, Message, Request } from "./message.ts";
import type { PendingRequest } from "./pending-request.ts";

/** An argument of a tool that a header repeats. */
interface HeaderParam {
  readonly header: string;
  /** From the arguments down. */
  readonly path: readonly string[];
}

const HEADER_MISMATCH = -32020;
/** Pages that a list of tools is read to. */
const MAX_PAGES = 20;
/** Tools that are remembered. */
const MAX_TOOLS = 10_000;
/** Levels of a schema that are looked at. */
const MAX_LEVELS = 32;
const PLAIN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * Calls of tools whose schemas want arguments repeated in headers (2026-07-28, "Custom Headers from Tool Parameters"):
 * the hub says so by refusing a call without them. Then its tools are listed, and the call is repeated.
 */
export class HeaderParams {
  readonly #byTool = new Map<unknown, readonly HeaderParam[]>();

  /** Resolves when all is written. Throws `Failure`. */
  async call(hub: HubEndpoint, { message, signal, write }: PendingRequest): Promise<void> {
    let refused: Message | undefined;
    const receive = (reply: Message): void => {
      if (reply.error?.["code"] === HEADER_MISMATCH) refused = reply;
      else write(reply);
    };
    const ask = (): Promise<unknown> => exchange(hub, message, receive, { signal, headers: this.#headers(message) });
    await ask();
    if (refused === undefined) return;
    await this.#list(hub, message, signal);
    refused = undefined;
    await ask();
    if (refused !== undefined) write(refused);
  }

  async #list(hub: HubEndpoint, { id, params }: Request, signal: AbortSignal): Promise<void> {
    const { progressToken: _, ...meta } = isObject(params?.["_meta"]) ? params["_meta"] : {};
    let list: JsonObject = { _meta: meta };
    const learn = ({ result = {} }: Message): void => {
      const { tools, nextCursor } = result;
      for (const tool of Array.isArray(tools) ? tools.filter(isObject) : []) {
        const found = [...declaredIn(tool["inputSchema"])];
        if (found.length === 0) this.#byTool.delete(tool["name"]);
        else if (this.#byTool.size < MAX_TOOLS) this.#byTool.set(tool["name"], found);
      }
      list = { _meta: meta, cursor: nextCursor };
    };
    for (let page = 0; page < MAX_PAGES && (page === 0 || typeof list["cursor"] === "string"); page++) {
      await exchange(hub, { jsonrpc: "2.0", id, method: "tools/list", params: list }, learn, { signal });
    }
  }

  #headers({ method, params = {} }: Message): Record<string, string> {
    const found = method === "tools/call" ? this.#byTool.get(params["name"]) : undefined;
    return Object.fromEntries(
      (found ?? []).flatMap(({ header, path }) => {
        const value = path.reduce<unknown>(
          (from, name) => (isObject(from) ? from[name] : undefined),
          params["arguments"],
        );
        const isRepeated = ["string", "number", "boolean"].includes(typeof value);
        return isRepeated ? [[`mcp-param-${header.toLowerCase()}`, headerValue(String(value))]] : [];
      }),
    );
  }
}

function* declaredIn(schema: unknown, path: readonly string[] = []): Generator<HeaderParam> {
  const properties = isObject(schema) ? schema["properties"] : undefined;
  if (!isObject(properties) || path.length > MAX_LEVELS) return;
  for (const [name, property] of Object.entries(properties)) {
    const header = isObject(property) ? property["x-mcp-header"] : undefined;
    if (typeof header === "string") yield { header, path: [...path, name] };
    yield* declaredIn(property, [...path, name]);
  }
}

/** A text as the value of a header ("Value Encoding"). */
function headerValue(text: string): string {
  const looksEncoded = text.startsWith("=?base64?") && text.endsWith("?=");
  if (PLAIN.test(text) && !looksEncoded) return text;
  return `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

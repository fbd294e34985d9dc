import type { OutgoingHttpHeaders } from "node:http";
import { createParser } from "eventsource-parser";
import { EventReader } from "./event-reader.ts";
import { checkMessage, type McpErrorObject, type McpMessage } from "./mcp-schema.ts";
import { request, type Answer, type RequestOptions } from "./request.ts";

/** The tools of a hub, in the order in which they are listed. */
export const HUB_TOOLS = [
  "get_server_info",
  "send_sse_message",
  "list_channels",
  "read_messages",
  "wait_for_messages",
  "ask_person",
  "await_answer",
  "list_participants",
] as const;

/** The revision spoken. */
export const VERSION = "2026-07-28";

/** Names in `_meta`. */
export const PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";
export const CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
export const LOG_LEVEL = "io.modelcontextprotocol/logLevel";
export const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";
export const SERVER_INFO = "io.modelcontextprotocol/serverInfo";

/** What a request says instead of what its client would; undefined leaves a thing out. */
export interface McpOptions {
  readonly id?: unknown;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly agent?: NonNullable<RequestOptions["agent"]>;
}

/** A whole answer: every message of it has the form that the specification's schema gives it. */
export interface McpAnswer {
  readonly status: number;
  readonly headers: Answer["headers"];
  readonly text: string;
  readonly id: string | number | undefined;
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly error: McpErrorObject | undefined;
  /** What came before the result, if the answer was a stream. */
  readonly notifications: readonly McpMessage[];
}

/** Sends one request of revision 2026-07-28 and reads all of its answer. */
export async function mcp(
  server: { readonly url: string },
  method: string,
  params: object = {},
  options: McpOptions = {},
): Promise<McpAnswer> {
  const { agent } = options;
  const asked = mcpRequest(method, params, options);
  return answerOf(method, await request(`${server.url}/mcp`, { ...asked, ...(agent === undefined ? {} : { agent }) }));
}

/** Sends a body as it is, with the headers of `tools/list` unless others are given. */
export async function mcpText(
  server: { readonly url: string },
  body: string | Uint8Array,
  headers: OutgoingHttpHeaders = mcpRequest("tools/list").headers,
): Promise<McpAnswer> {
  const answer = await request(`${server.url}/mcp`, { method: "POST", headers, body });
  return answerOf(String(headers["mcp-method"]), answer);
}

/** A request as a client of revision 2026-07-28 sends it. */
export function mcpRequest(
  method: string,
  params: object = {},
  options: McpOptions = {},
): { readonly method: "POST"; readonly headers: OutgoingHttpHeaders; readonly body: string } {
  const { meta = {}, headers = {} } = options;
  const id = "id" in options ? options.id : 1;
  const _meta = {
    [PROTOCOL_VERSION]: VERSION,
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" },
    [CLIENT_CAPABILITIES]: {},
    ...meta,
  };
  const { name, uri, taskId } = params as { name?: unknown; uri?: unknown; taskId?: unknown };
  const isCall = method === "tools/call" || method === "prompts/get";
  const named = isCall ? name : method.startsWith("tasks/") ? taskId : method === "resources/read" && uri;
  const all = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": VERSION,
    "mcp-method": method,
    "mcp-name": typeof named === "string" ? headerValue(named) : undefined,
    ...headers,
  };
  return {
    method: "POST",
    headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
    body: JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta } }),
  };
}

/** A text as the value of a header (2026-07-28, "Value Encoding"). */
export function headerValue(text: string): string {
  const isSafe = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text);
  const looksEncoded = text.startsWith("=?base64?") && text.endsWith("?=");
  return isSafe && !looksEncoded ? text : `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

/** Reads an answer to a method, whichever form it has. */
export function answerOf(method: string, { status, headers, text }: Omit<Answer, "bytes">): McpAnswer {
  const messages: McpMessage[] = [];
  const read = (json: string): void => void messages.push(checkMessage(method, JSON.parse(json) as McpMessage));
  if (headers["content-type"] === "text/event-stream; charset=utf-8") {
    createParser({ onEvent: ({ data }) => read(data) }).feed(text);
  } else if (text !== "") {
    read(text);
  }
  const last = messages.at(-1);
  return {
    status,
    headers,
    text,
    id: last?.id,
    result: last?.result,
    error: last?.error,
    notifications: messages.filter((message) => message.method !== undefined),
  };
}

/** The result of a request; throws if it was answered with an error. */
export function resultOf({ result, text }: McpAnswer): Readonly<Record<string, unknown>> {
  if (result === undefined) throw new Error(`no result: ${text}`);
  return result;
}

/** An answer that is a stream, message by message; each has the form that the specification's schema gives it. */
export class McpStream {
  readonly reader: EventReader;
  readonly #method: string;

  private constructor(reader: EventReader, method: string) {
    this.reader = reader;
    this.#method = method;
  }

  /** Resolves when the head of the answer is there. */
  static async open(
    server: { readonly url: string },
    method: string,
    params: object = {},
    options: McpOptions = {},
  ): Promise<McpStream> {
    const { headers, body } = mcpRequest(method, params, options);
    return new McpStream(await EventReader.open(`${server.url}/mcp`, { headers, body }), method);
  }

  /** The next message; rejects when none comes before a deadline, or the stream ends. */
  async next(): Promise<McpMessage> {
    return this.#read((await this.reader.next()).data);
  }

  /** Messages that have come and were not asked for with `next`. */
  get waiting(): readonly McpMessage[] {
    return this.reader.waiting.map(({ data }) => this.#read(data));
  }

  close(): void {
    this.reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(data: string): McpMessage {
    return checkMessage(this.#method, JSON.parse(data) as McpMessage);
  }
}

/** Opens `subscriptions/listen` and reads its acknowledgement; returns to what it was granted. */
export async function listen(
  server: { readonly url: string },
  notifications: object,
  options: McpOptions = {},
): Promise<{ readonly stream: McpStream; readonly granted: unknown } & Disposable> {
  const stream = await McpStream.open(server, "subscriptions/listen", { notifications }, options);
  const first = await stream.next();
  if (first.method !== "notifications/subscriptions/acknowledged") throw new Error(JSON.stringify(first));
  return { stream, granted: first.params?.["notifications"], [Symbol.dispose]: () => stream.close() };
}

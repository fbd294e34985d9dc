import { ask, type AskOptions, type Reply } from "./http.ts";

/** What a call of a tool came to. */
export interface ToolReply {
  readonly status: number;
  /** Set if the tool did what it was asked. */
  readonly structured?: Readonly<Record<string, unknown>>;
  /** What was wrong otherwise. */
  readonly why: string;
}

/** Calls a tool of whatever node is at the URL. */
export type CallTool = (url: string, tool: string, input: object, options?: AskOptions) => Promise<ToolReply>;

const MODERN = "2026-07-28";
const LEGACY = "2025-11-25";
const INFO = { name: "chaos", version: "1.0.0" };

/** Revision 2026-07-28, which has no sessions. */
export const callModern: CallTool = async (url, tool, input, options) => {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": INFO,
  };
  const headers = { "mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": tool };
  const message = { id: 1, method: "tools/call", params: { name: tool, arguments: input, _meta } };
  return toolReply(await post(url, message, headers, options));
};

/** A session of revision 2025-11-25, which goes on at whatever node it is used; another one once it is over. */
export class LegacyCalls {
  #session: string | undefined;
  #count = 0;

  /** How often a session was opened. */
  opened = 0;

  readonly call: CallTool = async (url, tool, input, options) => {
    this.#session ??= await this.#open(url);
    const headers = { "mcp-session-id": this.#session, "mcp-protocol-version": LEGACY };
    const message = { id: ++this.#count, method: "tools/call", params: { name: tool, arguments: input } };
    const reply = await post(url, message, headers, options);
    if (reply.status === 404) this.#session = undefined;
    return toolReply(reply);
  };

  async #open(url: string): Promise<string> {
    const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo: INFO };
    const { status, headers } = await post(url, { id: 0, method: "initialize", params }, {});
    const session = headers["mcp-session-id"];
    if (typeof session !== "string") throw new Error(`no session: ${status}`);
    await post(url, { method: "notifications/initialized" }, { "mcp-session-id": session });
    this.opened++;
    return session;
  }
}

function post(url: string, message: object, headers: object, options: AskOptions = {}): Promise<Reply> {
  const accept = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  return ask(`${url}/mcp`, { ...options, method: "POST", headers: { ...accept, ...headers }, body });
}

function toolReply({ status, headers, text }: Reply): ToolReply {
  if (status !== 200) return { status, why: text.slice(0, 500) };
  const isStream = headers["content-type"]?.startsWith("text/event-stream") === true;
  const lines = isStream ? text.split("\n").filter((line) => line.startsWith("data: {")) : [`data: ${text}`];
  for (const line of lines) {
    const { result, error } = JSON.parse(line.slice("data: ".length)) as {
      readonly result?: { readonly isError?: boolean; readonly structuredContent?: Record<string, unknown> };
      readonly error?: { readonly message: string; readonly data?: { readonly retry?: boolean } };
    };
    // An error with status 200 says whether it may succeed later as problems do with their status.
    if (error !== undefined) return { status: error.data?.retry === false ? 400 : 503, why: error.message };
    if (result === undefined) continue;
    if (result.isError === true) return { status: 503, why: JSON.stringify(result).slice(0, 500) };
    return { status, structured: result.structuredContent ?? {}, why: "" };
  }
  throw new Error("the stream ended before the answer");
}

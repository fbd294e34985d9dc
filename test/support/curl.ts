import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { createParser } from "eventsource-parser";
import { needs } from "./needs.ts";

/** One message of JSON-RPC, as far as tests look into it. */
export interface RpcMessage {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** Whether a test has curl. */
export function needsCurl(test: TestContext): boolean {
  return needs(test, "curl", spawnSync("curl", ["--version"]).status === 0, "apt-get install curl");
}

/** One request by curl, whose answer can be read while it comes. */
export class Curl implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #text = "";

  constructor(words: readonly string[]) {
    this.#child = spawn("curl", ["-sSiN", "--noproxy", "*", "--max-time", "30", ...words]);
    this.#ended = once(this.#child, "close");
    (this.#child.stdout as Readable).setEncoding("utf8").on("data", (more: string) => (this.#text += more));
  }

  get status(): number {
    return Number(this.#text.split(" ", 2)[1] ?? 0);
  }

  header(name: string): string | undefined {
    return new RegExp(`^${name}: (.*)\r$`, "im").exec(this.#parts[0])?.[1];
  }

  /** The messages that have come so far, whether as JSON or as events. */
  get messages(): readonly RpcMessage[] {
    const [, body] = this.#parts;
    if (this.header("content-type")?.startsWith("application/json") === true) {
      return this.#child.exitCode === null || body === "" ? [] : [JSON.parse(body) as RpcMessage];
    }
    const messages: RpcMessage[] = [];
    createParser({
      onEvent: ({ data }) => {
        // A stream of a session begins with an event that says nothing but its id.
        if (data !== "") messages.push(JSON.parse(data) as RpcMessage);
      },
    }).feed(body);
    return messages;
  }

  /** Resolves when curl has ended. */
  async end(): Promise<this> {
    await this.#ended;
    return this;
  }

  /** Ends curl, and with it the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#ended;
  }

  /** Head and body. */
  get #parts(): [string, string] {
    const end = this.#text.indexOf("\r\n\r\n");
    return end === -1 ? [this.#text, ""] : [this.#text.slice(0, end + 2), this.#text.slice(end + 4)];
  }
}

/** A way to speak MCP by hand. */
export interface CurlMcp {
  /** Sends a request; `meta` goes into its `_meta`. */
  send(id: number, method: string, params?: object, meta?: object): Curl;
  /** Sends a request and reads all of its answer. */
  ask(method: string, params?: object): Promise<RpcMessage>;
}

const REVISION = "2026-07-28";

/** Revision 2026-07-28: every request says all. */
export function modernCurl(url: string): CurlMcp {
  return withAsk((id, method, params, meta) => {
    const { name, uri } = params as { name?: string; uri?: string };
    const named = method === "resources/read" ? uri : ["tools/call", "prompts/get"].includes(method) ? name : undefined;
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": REVISION,
      "io.modelcontextprotocol/clientCapabilities": {},
      ...meta,
    };
    return new Curl([
      `${url}/mcp`,
      ...headers({ "MCP-Protocol-Version": REVISION, "Mcp-Method": method, ...(named && { "Mcp-Name": named }) }),
      "-d",
      JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta } }),
    ]);
  });
}

/** A session of revision 2025-11-25. */
export interface CurlSession extends CurlMcp {
  readonly initialized: RpcMessage;
  notify(method: string, params?: object): Promise<Curl>;
  /** The stream of messages that answer no request. */
  listen(): Curl;
  /** Ends the session. */
  end(): Promise<Curl>;
}

export async function legacyCurl(url: string): Promise<CurlSession> {
  const both = headers({ Accept: "application/json, text/event-stream" });
  const post = (more: readonly string[], message: object): Curl =>
    new Curl([`${url}/mcp`, ...both, ...more, "-d", JSON.stringify({ jsonrpc: "2.0", ...message })]);
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "curl", version: "1" } };
  const opening = await post([], { id: 0, method: "initialize", params }).end();
  const session = headers({ "Mcp-Session-Id": opening.header("mcp-session-id") ?? "" });
  const [initialized = {}] = opening.messages;
  const notify = (method: string, what: object = {}): Promise<Curl> => post(session, { method, params: what }).end();
  await notify("notifications/initialized");
  return {
    initialized,
    notify,
    ...withAsk((id, method, what, meta) => post(session, { id, method, params: { ...what, _meta: meta } })),
    listen: () => new Curl([`${url}/mcp`, ...session, ...headers({ Accept: "text/event-stream" })]),
    end: () => new Curl([`${url}/mcp`, ...session, "-X", "DELETE"]).end(),
  };
}

function withAsk(request: (id: number, method: string, params: object, meta: object) => Curl): CurlMcp {
  let ids = 0;
  const send: CurlMcp["send"] = (id, method, params = {}, meta = {}) => request(id, method, params, meta);
  return {
    send,
    async ask(method, params) {
      const { status, messages } = await send(++ids, method, params).end();
      const answer = messages.at(-1);
      if (answer === undefined) throw new Error(`no answer to ${method}: HTTP ${status}`);
      return answer;
    },
  };
}

function headers(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
}

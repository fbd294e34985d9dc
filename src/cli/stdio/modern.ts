import type { IncomingMessage } from "node:http";
import { quoted } from "../../protocol/text.ts";
import type { Era, Job } from "./job.ts";
import { listen } from "./listen.ts";
import {
  CODES,
  isObject,
  messageOf,
  META,
  metaOf,
  type Message,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
} from "./message.ts";
import { headerValue, MirroredParams } from "./mirrored-params.ts";
import { replies } from "./replies.ts";
import type { Upstream } from "./upstream.ts";

/** Which field of the params the Mcp-Name header repeats, by method. */
const NAMED: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};
export const LISTEN = "subscriptions/listen";
const LIST = "tools/list";
const CALL = "tools/call";
/** Pages that a list of tools is read to. */
const MAX_PAGES = 20;

/** Whether a message says which version it speaks, as all do since there is no handshake. */
export function isModern({ params }: RpcRequest | RpcNotification): boolean {
  return Object.hasOwn(metaOf(params), META.protocolVersion);
}

/** Requests that stand for themselves: HTTP repeats in headers what they say. */
export class Modern implements Era {
  readonly #upstream: Upstream;
  readonly #note: (sentence: string) => void;
  readonly #mirrored = new MirroredParams();

  constructor(upstream: Upstream, note: (sentence: string) => void) {
    this.#upstream = upstream;
    this.#note = note;
  }

  async answer(job: Job): Promise<void> {
    if (job.request.method === LISTEN) {
      return listen(job, () => this.post(job.request, job.signal), this.#note);
    }
    if ((await this.#attempt(job, true)) === "again") await this.#attempt(job, false);
  }

  /** The hub takes the end of the connection for it. */
  async cancel(job: Job): Promise<void> {
    job.abort();
  }

  /** Posts a request or a notification. */
  post(message: RpcRequest | RpcNotification, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#upstream.post(message.text, this.#headers(message), signal);
  }

  async #attempt(job: Job, mayLearn: boolean): Promise<"again" | "done"> {
    const { request } = job;
    for await (const message of replies(await this.post(request, job.signal), request.id)) {
      if (message.kind !== "response") await job.write(message.text);
      else if (mayLearn && isMismatch(message) && (await this.#learn(request, job.signal))) return "again";
      else await job.write(request.method === LIST ? this.#offered(message) : message.text);
    }
    return "done";
  }

  #headers({ method, params }: RpcRequest | RpcNotification): Record<string, string> {
    const field = NAMED[method];
    const name = field === undefined ? undefined : params[field];
    return {
      "mcp-protocol-version": headerValue(String(metaOf(params)[META.protocolVersion])),
      "mcp-method": headerValue(method),
      ...(typeof name === "string" ? { "mcp-name": headerValue(name) } : {}),
      ...(method === CALL ? this.#mirrored.headers(name, params["arguments"]) : {}),
    };
  }

  /** A list of tools without those that may not be called over HTTP. */
  #offered({ text, id, result }: RpcResponse): string {
    if (!isObject(result) || !Array.isArray(result["tools"])) return text;
    const tools: readonly unknown[] = result["tools"];
    const refused = this.#mirrored.learn(tools);
    if (refused.size === 0) return text;
    for (const [tool, why] of refused) {
      this.#note(`the tool ${quoted((tool as { name: string }).name)} is left out: ${why}`);
    }
    const rest = tools.filter((tool) => !refused.has(tool));
    return JSON.stringify({ jsonrpc: "2.0", id, result: { ...result, tools: rest } });
  }

  /** Lists the tools as the client may have done before there was this bridge; whether a call has other headers now. */
  async #learn(request: RpcRequest, signal: AbortSignal): Promise<boolean> {
    const before = JSON.stringify(this.#headers(request));
    const { progressToken: _, ...meta } = metaOf(request.params);
    let cursor: unknown;
    for (let page = 0; page < MAX_PAGES; page++) {
      const params = { _meta: meta, ...(cursor === undefined ? {} : { cursor }) };
      const list = messageOf({ jsonrpc: "2.0", id: request.id, method: LIST, params }) as RpcRequest;
      let answer: Message | undefined;
      for await (const message of replies(await this.post(list, signal), list.id)) answer = message;
      const result = answer?.kind === "response" && isObject(answer.result) ? answer.result : {};
      if (Array.isArray(result["tools"])) this.#mirrored.learn(result["tools"]);
      cursor = result["nextCursor"];
      if (typeof cursor !== "string") break;
    }
    return JSON.stringify(this.#headers(request)) !== before;
  }
}

function isMismatch({ error }: RpcResponse): boolean {
  return error?.["code"] === CODES.headerMismatch;
}

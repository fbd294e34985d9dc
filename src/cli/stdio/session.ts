import type { IncomingMessage } from "node:http";
import { oneLine } from "../../protocol/text.ts";
import { Failure } from "./failure.ts";
import {
  isObject,
  type JsonObject,
  type Message,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
} from "./message.ts";
import { headerValue } from "./mirrored-params.ts";
import { replies } from "./replies.ts";
import { discard, type Upstream } from "./upstream.ts";

/** A session that the hub has opened. */
export class Session {
  /** Undefined where the hub keeps none. */
  readonly id: string | undefined;
  readonly #upstream: Upstream;
  readonly #version: unknown;
  readonly #over = new AbortController();
  /** What the hub said it can do. */
  readonly capabilities: JsonObject;

  constructor(upstream: Upstream, id: string | undefined, { protocolVersion, capabilities }: JsonObject) {
    this.#upstream = upstream;
    this.id = id;
    this.#version = protocolVersion;
    this.capabilities = isObject(capabilities) ? capabilities : {};
  }

  /** Aborted when nobody uses it any more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  post(text: string, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#upstream.post(text, this.#headers(), signal);
  }

  /** The stream of what the hub sends by itself, or the rest of the one that this event was on. */
  get(lastId: string, signal: AbortSignal): Promise<IncomingMessage> {
    // In UTF-8, as the HTML standard has it; Node takes a character for each byte.
    const resume = lastId === "" ? {} : { "last-event-id": Buffer.from(lastId).toString("latin1") };
    return this.#upstream.get({ ...this.#headers(), ...resume }, signal);
  }

  /** Uses it no more. */
  leave(): void {
    this.#over.abort();
  }

  /** Tells the hub that it is over. */
  async end(signal: AbortSignal): Promise<void> {
    this.leave();
    if (this.id === undefined) return;
    await this.#upstream.delete(this.#headers(), signal).catch(() => {
      // The hub finds out by itself.
    });
  }

  #headers(): Record<string, string> {
    return {
      ...(typeof this.#version === "string" ? { "mcp-protocol-version": headerValue(this.#version) } : {}),
      ...(this.id === undefined ? {} : { "mcp-session-id": this.id }),
    };
  }
}

/** Opens a session with the client's `initialize`; undefined where the hub refuses it. `pass` gets what it answers. */
export async function openSession(
  upstream: Upstream,
  request: RpcRequest,
  signal: AbortSignal,
  pass: (message: Message) => Promise<void> | void,
): Promise<Session | undefined> {
  const answer = await upstream.post(request.text, {}, signal);
  const id = answer.headers["mcp-session-id"];
  let session: Session | undefined;
  for await (const message of replies(answer, request.id)) {
    if (message.kind === "response" && isObject(message.result)) {
      session = new Session(upstream, [id].flat()[0], message.result);
    }
    await pass(message);
  }
  return session;
}

/** What a client has done to its session, for when the hub loses it. */
export class Opening {
  initialized: RpcNotification | undefined;
  readonly #request: RpcRequest;
  readonly #subscribed = new Map<unknown, RpcRequest>();
  #level: RpcRequest | undefined;

  constructor(request: RpcRequest) {
    this.#request = request;
  }

  /** The resources that the client has subscribed to. */
  get uris(): readonly unknown[] {
    return [...this.#subscribed.keys()];
  }

  learn(request: RpcRequest, { error }: RpcResponse): void {
    if (error !== undefined) return;
    const { method, params } = request;
    if (method === "resources/subscribe") this.#subscribed.set(params["uri"], request);
    else if (method === "resources/unsubscribe") this.#subscribed.delete(params["uri"]);
    else if (method === "logging/setLevel") this.#level = request;
  }

  /** Does it all again in a new session. Throws `Failure`. */
  async repeat(upstream: Upstream, signal: AbortSignal): Promise<Session> {
    let refused: JsonObject = {};
    const session = await openSession(upstream, this.#request, signal, (message) => {
      if (message.kind === "response") refused = message.error ?? {};
    });
    if (session === undefined) {
      const code = Number(refused["code"]);
      throw new Failure(
        code > 0 ? code : 503,
        `The hub opens no other session: ${oneLine(String(refused["message"]))}`,
      );
    }
    if (this.initialized !== undefined) discard(await session.post(this.initialized.text, signal));
    const again = [...this.#subscribed.values(), ...(this.#level === undefined ? [] : [this.#level])];
    for (const request of again) {
      for await (const message of replies(await session.post(request.text, signal), request.id)) {
        if (message.kind === "response" && message.error !== undefined) this.#subscribed.delete(request.params["uri"]);
      }
    }
    return session;
  }
}

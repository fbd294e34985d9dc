import { ProtocolErrorCode } from "@modelcontextprotocol/client";
import { isDeeper, isObject, MAX_DEPTH, parseJson, type JsonFault } from "../../protocol/json.ts";
import { ID_RULE } from "../../protocol/jsonrpc.ts";
import { oneLineName } from "../../protocol/text.ts";
import { ConcurrencyLimit } from "./concurrency-limit.ts";
import { exchange } from "./exchange.ts";
import { Failure } from "./failure.ts";
import type { HubEndpoint } from "./hub-endpoint.ts";
import { lines } from "./lines.ts";
import { listen } from "./listen.ts";
import { isId, isRequest, messageOf, versionOf, type Id, type Message, type Request } from "./message.ts";
import type { Output } from "./output.ts";
import { PendingRequest } from "./pending-request.ts";
import { Session } from "./session.ts";

/** Requests, and notifications, on their way at once. */
const MAX_AT_ONCE = 256;
/** Bytes of them, of one line, and of what the client has not read. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Notifications on their way or waiting for that. */
const MAX_WAITING = 4096;
const BUSY = `${MAX_AT_ONCE} requests, or ${MAX_BYTES} bytes of them, are being answered; wait for some`;
const MAX_SHOWN = 100;
/** Milliseconds that answers may still take when the client has said all. */
const GRACE = 1000;
const LISTEN = "subscriptions/listen";
const EVENTS = "events/stream";

export interface BridgeOptions {
  readonly hub: HubEndpoint;
  readonly output: Output;
  /** Bytes of one message. */
  readonly longest: number;
  /** Channels of the hub whose messages wake Claude Code. */
  readonly channels?: readonly string[];
  /** Told of what no answer can tell. */
  readonly note: (sentence: string) => void;
}

/** Carries messages between a client on a pair of streams and a hub: each request in the way of its own era. */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #session: Session;
  readonly #requests = new ConcurrencyLimit(MAX_AT_ONCE, MAX_BYTES);
  /** Streams of events, none of which ends by itself. */
  readonly #streams = new ConcurrencyLimit(MAX_AT_ONCE, MAX_BYTES);
  readonly #others = new ConcurrencyLimit(MAX_AT_ONCE, MAX_BYTES, MAX_WAITING);
  readonly #pending = new Map<Id, PendingRequest>();
  readonly #over = new AbortController();

  constructor(options: BridgeOptions) {
    this.#options = options;
    const { hub, output, note, channels } = options;
    this.#session = new Session(hub, output, note, channels);
  }

  /** Carries what comes in until that ends, and what is asked by then is answered or takes too long. */
  async run(input: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const line of lines(input, MAX_BYTES)) {
      // The client may leave very much unread only if it says nothing more.
      if (this.#options.output.unread > MAX_BYTES) await this.#options.output.ready();
      if (this.#over.signal.aborted) return;
      this.#take(line);
    }
    // These have no answer to wait for.
    for (const pending of this.#pending.values()) {
      if (pending.message.method === LISTEN || pending.message.method === EVENTS) pending.abort();
    }
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, GRACE);
    await Promise.race([this.#requests.empty(), late.promise]);
    clearTimeout(timer);
  }

  /** Lets go of all that is on its way, and ends the session. */
  async close(): Promise<void> {
    this.#over.abort();
    for (const pending of this.#pending.values()) pending.abort();
    await this.#session.close();
  }

  #take(line: Uint8Array | undefined): void {
    const tooLong = `The message is longer than ${this.#options.longest} bytes, the limit`;
    if (line === undefined) return this.#refuse(null, ProtocolErrorCode.InvalidRequest, tooLong);
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(line);
    } catch {
      return this.#refuse(null, ProtocolErrorCode.ParseError, "The line is not UTF-8");
    }
    if (text.trim() === "") return undefined;
    let body: unknown;
    let fault: string | undefined;
    try {
      body = parseJson(text, "The message");
    } catch (error) {
      body = (error as JsonFault).value;
      fault = (error as JsonFault).message;
    }
    if (line.length > this.#options.longest) fault = tooLong;
    else if (body === undefined) {
      const sentence = "The line is not JSON; send one JSON-RPC message in each line";
      return this.#refuse(null, ProtocolErrorCode.ParseError, sentence);
    }
    if (!Array.isArray(body) || fault === tooLong) return this.#dispatch(body, line.length, fault);
    // Batches of revision 2025-03-26: what they ask for is answered one by one.
    if (body.length === 0) return this.#refuse(null, ProtocolErrorCode.InvalidRequest, "The batch is empty");
    const isDeep = isDeeper(body, MAX_DEPTH);
    for (const item of body as readonly unknown[]) {
      this.#dispatch(item, line.length / body.length, isDeep && !isDeeper(item, MAX_DEPTH) ? undefined : fault);
    }
  }

  #dispatch(body: unknown, bytes: number, fault: string | undefined): void {
    const message = messageOf(body);
    if (fault !== undefined) {
      // The id of a response is the hub's, and the client may have a request with the same.
      const id = message !== undefined && isRequest(message) ? message.id : null;
      return this.#refuse(id, ProtocolErrorCode.InvalidRequest, fault);
    }
    if (message === undefined) {
      const id = isObject(body) ? body["id"] : undefined;
      const sentence = JSON.isRawJSON(id) ? `id: ${ID_RULE}` : "This is no JSON-RPC 2.0 message";
      return this.#refuse(isId(id) ? id : null, ProtocolErrorCode.InvalidRequest, sentence);
    }
    if (message.method === "notifications/cancelled" && !isRequest(message)) return this.#cancel(message);
    if (isRequest(message)) {
      const limit = message.method === EVENTS ? this.#streams : this.#requests;
      if (!limit.admit(bytes, () => this.#answer(message))) this.#refuse(message.id, 503, BUSY);
    } else if (!this.#others.admit(bytes, () => this.#pass(message))) {
      this.#options.note(`${nameOf(message)} was dropped: ${MAX_WAITING} others wait; the hub takes none of them`);
    }
  }

  async #answer(message: Request): Promise<void> {
    const { id } = message;
    if (this.#pending.has(id)) {
      const sentence = "A request with this id is being answered; use another id";
      return this.#refuse(id, ProtocolErrorCode.InvalidRequest, sentence);
    }
    const pending = new PendingRequest(message, this.#options.output);
    this.#pending.set(id, pending);
    try {
      if (versionOf(message) === undefined) await this.#session.answer(pending);
      else if (message.method === LISTEN) await listen(this.#options.hub, pending, this.#options.note);
      else await exchange(this.#options.hub, message, pending.write, { signal: pending.signal });
    } catch (error) {
      if (!pending.signal.aborted) pending.write({ jsonrpc: "2.0", id, error: this.#errorOf(error) });
    } finally {
      pending.abort();
      this.#pending.delete(id);
    }
  }

  async #pass(message: Message): Promise<void> {
    const { signal } = this.#over;
    try {
      if (versionOf(message) === undefined) await this.#session.pass(message);
      else await exchange(this.#options.hub, message, () => {}, { signal });
    } catch (error) {
      if (signal.aborted) return;
      this.#options.note(`${nameOf(message)} could not be passed on: ${this.#errorOf(error).message}`);
    }
  }

  #cancel(message: Message): void {
    const pending = this.#pending.get(message.params?.["requestId"] as Id);
    // It may be answered already, and then there is nothing to do.
    if (pending === undefined) return;
    // The hub takes the end of the connection for it.
    if (versionOf(pending.message) !== undefined) return pending.abort();
    void this.#session.cancel(pending, message).catch((error: unknown) => {
      if (this.#over.signal.aborted) return;
      this.#options.note(`a request could not be cancelled: ${this.#errorOf(error).message}`);
    });
  }

  #refuse(id: Id | null, code: number, message: string): void {
    this.#options.output.write({ jsonrpc: "2.0", id, error: { code, message } });
  }

  #errorOf(error: unknown): { readonly code: number; readonly message: string } {
    if (error instanceof Failure) return { code: error.code, message: error.message };
    this.#options.note(error instanceof Error ? String(error.stack) : String(error));
    const message = "Something failed in the bridge; its standard error says what";
    return { code: ProtocolErrorCode.InternalError, message };
  }
}

function nameOf({ method }: Message): string {
  return method === undefined ? "an answer" : oneLineName(method.slice(0, MAX_SHOWN));
}

import { oneLineName } from "../../protocol/text.ts";
import { isDeeper, MAX_DEPTH, parseJson, type JsonFault } from "../../protocol/json.ts";
import { ID_RULE, rpcError, type RpcId } from "../../protocol/jsonrpc.ts";
import { Failure } from "./failure.ts";
import { Job, type Era } from "./job.ts";
import { Legacy } from "./legacy.ts";
import { lines, type Line } from "./lines.ts";
import {
  CODES,
  isId,
  isObject,
  messageOf,
  type Id,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
} from "./message.ts";
import { isModern, LISTEN, Modern } from "./modern.ts";
import type { Output } from "./output.ts";
import { Room } from "./room.ts";
import { discard, type Upstream } from "./upstream.ts";

/** Requests, and notifications, on their way at once. */
const MAX_AT_ONCE = 256;
const MAX_BYTES_AT_ONCE = 64 * 1024 * 1024;
/** Notifications on their way or waiting for that, and refusals that the client has not read. */
const MAX_IN_LINE = 4096;
const BUSY = `${MAX_AT_ONCE} requests, or ${MAX_BYTES_AT_ONCE} bytes of them, are being answered; wait for some`;
const LONGEST_SHOWN = 100;
/** Milliseconds that answers may still take when the client has said all. */
const GRACE = 1000;

export interface BridgeOptions {
  readonly upstream: Upstream;
  readonly output: Output;
  /** Bytes of one line. */
  readonly longest: number;
  /** Told of what no answer can tell. */
  readonly note: (sentence: string) => void;
}

/** Carries messages between a client on a pair of streams and a hub: each request in the way of its own era. */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #modern: Modern;
  readonly #legacy: Legacy;
  readonly #requests = new Room(MAX_AT_ONCE, MAX_BYTES_AT_ONCE);
  readonly #others = new Room(MAX_AT_ONCE, MAX_BYTES_AT_ONCE, MAX_IN_LINE);
  readonly #refusals = new Room(MAX_IN_LINE, MAX_BYTES_AT_ONCE);
  readonly #running = new Map<Id, { readonly job: Job; readonly era: Era }>();
  readonly #over = new AbortController();

  constructor(options: BridgeOptions) {
    this.#options = options;
    const { upstream, output, note } = options;
    this.#modern = new Modern(upstream, note);
    this.#legacy = new Legacy(upstream, output, note);
  }

  /** Carries what comes in until that ends, and what is asked by then is answered or takes too long. */
  async run(input: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const line of lines(input, this.#options.longest)) {
      if (this.#over.signal.aborted) return;
      await this.#take(line);
    }
    // These have no answer to wait for.
    for (const { job } of this.#running.values()) if (job.request.method === LISTEN) job.abort();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, GRACE);
    await Promise.race([Promise.all([this.#requests.empty(), this.#refusals.empty()]), late.promise]);
    clearTimeout(timer);
  }

  /** Lets go of all that is on its way, and ends the session. */
  async close(): Promise<void> {
    this.#over.abort();
    for (const { job } of this.#running.values()) job.abort();
    await this.#legacy.close();
  }

  async #take(line: Line): Promise<void> {
    if ("wrong" in line) {
      const { longest } = this.#options;
      if (line.wrong === "too long") {
        return this.#refuse(line.id, CODES.invalidRequest, `The message is longer than ${longest} bytes, the limit`);
      }
      return this.#refuse(null, CODES.parse, "The line is not UTF-8");
    }
    let body: unknown;
    let fault: JsonFault | undefined;
    try {
      body = parseJson(line.text, "The message");
    } catch (error) {
      fault = error as JsonFault;
      body = fault.value;
      if (body === undefined)
        return this.#refuse(null, CODES.parse, "The line is not JSON; send one JSON-RPC message in each line");
    }
    if (!Array.isArray(body)) return this.#dispatch(body, fault, line.text);
    // Batches of revision 2025-03-26: what they ask for is answered one by one.
    if (body.length === 0) return this.#refuse(null, CODES.invalidRequest, "The batch is empty");
    const isDeep = isDeeper(body, MAX_DEPTH);
    for (const item of body as readonly unknown[]) {
      await this.#dispatch(item, isDeep && !isDeeper(item, MAX_DEPTH) ? undefined : fault);
    }
  }

  /** `text` is missing where the message was part of a batch. */
  async #dispatch(body: unknown, fault: JsonFault | undefined, text?: string): Promise<void> {
    if (this.#over.signal.aborted) return;
    if (fault !== undefined) {
      const message = messageOf(body, "");
      // The id of an answer is the hub's, and the client may have a request with the same.
      const id = message?.kind === "request" ? message.id : null;
      return this.#refuse(id, CODES.invalidRequest, fault.message);
    }
    const message = messageOf(body, text?.trim());
    if (message === undefined) {
      const { id } = isObject(body) ? body : {};
      const sentence = JSON.isRawJSON(id) ? `id: ${ID_RULE}` : "This is no JSON-RPC 2.0 message";
      return this.#refuse(isId(id) ? id : null, CODES.invalidRequest, sentence);
    }
    if (message.kind === "notification" && message.method === "notifications/cancelled") return this.#cancel(message);
    const { length } = message.text;
    if (message.kind === "request") {
      if (!this.#requests.admit(length, () => this.#answer(message))) return this.#refuse(message.id, 503, BUSY);
    } else if (!this.#others.admit(length, () => this.#pass(message))) {
      this.#options.note(`${nameOf(message)} was dropped: ${MAX_IN_LINE} others wait; the hub takes none of them`);
    }
  }

  async #answer(request: RpcRequest): Promise<void> {
    const { id } = request;
    if (this.#running.has(id)) {
      return this.#refuse(id, CODES.invalidRequest, "A request with this id is being answered; use another id");
    }
    const job = new Job(request, this.#options.output);
    const era = isModern(request) ? this.#modern : this.#legacy;
    this.#running.set(id, { job, era });
    try {
      await era.answer(job);
    } catch (error) {
      if (!job.signal.aborted) await job.write(rpcError(id, this.#errorOf(error)));
    } finally {
      job.abort();
      this.#running.delete(id);
    }
  }

  async #pass(message: RpcNotification | RpcResponse): Promise<void> {
    try {
      if (message.kind === "response" || !isModern(message)) await this.#legacy.pass(message);
      else discard(await this.#modern.post(message, this.#over.signal));
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#options.note(`${nameOf(message)} could not be passed on: ${this.#errorOf(error).message}`);
    }
  }

  #cancel({ params, text }: RpcNotification): void {
    const running = this.#running.get(params["requestId"] as Id);
    // It may be answered already, and then there is nothing to do.
    if (running === undefined) return;
    void running.era.cancel(running.job, text).catch((error: unknown) => {
      if (this.#over.signal.aborted) return;
      this.#options.note(`a request could not be cancelled: ${this.#errorOf(error).message}`);
    });
  }

  /** Waits for the client only where it leaves very much unread: it may cancel something, or end. */
  async #refuse(id: RpcId, code: number, message: string): Promise<void> {
    const text = rpcError(id, { code, message });
    const write = (): Promise<void> => this.#options.output.write(text, this.#over.signal);
    if (!this.#refusals.admit(text.length, write)) await write();
  }

  #errorOf(error: unknown): { code: number; message: string } {
    if (error instanceof Failure) return { code: error.code, message: error.message };
    this.#options.note(error instanceof Error ? String(error.stack) : String(error));
    return { code: CODES.internal, message: "Something failed in the bridge; its standard error says what" };
  }
}

function nameOf(message: RpcNotification | RpcResponse): string {
  return message.kind === "response" ? "an answer" : oneLineName(message.method.slice(0, LONGEST_SHOWN));
}

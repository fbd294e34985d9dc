import type { Receipt, ScheduledReceipt } from "../protocol/message.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { finalError, HubClientError, passingError } from "./errors.ts";
import { orAborted, textOf, type HttpClient, type Request } from "./http-client.ts";
import { MAX_TIMER } from "./page-lifecycle.ts";
import { checkChannel } from "./pattern.ts";
import type { Source } from "./transport.ts";

/** A tool as `/mcp/tools/list` tells of it. */
export interface Tool {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
}

/** What a tool answers. */
export interface ToolResult {
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: Readonly<Record<string, unknown>>;
  /** The tool could not take the input, or failed; the text says why. */
  readonly isError?: boolean;
}

export interface PublishOptions {
  /** Its SSE event name. Default: `message`. */
  readonly event?: string;
  /** Who sends it. Default: what the server says of the caller, `anyone`. */
  readonly sender?: string;
  /** Reaches those who are live, and is not kept. Default: false. */
  readonly ephemeral?: boolean;
  /**
   * An idempotency key: the same key again on the channel publishes nothing new. Default: a random one, so that a
   * publication whose answer was lost can be sent again.
   */
  readonly key?: string;
  /** Gives up waiting; it may have been published all the same. */
  readonly signal?: AbortSignal;
}

/** When a message is to be published, if not now. */
export type LaterOptions =
  | {
      /** A time: a `Date`, or ISO 8601 with its offset from UTC. */
      readonly at: Date | string;
      readonly delaySeconds?: undefined;
    }
  | { readonly at?: undefined; readonly delaySeconds: number };

export interface CallOptions {
  /** Gives up waiting; the tool may have run all the same. */
  readonly signal?: AbortSignal;
}

export interface RequestsOptions {
  readonly http: HttpClient;
  readonly backoff: BackoffOptions;
  /** Milliseconds; what is longer than a timer runs is never over. */
  readonly timeout: number;
}

/** Bytes of an answer. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** An answer from outside, of which nothing is known. */
type Fields = Readonly<Record<string, unknown>> | null | undefined;

/** What is asked of a hub once: publishing, and its tools. */
export class Requests {
  readonly #options: RequestsOptions;
  /** Ends each request that is not answered yet. */
  readonly #running = new Set<() => void>();
  /** Ends each wait for another attempt. */
  readonly #waits = new Set<() => void>();
  #closed = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Tries again at once what waits for that. */
  wake(): void {
    for (const end of this.#waits) end();
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#running) end();
  }

  /** Publishes by a frame if `source` has a live WebSocket and no key and no time is given; otherwise by a POST. */
  async publish(
    channel: string,
    data: unknown,
    options: PublishOptions & Partial<LaterOptions>,
    source: Source,
  ): Promise<Receipt | ScheduledReceipt> {
    const { event, sender, ephemeral, key, signal, delaySeconds } = options;
    const at = typeof options.at === "object" ? isoTime(options.at) : options.at;
    const isLater = at !== undefined || delaySeconds !== undefined;
    checkChannel(channel);
    // What cannot be said in JSON would be left out of the frame.
    const known = data ?? null;
    checkNumbers("data", known);
    const frame = { type: "publish", channel, data: known, event, sender, ephemeral };
    return this.#bounded(signal, async (bounds) => {
      const asked = key === undefined && !isLater ? source.request(frame, bounds) : undefined;
      if (asked !== undefined) return ((await orAborted(asked, bounds)) as { message: Receipt }).message;
      const delay = delaySeconds === undefined ? undefined : String(delaySeconds);
      const query = { event, sender, ephemeral: ephemeral ? "true" : undefined, at, delaySeconds: delay };
      const url = this.#options.http.url(`channels/${channel}/messages`, query);
      const headers: Record<string, string> = ephemeral ? {} : { "idempotency-key": key ?? randomKey() };
      const receipt = await this.#post(url, known, headers, bounds, !ephemeral);
      if (isLater && isScheduledReceipt(receipt)) return receipt;
      if (isLater || !isReceipt(receipt)) throw this.#notAHub("has no receipt for a message");
      return receipt;
    });
  }

  async tools({ signal }: CallOptions): Promise<readonly Tool[]> {
    const result = await this.#rpc("mcp/tools/list", {}, signal, true);
    if (!Array.isArray(result?.["tools"])) throw this.#notAHub("lists no tools");
    return result["tools"] as readonly Tool[];
  }

  async call(name: string, input: object, { signal }: CallOptions): Promise<ToolResult> {
    const result = await this.#rpc("mcp/tools/call", { name, arguments: input }, signal, false);
    if (!Array.isArray(result?.["content"])) throw this.#notAHub("has no result of a tool");
    return result as unknown as ToolResult;
  }

  async #rpc(path: string, params: object, signal: AbortSignal | undefined, again: boolean): Promise<Fields> {
    checkNumbers("arguments", params);
    const url = this.#options.http.url(path);
    const answer = (await this.#bounded(signal, (bounds) => this.#post(url, { params }, {}, bounds, again))) as Fields;
    return answer?.["result"] as Fields;
  }

  /** The answer as JSON. If `again` does no harm, what failed for now is asked again until the time is up. */
  async #post(
    url: URL,
    data: unknown,
    given: Readonly<Record<string, string>>,
    signal: AbortSignal,
    again: boolean,
  ): Promise<unknown> {
    const headers = { "content-type": "application/json", ...given };
    const request: Request = { method: "POST", headers, body: JSON.stringify(data), signal };
    const backoff = new Backoff(this.#options.backoff);
    for (;;) {
      try {
        return await this.#json(await this.#options.http.request(url, request), signal);
      } catch (error) {
        if (!(error instanceof HubClientError) || error.final || !again) throw error;
        await this.#wait(backoff.next(error), signal);
      }
    }
  }

  async #json(response: Response, signal: AbortSignal): Promise<unknown> {
    const { base } = this.#options.http;
    let text: string | undefined;
    try {
      text = await orAborted(textOf(response, MAX_ANSWER), signal);
      if (text !== undefined) return JSON.parse(text) as unknown;
    } catch (cause) {
      signal.throwIfAborted();
      const isJson = response.headers.get("content-type")?.startsWith("application/json");
      if (isJson) throw passingError("CONNECTION_LOST", `${base} broke off its answer`, cause);
      throw this.#notAHub("answers with what is not JSON", cause);
    }
    throw finalError("TOO_LARGE", `${base} answers with more than ${MAX_ANSWER} bytes`);
  }

  async #wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    let end = (): void => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
      timer = setTimeout(resolve, milliseconds);
    });
    this.#waits.add(end);
    await orAborted(over, signal).finally(() => {
      clearTimeout(timer);
      this.#waits.delete(end);
    });
  }

  #notAHub(what: string, cause?: unknown): HubClientError {
    return finalError("NOT_A_HUB", `${this.#options.http.base} ${what}; it is not a hub`, cause);
  }

  /** Runs something that ends with the hub, with the time it may take, and with the caller's signal. */
  async #bounded<Result>(
    signal: AbortSignal | undefined,
    run: (bounds: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { timeout } = this.#options;
    const bounds = new AbortController();
    const abort = (): void => bounds.abort(signal?.reason);
    const end = (): void => bounds.abort(finalError("CLOSED", "The hub was closed"));
    const late = (): void => bounds.abort(passingError("TIMEOUT", `No answer within ${timeout} ms`));
    const timer = timeout > MAX_TIMER ? undefined : setTimeout(late, timeout);
    this.#running.add(end);
    signal?.addEventListener("abort", abort);
    try {
      if (signal?.aborted) abort();
      if (this.#closed) end();
      bounds.signal.throwIfAborted();
      return await run(bounds.signal);
    } finally {
      // Whatever is kept for longer keeps the request, and in some runtimes the process.
      clearTimeout(timer);
      this.#running.delete(end);
      signal?.removeEventListener("abort", abort);
    }
  }
}

/** Throws `INVALID_MESSAGE` for a number that JSON would turn into null. */
function checkNumbers(field: string, value: unknown): void {
  if (!(JSON.stringify(value) ?? "").includes("null")) return;
  JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "number" || Number.isFinite(inner)) return inner;
    const sentence = `${field} holds ${inner}, which JSON has no number for; send it as a string`;
    throw finalError("INVALID_MESSAGE", sentence);
  });
}

function isReceipt(answer: unknown): answer is Receipt {
  const { id, channel, time, receivers } = (answer ?? {}) as Partial<Record<keyof Receipt, unknown>>;
  const isKnown = id === null || typeof id === "string";
  return isKnown && typeof channel === "string" && typeof time === "string" && typeof receivers === "number";
}

function isScheduledReceipt(answer: unknown): answer is ScheduledReceipt {
  const { id, channel, at } = (answer ?? {}) as Partial<Record<keyof ScheduledReceipt, unknown>>;
  return [id, channel, at].every((field) => typeof field === "string");
}

/** Throws `INVALID_INPUT` for a text that is not a date. */
function isoTime(date: Date): string {
  if (!Number.isNaN(date.getTime())) return date.toISOString();
  throw finalError("INVALID_INPUT", "at is an invalid Date; give the time of day as well, and its offset from UTC");
}

/** `randomUUID` is missing in pages that came over plain HTTP. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

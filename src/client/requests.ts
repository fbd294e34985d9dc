import { Backoff, type BackoffOptions } from "./backoff.ts";
import { textOf } from "./body.ts";
import { orAborted, type Asking, type Door } from "./http-client.ts";
import { HubClientError } from "./errors.ts";
import type { Feed } from "./transport.ts";
import type { Receipt, Tool, ToolResult } from "./message.ts";
import { checkChannel } from "./pattern.ts";
import { LONGEST_TIMER } from "./page-lifecycle.ts";

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

export interface CallOptions {
  /** Gives up waiting; the tool may have run all the same. */
  readonly signal?: AbortSignal;
}

export interface RequestsOptions {
  readonly door: Door;
  readonly backoff: BackoffOptions;
  /** Milliseconds; what is longer than a timer runs is never over. */
  readonly timeout: number;
}

/** Bytes of an answer. */
const MOST = 64 * 1024 * 1024;

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

  /** Publishes by a frame where `feed` has a live WebSocket and no key is given; otherwise by a POST. */
  async publish(channel: string, data: unknown, options: PublishOptions, feed: Feed): Promise<Receipt> {
    const { event, sender, ephemeral, key, signal } = options;
    checkChannel(channel);
    // What cannot be said in JSON would be left out of the frame.
    const known = data ?? null;
    checkNumbers("data", known);
    const frame = { type: "publish", channel, data: known, event, sender, ephemeral };
    return this.#bounded(signal, async (bounds) => {
      const asked = key === undefined ? feed.ask(frame, bounds) : undefined;
      if (asked !== undefined) return ((await orAborted(asked, bounds)) as { message: Receipt }).message;
      const path = `channels/${channel}/messages`;
      const url = this.#options.door.url(path, { event, sender, ephemeral: ephemeral ? "true" : undefined });
      const headers = {
        "content-type": "application/json",
        ...(!ephemeral && { "idempotency-key": key ?? randomKey() }),
      };
      const post = { method: "POST", headers, body: JSON.stringify(known), signal: bounds } as const;
      const receipt = await this.#read(url, post, !ephemeral);
      if (!isReceipt(receipt)) throw this.#notAHub("has no receipt for a message");
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
    return this.#bounded(signal, async (bounds) => {
      const headers = { "content-type": "application/json" };
      const post = { method: "POST", headers, body: JSON.stringify({ params }), signal: bounds } as const;
      const answer = (await this.#read(this.#options.door.url(path), post, again)) as Fields;
      return answer?.["result"] as Fields;
    });
  }

  /** The answer as JSON. Where it does no harm, what failed for now is asked again until the time is up. */
  async #read(url: URL, asking: Asking, again: boolean): Promise<unknown> {
    const { door } = this.#options;
    const backoff = new Backoff(this.#options.backoff);
    let renewed = false;
    for (;;) {
      try {
        return await this.#json(await door.ask(url, asking), asking.signal);
      } catch (error) {
        if (!(error instanceof HubClientError)) throw error;
        const mayRenew: boolean = error.code === "UNAUTHORIZED" && door.canRenew && !renewed;
        renewed ||= mayRenew;
        if (mayRenew) continue;
        if (error.final || !again) throw error;
        await this.#wait(backoff.next(error), asking.signal);
      }
    }
  }

  async #json(response: Response, signal: AbortSignal): Promise<unknown> {
    const { base } = this.#options.door;
    let text: string | undefined;
    try {
      text = await orAborted(textOf(response, MOST), signal);
      if (text !== undefined) return JSON.parse(text) as unknown;
    } catch (cause) {
      signal.throwIfAborted();
      const isJson = response.headers.get("content-type")?.startsWith("application/json");
      if (!isJson) throw this.#notAHub("answers with what is not JSON", cause);
      throw new HubClientError("CONNECTION_LOST", `${base} broke off its answer`, { final: false, cause });
    }
    throw new HubClientError("TOO_LARGE", `${base} answers with more than ${MOST} bytes`, { final: true });
  }

  #wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waits.delete(end);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.#waits.add(end);
      signal.addEventListener("abort", end, { once: true });
    });
  }

  #notAHub(what: string, cause?: unknown): HubClientError {
    return new HubClientError("NOT_A_HUB", `${this.#options.door.base} ${what}; it is no hub`, { final: true, cause });
  }

  /** Runs something that ends with the hub, with the time it may take, and with the caller's signal. */
  async #bounded<Result>(
    signal: AbortSignal | undefined,
    run: (bounds: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { timeout } = this.#options;
    const bounds = new AbortController();
    let isLate = false;
    const end = (): void => bounds.abort();
    const late = (): void => {
      isLate = true;
      end();
    };
    const timer = timeout > LONGEST_TIMER ? undefined : setTimeout(late, timeout);
    this.#running.add(end);
    signal?.addEventListener("abort", end);
    try {
      if (this.#closed || signal?.aborted) end();
      bounds.signal.throwIfAborted();
      return await run(bounds.signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (this.#closed) throw new HubClientError("CLOSED", "The hub was closed", { final: true, cause: error });
      if (!isLate) throw error;
      throw new HubClientError("TIMEOUT", `No answer within ${timeout} ms`, { final: false, cause: error });
    } finally {
      // Whatever is kept for longer keeps the request, and in some runtimes the process.
      clearTimeout(timer);
      this.#running.delete(end);
      signal?.removeEventListener("abort", end);
    }
  }
}

/** Throws `INVALID_MESSAGE` for a number that JSON would turn into null. */
function checkNumbers(field: string, value: unknown): void {
  if (!(JSON.stringify(value) ?? "").includes("null")) return;
  JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "number" || Number.isFinite(inner)) return inner;
    throw new HubClientError(
      "INVALID_MESSAGE",
      `${field} holds ${inner}, which JSON has no number for; send it as a string`,
      {
        final: true,
      },
    );
  });
}

function isReceipt(answer: unknown): answer is Receipt {
  const { id, channel, time, receivers } = (answer ?? {}) as Partial<Record<keyof Receipt, unknown>>;
  const isKnown = id === null || typeof id === "string";
  return isKnown && typeof channel === "string" && typeof time === "string" && typeof receivers === "number";
}

/** `randomUUID` is missing in pages that came over plain HTTP. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

import { uncovered, type ChannelPattern } from "../protocol/channel.ts";
import { earliestOf } from "../protocol/cursor.ts";
import type { Receipt, ScheduledReceipt } from "../protocol/message.ts";
import { checkLeast } from "./backoff.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { finalError, type HubClientError } from "./errors.ts";
import { HttpClient, type HttpClientOptions } from "./http-client.ts";
import { PageLifecycle } from "./page-lifecycle.ts";
import { checkedPatterns } from "./pattern.ts";
import {
  Requests,
  type CallOptions,
  type LaterOptions,
  type PublishOptions,
  type Tool,
  type ToolResult,
} from "./requests.ts";
import { sseTransport } from "./sse-transport.ts";
import { call, ChannelSubscription, type SubscribeOptions, type Subscription } from "./subscription.ts";
import { canShare, Tabs } from "./tabs.ts";
import type { HubState, Source, SourceEvent } from "./transport.ts";
import { webSocketTransport } from "./websocket-transport.ts";

export interface ConnectOptions extends HttpClientOptions {
  /** How messages come. Default: `sse`. */
  readonly transport?: "sse" | "websocket";
  /**
   * Whether tabs of one origin share one connection: those with the same address and, if it is a text, the same
   * text. Default: true in pages that have Web Locks and BroadcastChannel, unless a `token` or `headers` are given,
   * since another tab may be another person's.
   */
  readonly share?: boolean | string;
  /** Milliseconds before the first attempt to come back. Default: what the server says with `retry:`, else 1000. */
  readonly retry?: number;
  /** Milliseconds between attempts at most. Default: 30 000. */
  readonly retryMost?: number;
  /**
   * Milliseconds without a byte after which a connection counts as dead. Default: two and a half heartbeats, which
   * are 37 500 over SSE, and over WebSocket what the server says.
   */
  readonly silence?: number;
  /** Characters that one message may have, with its fields; a longer one is reported as a gap. Default: 33 554 432. */
  readonly messageMost?: number;
  /** Milliseconds a publication or a call may take, with all its attempts. Default: 60 000. */
  readonly timeout?: number;
  /** Closes the hub. */
  readonly signal?: AbortSignal;
}

/** A hub, as `connect` gives it. */
export class Hub {
  readonly #requests: Requests;
  readonly #source: Source;
  readonly #page: PageLifecycle;
  readonly #subscriptions = new Set<ChannelSubscription>();
  readonly #stateListeners = new Set<(state: HubState) => void>();
  readonly #closing = new AbortController();
  #state: HubState = { kind: "idle" };
  #willRead = false;
  #frozen = false;

  /** Throws `INVALID_URL`, a `RangeError` for a number that is too small or `NaN`, or a `TypeError` without the WebSocket it needs. */
  constructor(url: string | URL, options: ConnectOptions = {}) {
    const { transport = "sse", retry: first, retryMost: most = 30_000, timeout = 60_000 } = options;
    const http = new HttpClient(url, options);
    const backoff = { first, most };
    const { silence, messageMost } = options;
    checkLeast("milliseconds", { retryMost: most, silence, timeout });
    checkLeast("milliseconds", { retry: first }, 0);
    checkLeast("characters", { messageMost });
    if (transport === "websocket" && options.webSocket === undefined && typeof WebSocket !== "function") {
      throw new TypeError("This runtime has no WebSocket; give webSocket: a function that opens one, such as ws's");
    }
    const open = transport === "sse" ? sseTransport : webSocketTransport;
    const connection: ConnectionOptions = { http, transport: open(http, messageMost), backoff, silence };
    this.#requests = new Requests({ http, backoff, timeout });
    const { share = "document" in globalThis && options.headers === undefined && options.token === undefined } =
      options;
    const hear = (event: SourceEvent): void => this.#hear(event);
    this.#source =
      share !== false && canShare()
        ? new Tabs(`${http.url("", http.reading).href} ${String(share)}`, connection, hear)
        : new Connection(connection, hear);
    this.#page = new PageLifecycle({
      wake: (suspect) => this.#wake(suspect),
      freeze: () => this.#freeze(true),
      resume: () => this.#freeze(false),
    });
    options.signal?.addEventListener("abort", () => this.close(), { signal: this.#closing.signal });
    if (options.signal?.aborted) this.close();
  }

  /** How the connection is. */
  get state(): HubState {
    return this.#state;
  }

  /** Calls back whenever the state changes. Returns how to stop that. */
  onState(listener: (state: HubState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Reads channels and patterns. Throws `INVALID_PATTERN`, or `CLOSED`. */
  subscribe<Data = unknown>(
    channels: string | readonly string[],
    options: SubscribeOptions<Data> = {},
  ): Subscription<Data> {
    if (this.#closing.signal.aborted) throw finalError("CLOSED", "The hub was closed");
    const subscription = new ChannelSubscription(checkedPatterns(channels), options as SubscribeOptions, {
      changed: () => this.#readSoon(),
      ended: () => {
        this.#subscriptions.delete(subscription);
        this.#readSoon();
      },
    });
    this.#subscriptions.add(subscription);
    if (options.signal?.aborted) subscription.close();
    else this.#readSoon();
    return subscription as Subscription<never>;
  }

  /** Schedules data to be published later; resolves once it is kept. Rejects with `HubClientError`. */
  publish(channel: string, data: unknown, options: PublishOptions & LaterOptions): Promise<ScheduledReceipt>;
  /** Publishes data, which is any JSON; resolves once it is kept. Rejects with `HubClientError`. */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Receipt>;
  publish(
    channel: string,
    data: unknown,
    options: PublishOptions & Partial<LaterOptions> = {},
  ): Promise<Receipt | ScheduledReceipt> {
    return this.#answered(this.#requests.publish(channel, data, options, this.#source));
  }

  /** The tools the hub offers. Rejects with `HubClientError`. */
  tools(options: CallOptions = {}): Promise<readonly Tool[]> {
    return this.#answered(this.#requests.tools(options));
  }

  /** Calls a tool, once. A result with `isError` is what the tool has to say. Rejects with `HubClientError`. */
  call(name: string, input: object = {}, options: CallOptions = {}): Promise<ToolResult> {
    return this.#answered(this.#requests.call(name, input, options));
  }

  /** Tries again at once whatever waits to be tried again, and checks whether the connection is alive. */
  wake(): void {
    this.#wake(false);
  }

  /** Ends everything. */
  close(): void {
    this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  #end(error?: HubClientError): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#page.close();
    this.#requests.close();
    this.#source.close();
    this.#setState({ kind: "closed", ...(error && { error }) });
    for (const subscription of this.#subscriptions) subscription.end(error);
  }

  #hear(event: SourceEvent): void {
    if (this.#closing.signal.aborted) return;
    if (event.kind === "state") {
      if (event.state.kind === "closed") this.#end(event.state.error);
      else this.#setState(event.state);
    } else if (event.kind === "restart") this.#startOver();
    else if (event.kind === "refused") this.#refuse(event.error);
    else for (const subscription of this.#subscriptions) if (subscription.hear(event)) this.#readSoon();
  }

  /** The source has forgotten what it was asked for. */
  #startOver(): void {
    for (const { position } of this.#subscriptions) position.covered = false;
    this.#readSoon();
  }

  /** Ends what was added last, else what is not read; those that were there before go on without it. */
  #refuse(error: HubClientError): void {
    const all = [...this.#subscriptions].filter(({ paused }) => !paused);
    const added = all.filter(({ accepted }) => !accepted);
    const refused = added.length > 0 ? added : all.filter(({ position }) => !position.covered);
    for (const subscription of refused) subscription.end(error);
    this.#startOver();
  }

  /** A page that stands still would hold a connection on which no one reads. */
  #freeze(frozen: boolean): void {
    // Pages are also shown without having been frozen before.
    if (this.#frozen === frozen) return;
    this.#frozen = frozen;
    if (frozen) this.#source.close();
    this.#startOver();
  }

  /** Once for all that is changed in one go. */
  #readSoon(): void {
    if (this.#willRead) return;
    this.#willRead = true;
    queueMicrotask(() => {
      this.#willRead = false;
      this.#read();
    });
  }

  /** Reads what all subscriptions want, from the earliest place of those that do not read yet. */
  #read(): void {
    if (this.#closing.signal.aborted || this.#frozen) return;
    const all = [...this.#subscriptions].filter(({ paused }) => !paused);
    const late = all.filter(({ position }) => !position.covered);
    const patterns = all.flatMap((subscription) => subscription.patterns) as ChannelPattern[];
    this.#source.read(uncovered(patterns), earliestOf(late.map(({ position }) => position.cursor)));
  }

  /** A hub that answers is there again, so there is nothing to wait for, unless it said when to come back. */
  async #answered<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const known = await answer;
    if (this.#state.kind === "waiting" && this.#state.error.retryAfter === undefined) this.#wake(false);
    return known;
  }

  #wake(suspect: boolean): void {
    this.#requests.wake();
    this.#source.wake(suspect);
  }

  #setState(state: HubState): void {
    const was = this.#state;
    if (was.kind === "closed") return;
    // A leading tab tells its state again to those who join; only another wait is news.
    const isOtherWait = state.kind === "waiting" && was.kind === "waiting" && state.until !== was.until;
    if (state.kind === was.kind && !isOtherWait) return;
    this.#state = state;
    for (const listener of this.#stateListeners) call(() => listener(state));
  }
}

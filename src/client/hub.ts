import { checkLeast } from "./backoff.ts";
import { firstOf, compareCursors } from "./cursor.ts";
import { Door } from "./http-client.ts";
import { HubClientError } from "./errors.ts";
import { eventsOf } from "./sse-transport.ts";
import { isSame, type Feed, type FeedEvent, type HubState, type StreamEvent } from "./transport.ts";
import { Line, type LineOptions } from "./connection.ts";
import type { Receipt, Tool, ToolResult } from "./message.ts";
import type { ConnectOptions } from "./options.ts";
import { checkedPatterns, coverAll, unionOf } from "./pattern.ts";
import { call, Reader } from "./reader.ts";
import { Requests, type CallOptions, type PublishOptions } from "./requests.ts";
import type { SubscribeOptions, Subscription } from "./subscription.ts";
import { canShare, mayShare, Tabs } from "./tabs.ts";
import { onWake } from "./page-lifecycle.ts";
import { webSocketOf } from "./websocket-transport.ts";

/** Where a reader reads. */
interface Place {
  /** Whether the feed is to bring what it wants. */
  joins: boolean;
  /** Whether the feed has brought that since. */
  joined: boolean;
  /** With which it catches up. */
  own: Line | undefined;
}

const NOWHERE: Place = { joins: false, joined: false, own: undefined };

/** A hub, as `connect` gives it. */
export class Hub {
  readonly #line: LineOptions;
  readonly #requests: Requests;
  readonly #feed: Feed;
  readonly #isShared: boolean;
  readonly #readers = new Map<Reader, Place>();
  readonly #stateListeners = new Set<(state: HubState) => void>();
  readonly #closing = new AbortController();
  readonly #stopWaking: () => void;
  #state: HubState = { kind: "idle" };
  #wanting = false;

  /** Throws `INVALID_URL`, a `RangeError` for a number that is too small or `NaN`, or a `TypeError` without the WebSocket it needs. */
  constructor(url: string | URL, options: ConnectOptions = {}) {
    const { transport = "sse", retry: first, retryMost: most = 30_000, timeout = 60_000 } = options;
    const door = new Door(url, options);
    const backoff = { first, most };
    const { silence, messageMost, share = mayShare() && options.headers === undefined } = options;
    checkLeast("milliseconds", { retryMost: most, silence, timeout });
    checkLeast("milliseconds", { retry: first }, 0);
    checkLeast("characters", { messageMost });
    if (transport === "websocket" && options.webSocket === undefined && typeof WebSocket !== "function") {
      throw new TypeError("This runtime has no WebSocket; give webSocket: a function that opens one, such as ws's");
    }
    const open = transport === "sse" ? eventsOf : webSocketOf;
    this.#line = { door, transport: open(door, messageMost), backoff, silence };
    this.#requests = new Requests({ door, backoff, timeout });
    this.#isShared = share !== false && canShare();
    const hear = (event: FeedEvent): void => this.#hear(event);
    this.#feed = this.#isShared
      ? new Tabs(`${door.url("", door.reading).href} ${String(share)}`, this.#line, hear)
      : new Line(this.#line, hear);
    this.#stopWaking = onWake((suspect) => this.#wake(suspect));
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
    if (this.#closing.signal.aborted) throw new HubClientError("CLOSED", "The hub was closed", { final: true });
    const reader = new Reader(checkedPatterns(channels), options as SubscribeOptions, {
      resumed: () => this.#begin(reader),
      paused: () => this.#leave(reader),
      ended: () => {
        this.#leave(reader);
        this.#readers.delete(reader);
      },
    });
    this.#readers.set(reader, { ...NOWHERE });
    if (options.signal?.aborted) reader.close();
    else this.#begin(reader);
    return reader as Subscription<never>;
  }

  /** Publishes data, which is any JSON; resolves once it is kept. Rejects with `HubClientError`. */
  publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<Receipt> {
    return this.#answered(this.#requests.publish(channel, data, options, this.#feed));
  }

  /** The tools the hub offers. Rejects with `HubClientError`. */
  tools(options: CallOptions = {}): Promise<readonly Tool[]> {
    return this.#answered(this.#requests.tools(options));
  }

  /** Calls a tool, once. A result with `isError` is what the tool has to say. Rejects with `HubClientError`. */
  call(name: string, input: object = {}, options: CallOptions = {}): Promise<ToolResult> {
    return this.#answered(this.#requests.call(name, input, options));
  }

  /** Tries again at once whatever waits to be tried again, and looks whether the connection is alive. */
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

  /** Those who read with the others. */
  get #joined(): readonly Reader[] {
    return [...this.#readers].filter(([, { joins }]) => joins).map(([reader]) => reader);
  }

  #end(error?: HubClientError): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#stopWaking();
    this.#requests.close();
    this.#feed.close();
    this.#setState({ kind: "closed", ...(error && { error }) });
    for (const reader of this.#readers.keys()) reader.end(error);
  }

  /**
   * Lets a reader begin at its position. One from now on joins the feed; so does one from an earlier place where the
   * feed rests. Else it would hold up others while it catches up, or not be asked for from its own place: that it does
   * with a line of its own.
   */
  #begin(reader: Reader, mayJoin = !this.#isShared && !this.#wanting && this.#joined.length === 0): void {
    const place = this.#readers.get(reader);
    if (place === undefined) return;
    if (reader.position === undefined || mayJoin) {
      place.joins = true;
      this.#wantSoon();
      return;
    }
    const line: Line = new Line(this.#line, (event) => this.#hearOwn(reader, line, event));
    place.own = line;
    line.want(reader.patterns, reader.position);
  }

  /** A reader takes nothing for now, or any more. */
  #leave(reader: Reader): void {
    const place = this.#readers.get(reader);
    place?.own?.close();
    this.#readers.set(reader, { ...NOWHERE });
    if (place?.joins) this.#wantSoon();
  }

  #hearOwn(reader: Reader, line: Line, event: FeedEvent): void {
    const place = this.#readers.get(reader);
    if (place?.own !== line) return;
    if (event.kind === "refused") reader.end(event.error);
    else if (event.kind === "state") {
      if (event.state.kind === "closed") this.#end(event.state.error);
      else if (this.#joined.length === 0) this.#setState(event.state);
    } else if (event.kind !== "restart") reader.hear(line, event);
    if (event.kind !== "live" || place.joins) return;
    this.#joinAgain(place);
  }

  /** A reader has caught up. Its line goes on until the feed takes over. */
  #joinAgain(place: Place): void {
    place.joins = true;
    this.#wantSoon();
  }

  #hear(event: FeedEvent): void {
    if (this.#closing.signal.aborted) return;
    if (event.kind === "state") {
      if (event.state.kind === "closed") this.#end(event.state.error);
      else this.#setState(event.state);
    } else if (event.kind === "restart") this.#restart(event.late);
    else if (event.kind === "refused") this.#refuse(event.error);
    else for (const [reader, place] of this.#readers) this.#pass(reader, place, event);
  }

  #pass(reader: Reader, place: Place, event: StreamEvent): void {
    const had = reader.source === this.#feed;
    reader.hear(this.#feed, event);
    place.joined ||= reader.source === this.#feed;
    // Both are at the end of the log now, so from there is a way back.
    if (event.kind === "live" && place.own?.live && !place.joins) this.#joinAgain(place);
    if (event.kind !== "cover") return;
    if (reader.source === this.#feed) {
      place.joins = true;
      place.own?.close();
      place.own = undefined;
    } else if (place.joins && reader.position !== undefined && event.from !== undefined) {
      const ahead = compareCursors(event.from, reader.position);
      // Of another log: there is no way back to this reader's place on this feed.
      if (Number.isNaN(ahead)) this.#catchUp(reader);
      else if (had || (ahead > 0 && coverAll(event.patterns, reader.patterns))) this.#wantSoon();
    }
  }

  /** Reads with a line of its own, and joins the others again when that is live. */
  #catchUp(reader: Reader): void {
    const place = this.#readers.get(reader);
    if (place?.own !== undefined) place.joins = false;
    else {
      this.#leave(reader);
      this.#begin(reader, false);
    }
  }

  /** The feed knows nothing of what was wanted. Who has been away for long is not to hold up the others. */
  #restart(late: boolean): void {
    for (const reader of this.#readers.keys()) {
      reader.leave(this.#feed);
      if (late && !reader.paused && reader.position !== undefined) this.#catchUp(reader);
    }
    this.#wantSoon();
  }

  /** Those who were there before go on without those who came last, also where these subscribe again at once. */
  #refuse(error: HubClientError): void {
    const places = [...this.#readers];
    const hasNew = places.some(([, { joins, joined }]) => joins && !joined);
    for (const [reader, { joins, joined }] of places) {
      if (joins && reader.source !== this.#feed && !(joined && hasNew)) reader.end(error);
      else reader.leave(this.#feed);
    }
    this.#wantSoon();
  }

  /** Once for all that is changed in one go. */
  #wantSoon(): void {
    if (this.#wanting) return;
    this.#wanting = true;
    queueMicrotask(() => {
      this.#wanting = false;
      if (this.#closing.signal.aborted) return;
      const joined = this.#joined;
      const behind = joined.filter(({ source }) => source !== this.#feed);
      this.#feed.want(unionOf(joined.map(({ patterns }) => patterns)), firstOf(behind.map(({ position }) => position)));
    });
  }

  /** A hub that answers is there again, so there is nothing to wait for, unless it said when to come back. */
  async #answered<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const known = await answer;
    if (this.#state.kind === "waiting" && this.#state.error.retryAfter === undefined) this.#wake(false);
    return known;
  }

  #wake(suspect: boolean): void {
    this.#requests.wake();
    this.#feed.wake(suspect);
    for (const { own } of this.#readers.values()) own?.wake(suspect);
  }

  #setState(state: HubState): void {
    if (this.#state.kind === "closed" || isSame(state, this.#state)) return;
    this.#state = state;
    for (const listener of this.#stateListeners) call(() => listener(state));
  }
}

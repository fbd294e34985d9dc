import { earliestOf } from "../protocol/cursor.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { passingError, type HubClientError } from "./errors.ts";
import type { HttpClient } from "./http-client.ts";
import { MAX_TIMER } from "./page-lifecycle.ts";
import type { Source, SourceEvent, Stream, StreamEvent, StreamListener, Transport } from "./transport.ts";

export interface ConnectionOptions {
  readonly http: HttpClient;
  readonly transport: Transport;
  readonly backoff: BackoffOptions;
  /** Milliseconds; undefined: two and a half heartbeats. */
  readonly silence: number | undefined;
}

/** Milliseconds between heartbeats if the server does not say. */
const HEARTBEAT = 15_000;
/** The least and the most that a server can say. */
const HEARTBEATS = { least: 1000, most: 3_600_000 } as const;
/** Refusals that are about what was asked for; all other final ones are about who asks, and where. */
const ABOUT_PATTERNS = ["INVALID_PATTERN", "INVALID_CHANNEL", "TOO_MANY_CHANNELS", "FORBIDDEN"];

/** Reads from the hub over one stream after the other, each from where the last one ended. */
export class Connection implements Source {
  readonly #options: ConnectionOptions;
  readonly #listener: (event: SourceEvent) => void;
  readonly #backoff: Backoff;
  #patterns: readonly string[] = [];
  /** Everything of `#patterns` up to here has been brought. */
  #cursor: string | undefined;
  #stream: Stream | undefined;
  /** What the stream was asked for last. */
  #asked: readonly string[] = [];
  /** Whether what comes is what was asked for last, and not yet what was asked for before. */
  #covered = false;
  /** Whether the stream brings anything that was asked for; heartbeats come before that, too. */
  #begun = false;
  #live = false;
  #running = false;
  #silence: number;
  #lastActive = 0;
  /** Ends the wait for the next attempt. */
  #endWait: () => void = () => {};

  constructor(options: ConnectionOptions, listener: (event: SourceEvent) => void) {
    this.#options = options;
    this.#listener = listener;
    this.#backoff = new Backoff(options.backoff);
    this.#silence = options.silence ?? HEARTBEAT * 2.5;
  }

  read(patterns: readonly string[], from: string | undefined): void {
    // Also a later place is asked for from the server: it may be of another log.
    const isPlaced = from !== undefined && from !== this.#cursor;
    this.#cursor = earliestOf([from, this.#cursor]);
    this.#patterns = patterns;
    if (patterns.length === 0) return this.close();
    if (!this.#running) return void this.#run();
    if (this.#stream === undefined) return;
    if (isPlaced || patterns.join() !== this.#asked.join()) this.#change(this.#stream);
    else if (this.#covered) this.#repeat();
  }

  wake(suspect: boolean): void {
    this.#endWait();
    if (suspect || this.#quiet > this.#silence / 2) this.#stream?.close();
  }

  request(...request: Parameters<Source["request"]>): ReturnType<Source["request"]> {
    return this.#live ? this.#stream?.request?.(...request) : undefined;
  }

  /** Forgets its place, too; it can be asked to read again. */
  close(): void {
    this.#patterns = [];
    this.#cursor = undefined;
    this.#stream?.close();
    this.#endWait();
    if (!this.#running) this.#listener({ kind: "state", state: { kind: "idle" } });
  }

  /** Milliseconds in which nothing came, by a clock that cannot be set. */
  get #quiet(): number {
    return performance.now() - this.#lastActive;
  }

  /** Reads other patterns, or from an earlier place. Until that is so, the cursor stays where it is. */
  #change(stream: Stream): void {
    this.#asked = this.#patterns;
    this.#covered = false;
    if (stream.change === undefined || this.#cursor === undefined) stream.close();
    else stream.change(this.#patterns, this.#cursor);
  }

  /** Says again what is so, for a subscription that was added since. */
  #repeat(): void {
    if (this.#cursor === undefined) return;
    this.#listener({ kind: "cover", patterns: this.#asked, from: this.#cursor });
    if (this.#live) this.#listener({ kind: "live", id: this.#cursor });
  }

  async #run(): Promise<void> {
    this.#running = true;
    let state: SourceEvent = { kind: "state", state: { kind: "idle" } };
    let failed = true;
    while (this.#patterns.length > 0) {
      // A stream that is replaced is still live for those who read.
      if (failed) this.#listener({ kind: "state", state: { kind: "connecting" } });
      const error = await this.#readStream();
      failed = error !== undefined;
      if (error === undefined || this.#patterns.length === 0) continue;
      if (this.#isFinal(error)) {
        this.#patterns = [];
        this.#cursor = undefined;
        // What stands between may forbid everything.
        const isAboutPatterns = ABOUT_PATTERNS.includes(error.code) && (error.fromHub || error.code !== "FORBIDDEN");
        state = isAboutPatterns ? { kind: "refused", error } : { kind: "state", state: { kind: "closed", error } };
      } else await this.#wait(error);
    }
    this.#running = false;
    this.#listener(state);
  }

  /** One stream from its beginning to its end. */
  async #readStream(): Promise<HubClientError | undefined> {
    this.#lastActive = performance.now();
    const { silent, stop } = this.#watch();
    this.#asked = this.#patterns;
    const listener = this.#listenerOf(() => this.#stream === stream);
    const stream = this.#options.transport(this.#patterns, this.#cursor, listener);
    this.#stream = stream;
    const error = await Promise.race([stream.ended, silent]);
    stop();
    this.#stream = undefined;
    this.#covered = false;
    this.#begun = false;
    this.#live = false;
    stream.close();
    return error;
  }

  /** Notices that nothing comes. */
  #watch(): { readonly silent: Promise<HubClientError>; readonly stop: () => void } {
    let fallSilent: (error: HubClientError) => void = () => {};
    const silent = new Promise<HubClientError>((resolve) => (fallSilent = resolve));
    const sentence = "Nothing came from the server, not even a heartbeat";
    const every = Math.min(this.#silence / 8, MAX_TIMER);
    let isSuspect = false;
    let ahead = Date.now() - performance.now();
    let woke = -Infinity;
    const look = (): void => {
      // The other clock may stand still while a machine sleeps. If the one on the wall went ahead of it, the machine
      // may have slept, or the clock was set: a connection that is alive has a heartbeat's time to show it.
      const was = ahead;
      ahead = Date.now() - performance.now();
      if (ahead - was > every) woke = performance.now();
      const isQuietSince = this.#lastActive < woke && performance.now() - woke > this.#silence / 2;
      const isSilent = isQuietSince || this.#quiet > (this.#silence * 7) / 8;
      // Looks twice: if this process was itself too busy to read, what came meanwhile is read after the first look.
      if (isSilent && isSuspect) fallSilent(passingError("SILENT", sentence));
      isSuspect = isSilent;
    };
    const timer = setInterval(look, every);
    return { silent, stop: () => clearInterval(timer) };
  }

  #listenerOf(isCurrent: () => boolean): StreamListener {
    return {
      active: () => {
        this.#lastActive = performance.now();
      },
      advised: ({ retry, heartbeat }) => {
        this.#backoff.retry = retry ?? this.#backoff.retry;
        if (!(heartbeat !== undefined && heartbeat > 0)) return;
        const beat = Math.min(Math.max(heartbeat, HEARTBEATS.least), HEARTBEATS.most);
        this.#silence = this.#options.silence ?? beat * 2.5;
      },
      event: (event) => {
        if (isCurrent()) this.#take(event);
      },
    };
  }

  #take(event: StreamEvent): void {
    if (event.kind === "cover") {
      this.#begun = true;
      this.#covered = event.patterns === this.#asked;
      this.#live = false;
      if (this.#covered) this.#cursor = event.from;
    } else if (!this.#begun) return;
    else if (this.#covered) this.#cursor = placeOf(event) ?? this.#cursor;
    this.#listener(event);
    if (event.kind !== "live" || !this.#covered) return;
    this.#options.http.hubAnswered = true;
    this.#backoff.reset();
    this.#live = true;
    this.#listener({ kind: "state", state: { kind: "live" } });
  }

  /** Once a hub has answered, what answers like something else is an accident on the way. */
  #isFinal({ code, final }: HubClientError): boolean {
    return final && !(this.#options.http.hubAnswered && (code === "NOT_A_HUB" || code === "TOO_LARGE"));
  }

  /** Waits for the next attempt. */
  async #wait(error: HubClientError): Promise<void> {
    const delay = this.#backoff.next(error);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#listener({ kind: "state", state: { kind: "waiting", until: Date.now() + delay, error } });
    });
  }
}

/** How far an event goes; a message that is not kept goes nowhere. */
function placeOf(event: Exclude<StreamEvent, { kind: "cover" }>): string | null {
  if (event.kind === "message") return event.message.id;
  return event.kind === "gap" ? event.gap.resumed : event.id;
}

import { Backoff, type BackoffOptions } from "./backoff.ts";
import { compareCursors } from "./cursor.ts";
import type { Door } from "./http-client.ts";
import { HubClientError } from "./errors.ts";
import type { Connection, ConnectionListener, Feed, FeedListener, StreamEvent, Transport } from "./transport.ts";
import { LONGEST_TIMER, onFreeze } from "./page-lifecycle.ts";

export interface LineOptions {
  readonly door: Door;
  readonly transport: Transport;
  readonly backoff: BackoffOptions;
  /** Milliseconds; undefined: two and a half heartbeats. */
  readonly silence: number | undefined;
}

/** Milliseconds between heartbeats where the server does not tell. */
const HEARTBEAT = 15_000;
/** The least and the most that a server can tell. */
const HEARTBEATS = { least: 1000, most: 3_600_000 } as const;
/** Refusals that are about what was asked for; all other final ones are about who asks, and where. */
const ABOUT_PATTERNS = ["INVALID_PATTERN", "INVALID_CHANNEL", "TOO_MANY_CHANNELS"];

/** A feed of its own: one connection after the other, each from where the last one ended. */
export class Line implements Feed {
  readonly #options: LineOptions;
  readonly #listener: FeedListener;
  readonly #backoff: Backoff;
  #patterns: readonly string[] = [];
  /** Everything of `#patterns` up to here has been brought. */
  #cursor: string | undefined;
  #connection: Connection | undefined;
  /** What the connection was asked for last. */
  #asked: readonly string[] = [];
  /** Whether what comes is what was asked for last, and not yet what was asked for before. */
  #covered = false;
  /** Whether the connection brings anything that was asked for; heartbeats come before that, too. */
  #begun = false;
  #live = false;
  #running = false;
  #renewed = false;
  #silence: number;
  #heard = 0;
  /** Ends the wait for the next attempt; undefined while it does not wait. */
  #endWait: (() => void) | undefined;
  #frozen = false;
  #thaw: () => void = () => {};

  constructor(options: LineOptions, listener: FeedListener) {
    this.#options = options;
    this.#listener = listener;
    this.#backoff = new Backoff(options.backoff);
    this.#silence = options.silence ?? HEARTBEAT * 2.5;
  }

  want(patterns: readonly string[], from: string | undefined): void {
    const isEarlier = from !== undefined && (this.#cursor === undefined || compareCursors(from, this.#cursor) < 0);
    if (isEarlier) this.#cursor = from;
    this.#patterns = patterns;
    if (patterns.length === 0) return this.close();
    if (!this.#running) return void this.#run();
    if (this.#connection === undefined) return;
    const isSame = patterns.length === this.#asked.length && patterns.every((one) => this.#asked.includes(one));
    if (!isSame || isEarlier) this.#change();
    else if (this.#covered) this.#repeat();
  }

  wake(suspect: boolean): void {
    this.#endWait?.();
    if (suspect || this.#quiet > this.#silence / 2) this.#connection?.close();
  }

  ask(...asked: Parameters<Feed["ask"]>): ReturnType<Feed["ask"]> {
    return this.#live ? this.#connection?.ask?.(...asked) : undefined;
  }

  /** Forgets its place, too; it can be wanted from again. */
  close(): void {
    this.#patterns = [];
    this.#cursor = undefined;
    this.#connection?.close();
    this.#endWait?.();
    this.#thaw();
    if (!this.#running) this.#listener({ kind: "state", state: { kind: "idle" } });
  }

  get live(): boolean {
    return this.#live;
  }

  /** Milliseconds in which nothing came, by a clock that cannot be set. */
  get #quiet(): number {
    return performance.now() - this.#heard;
  }

  /** Reads other patterns, or from an earlier place. Until that is so, the place stays where it is. */
  #change(): void {
    this.#asked = this.#patterns;
    this.#covered = false;
    const { change } = this.#connection ?? {};
    if (change === undefined || this.#cursor === undefined) this.#connection?.close();
    else change(this.#patterns, this.#cursor);
  }

  /** Says again what is so: whoever joined did not hear it. */
  #repeat(): void {
    if (this.#cursor === undefined) return;
    this.#listener({ kind: "cover", patterns: this.#asked, from: this.#cursor });
    if (this.#live) this.#listener({ kind: "live", id: this.#cursor });
  }

  async #run(): Promise<void> {
    this.#running = true;
    const stopFreezing = onFreeze(
      () => this.#freeze(),
      () => this.#unfreeze(),
    );
    let failed = true;
    let refusal: HubClientError | undefined;
    while (this.#patterns.length > 0) {
      if (this.#frozen) {
        await new Promise<void>((resolve) => (this.#thaw = resolve));
        failed = true;
        continue;
      }
      // A connection that is replaced is still live for those who read.
      if (failed) this.#listener({ kind: "state", state: { kind: "connecting" } });
      const error = await this.#connect();
      failed = error !== undefined;
      if (error === undefined || this.#patterns.length === 0) continue;
      if (this.#isFinal(error)) {
        refusal = error;
        break;
      }
      await this.#wait(error);
    }
    stopFreezing();
    this.#frozen = false;
    this.#running = false;
    if (refusal === undefined) this.#listener({ kind: "state", state: { kind: "idle" } });
    else this.#giveUp(refusal);
  }

  #giveUp(error: HubClientError): void {
    this.#patterns = [];
    this.#cursor = undefined;
    if (ABOUT_PATTERNS.includes(error.code)) this.#listener({ kind: "refused", error });
    else this.#listener({ kind: "state", state: { kind: "closed", error } });
  }

  /** A page that stands still would hold a connection on which nobody reads. */
  #freeze(): void {
    this.#frozen = true;
    this.#connection?.close();
  }

  #unfreeze(): void {
    this.#frozen = false;
    this.#thaw();
    this.#endWait?.();
  }

  /** One connection from its beginning to its end. */
  async #connect(): Promise<HubClientError | undefined> {
    const { transport } = this.#options;
    this.#heard = performance.now();
    const { silent, stop } = this.#watch();
    this.#asked = this.#patterns;
    const connection = transport(
      this.#patterns,
      this.#cursor,
      this.#listening(() => this.#connection === connection),
    );
    this.#connection = connection;
    const error = await Promise.race([connection.ended, silent]);
    stop();
    this.#connection = undefined;
    this.#covered = false;
    this.#begun = false;
    this.#live = false;
    connection.close();
    return error;
  }

  /** Notices that nothing comes. */
  #watch(): { readonly silent: Promise<HubClientError>; readonly stop: () => void } {
    let fallSilent: (error: HubClientError) => void = () => {};
    const silent = new Promise<HubClientError>((resolve) => (fallSilent = resolve));
    const sentence = "Nothing came from the server, not even a heartbeat";
    const every = Math.min(this.#silence / 8, LONGEST_TIMER);
    let isSuspect = false;
    let ahead = Date.now() - performance.now();
    let woke = -Infinity;
    const look = (): void => {
      // The other clock may stand still while a machine sleeps. If the one on the wall went ahead of it, the machine
      // may have slept, or the clock was set: a connection that lives has a heartbeat's time to show it.
      const was = ahead;
      ahead = Date.now() - performance.now();
      if (ahead - was > every) woke = performance.now();
      const isQuietSince = this.#heard < woke && performance.now() - woke > this.#silence / 2;
      const isSilent = isQuietSince || this.#quiet > (this.#silence * 7) / 8;
      // Looks twice: if this process was itself too busy to read, what came meanwhile is read after the first look.
      if (isSilent && isSuspect) fallSilent(new HubClientError("SILENT", sentence, { final: false }));
      isSuspect = isSilent;
    };
    const timer = setInterval(look, every);
    return { silent, stop: () => clearInterval(timer) };
  }

  #listening(isCurrent: () => boolean): ConnectionListener {
    return {
      heard: () => {
        this.#heard = performance.now();
      },
      told: ({ retry, heartbeat }) => {
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
    this.#options.door.met = true;
    this.#backoff.reset();
    this.#renewed = false;
    this.#live = true;
    this.#listener({ kind: "state", state: { kind: "live" } });
  }

  #isFinal({ code, final }: HubClientError): boolean {
    const { door } = this.#options;
    if (code === "NOT_A_HUB" || code === "TOO_LARGE") return final && !door.met;
    if (code !== "UNAUTHORIZED" || !door.canRenew || this.#renewed) return final;
    // The headers may be better when they are asked for again, which is tried once.
    this.#renewed = true;
    return false;
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
    this.#endWait = undefined;
  }
}

/** How far an event goes; a message that is not kept goes nowhere. */
function placeOf(event: Exclude<StreamEvent, { kind: "cover" }>): string | null {
  if (event.kind === "message") return event.message.id;
  return event.kind === "gap" ? event.gap.resumed : event.id;
}

import { firstOf } from "./cursor.ts";
import type { Feed, FeedEvent, FeedListener, HubState } from "./transport.ts";
import { Line, type LineOptions } from "./connection.ts";
import { lively, noteIn, plain, VERSION, type Note } from "./tab-message.ts";
import { unionOf } from "./pattern.ts";
import { LONGEST_TIMER, onFreeze } from "./page-lifecycle.ts";

type Wish = Pick<Note & { kind: "want" }, "patterns" | "from">;

/** Milliseconds in which wishes of several tabs are put together. */
const GATHER = 20;
const SILENCE = 37_500;
/** Times a silent leader is asked before its lock is taken. */
const ASKED = 3;

/** Whether this is a page whose tabs can share a connection. */
export function mayShare(): boolean {
  return "document" in globalThis && canShare();
}

/** Whether tabs can share a connection here at all. */
export function canShare(): boolean {
  return typeof BroadcastChannel === "function" && typeof navigator === "object" && "locks" in navigator;
}

/**
 * A feed that all tabs of an origin have together. Whoever holds a lock leads: it has the line, asks for what all of
 * them want, and tells all of them everything that comes. A tab is read from its own place on, so it does not matter
 * who leads, or that two do for a moment: what comes twice is known, and what is missing is asked for.
 */
export class Tabs implements Feed {
  readonly #name: string;
  readonly #tab = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  readonly #options: LineOptions;
  readonly #listener: FeedListener;
  readonly #silence: number;
  readonly #stopFreezing: () => void;
  #channel: InstanceType<typeof BroadcastChannel> | undefined;
  #campaign: AbortController | undefined;
  /** Gives up the lock on this tab's name, by which a leader knows that the tab lives. */
  #endLife: () => void = () => {};
  #wish: Wish = { patterns: [] };
  #term = 0;
  #heard = 0;
  /** Times the leader was asked since it was heard. */
  #asked = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  /** Set while this tab leads. */
  #line: Line | undefined;
  #release: () => void = () => {};
  /** Set where the browser lets nothing be shared: this tab reads by itself. */
  #alone: Line | undefined;
  #state: HubState = { kind: "connecting" };
  readonly #wishes = new Map<string, Wish>();
  #gathering: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, options: LineOptions, listener: FeedListener) {
    this.#name = `sse-mcp-server/client/${VERSION} ${name}`;
    this.#options = options;
    this.#listener = listener;
    this.#silence = options.silence ?? SILENCE;
    this.#stopFreezing = onFreeze(
      () => this.#leave(),
      () => this.#comeBack(),
    );
  }

  want(patterns: readonly string[], from: string | undefined): void {
    if (patterns.length === 0) this.#listener({ kind: "state", state: { kind: "idle" } });
    if (this.#alone !== undefined) return this.#alone.want(patterns, from);
    this.#wish = { patterns, ...(from !== undefined && { from }) };
    if (this.#channel === undefined) {
      // A tab that only publishes needs none of this.
      if (patterns.length > 0) this.#join();
    } else if (this.#line === undefined) this.#tell({ kind: "want", tab: this.#tab, ...this.#wish });
    else this.#wished(this.#tab, this.#wish);
  }

  wake(suspect: boolean): void {
    const line = this.#alone ?? this.#line;
    if (line === undefined) this.#tell({ kind: "wake", suspect });
    else line.wake(suspect);
  }

  ask(...asked: Parameters<Feed["ask"]>): ReturnType<Feed["ask"]> {
    return (this.#alone ?? this.#line)?.ask(...asked);
  }

  close(): void {
    this.#stopFreezing();
    if (this.#channel !== undefined && this.#line === undefined)
      this.#tell({ kind: "want", tab: this.#tab, patterns: [] });
    this.#leave();
    this.#alone?.close();
  }

  #join(): void {
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      return this.#goAlone();
    }
    this.#channel.addEventListener("message", (event) => {
      const note = noteIn((event as Event & { data: unknown }).data);
      if (note !== undefined) this.#heardOf(note);
    });
    this.#listener({ kind: "state", state: { kind: "connecting" } });
    this.#heard = performance.now();
    const every = this.#silence / 8;
    if (every <= LONGEST_TIMER) this.#watch = setInterval(() => this.#lookAfterLeader(), every);
    // Before it says a word, so that a leader that hears of it can tell whether it lives.
    const life = new Promise<void>((resolve) => (this.#endLife = resolve));
    const channel = this.#channel;
    const live = (): Promise<void> => {
      if (this.#channel === channel) this.#tell({ kind: "want", tab: this.#tab, ...this.#wish });
      return life;
    };
    navigator.locks.request(this.#lifeOf(this.#tab), live).catch(() => {
      if (this.#channel === channel) this.#goAlone();
    });
    this.#stand(false);
  }

  /** Some frames and settings of browsers deny locks. Without one, whatever it said would disturb those that share. */
  #goAlone(): void {
    this.#stopFreezing();
    this.#leave();
    this.#alone = new Line(this.#options, this.#listener);
    this.#listener({ kind: "restart", late: false });
  }

  /** Has no part in it any more; another tab leads. */
  #leave(): void {
    if (this.#channel === undefined) return;
    this.#abdicate();
    this.#campaign?.abort();
    clearInterval(this.#watch);
    this.#channel.close();
    this.#channel = undefined;
    this.#endLife();
  }

  #comeBack(): void {
    if (this.#channel !== undefined || this.#wish.patterns.length === 0) return;
    this.#term = 0;
    this.#listener({ kind: "state", state: { kind: "connecting" } });
    // A lot may have been said meanwhile.
    this.#listener({ kind: "restart", late: true });
  }

  /** Waits until it can lead; `steal`: makes the one that leads give it up. */
  #stand(steal: boolean): void {
    this.#campaign?.abort();
    const campaign = new AbortController();
    this.#campaign = campaign;
    const lead = (): Promise<void> | undefined => {
      if (campaign.signal.aborted) return undefined;
      const over = new Promise<void>((resolve) => (this.#release = resolve));
      this.#lead();
      return over;
    };
    const options = steal ? { steal } : { signal: campaign.signal };
    navigator.locks.request(this.#name, options, lead).catch((error: Error) => {
      // This tab gave up waiting, or another took the lock, or there are none to be had.
      if (campaign.signal.aborted) return;
      if (error.name === "AbortError") this.#lost();
      else this.#goAlone();
    });
  }

  #lead(): void {
    this.#term = Math.max(Date.now(), this.#term + 1);
    this.#wishes.clear();
    this.#state = { kind: "connecting" };
    this.#line = new Line(this.#options, (event) => this.#bring(event));
    this.#tell({ kind: "lead", term: this.#term });
    this.#listener({ kind: "restart", late: false });
  }

  /** Another tab leads from now on. */
  #lost(): void {
    if (this.#channel === undefined) return;
    this.#abdicate();
    this.#heard = performance.now();
    this.#stand(false);
    this.#listener({ kind: "restart", late: false });
  }

  #abdicate(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const line = this.#line;
    this.#line = undefined;
    line?.close();
    this.#release();
  }

  /** The line brought something: for every tab, this one among them. */
  #bring(event: FeedEvent): void {
    if (this.#line === undefined) return;
    if (event.kind === "state") {
      this.#state = event.state;
      // It rests between two wishes; that is no news.
      if (event.state.kind === "idle" && this.#wishes.size > 0) return;
    }
    if (event.kind === "refused") this.#wishes.clear();
    this.#tell({ kind: "lead", term: this.#term, event: plain(event) });
    this.#pass(event);
  }

  #pass(event: FeedEvent): void {
    // What the others read is nothing to a tab that wants nothing, but that the hub refuses them all is.
    const concerns = this.#wish.patterns.length > 0 || (event.kind === "state" && event.state.kind === "closed");
    if (concerns) this.#listener(event);
  }

  #wished(tab: string, wish: Wish): void {
    if (wish.patterns.length === 0) this.#wishes.delete(tab);
    else {
      if (!this.#wishes.has(tab) && tab !== this.#tab) this.#watchLife(tab);
      this.#wishes.set(tab, wish);
    }
    // At once where it stands alone: the timers of a page in the background are late.
    if (this.#gathering !== undefined) return;
    this.#grant();
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.#grant();
    }, GATHER);
  }

  #grant(): void {
    const wishes = [...this.#wishes.values()];
    const from = firstOf(wishes.map((wish) => wish.from));
    // A place is wished for once; from then on it moves.
    for (const [tab, { patterns }] of this.#wishes) this.#wishes.set(tab, { patterns });
    this.#line?.want(unionOf(wishes.map(({ patterns }) => patterns)), from);
    this.#bring({ kind: "state", state: this.#state });
  }

  /** The lock on a tab's name is free when the tab is gone. */
  #watchLife(tab: string): void {
    const { signal } = this.#campaign as AbortController;
    navigator.locks
      .request(this.#lifeOf(tab), { signal }, () => {
        if (this.#line !== undefined && this.#wishes.has(tab)) this.#wished(tab, { patterns: [] });
      })
      .catch(() => {});
  }

  #heardOf(note: Note): void {
    if (note.kind === "lead") this.#heardLeader(note);
    else if (this.#line === undefined) return;
    else if (note.kind === "want") this.#wished(note.tab, note);
    else if (note.kind === "wake") this.#line.wake(note.suspect);
    else this.#bring({ kind: "state", state: this.#state });
  }

  #heardLeader({ term, event }: Note & { kind: "lead" }): void {
    if (term < this.#term) return;
    this.#heard = performance.now();
    this.#asked = 0;
    if (term > this.#term) {
      this.#term = term;
      // If this tab led, its lock was taken away, and the word of it is on its way.
      if (this.#line !== undefined) return;
      this.#listener({ kind: "restart", late: false });
    }
    if (this.#line === undefined && event !== undefined) this.#pass(lively(event));
  }

  /** A leader that says nothing is asked; one that does not answer has lost its line, or its mind. */
  #lookAfterLeader(): void {
    if (this.#line !== undefined) return;
    const quiet = performance.now() - this.#heard;
    if (quiet < this.#silence / 2) return;
    this.#tell({ kind: "ask" });
    // A machine that slept finds everyone silent, and has to ask first, too.
    if (++this.#asked < ASKED || quiet < this.#silence) return;
    this.#heard = performance.now();
    this.#asked = 0;
    this.#stand(true);
  }

  #tell(note: Note): void {
    this.#channel?.postMessage(note);
  }

  #lifeOf(tab: string): string {
    return `${this.#name} ${tab}`;
  }
}

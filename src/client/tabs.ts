import { Connection, type ConnectionOptions } from "./connection.ts";
import { MAX_TIMER } from "./page-lifecycle.ts";
import { TabLeader, type TabRequest } from "./tab-leader.ts";
import { eventFrom, plainEvent, tabMessageIn, VERSION, type TabMessage } from "./tab-message.ts";
import type { Source, SourceEvent } from "./transport.ts";

const SILENCE = 37_500;
/** Times a silent leader is pinged before its lock is taken. */
const PINGS = 3;

/** Whether tabs can share a connection here at all. */
export function canShare(): boolean {
  return typeof BroadcastChannel === "function" && typeof navigator === "object" && "locks" in navigator;
}

/**
 * A source that all tabs of an origin share. The one that holds a lock leads: it has the connection, reads what all of
 * them want, and tells all of them everything that comes. Each subscription is read from its own position, so it does
 * not matter which tab leads, or that two do for a moment.
 */
export class Tabs implements Source {
  readonly #name: string;
  readonly #tab = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  readonly #options: ConnectionOptions;
  readonly #listener: (event: SourceEvent) => void;
  readonly #silence: number;
  #channel: InstanceType<typeof BroadcastChannel> | undefined;
  #election = new AbortController();
  /** Gives up the lock on this tab's name, by which a leader knows that the tab is alive. */
  #endLife: () => void = () => {};
  #request: TabRequest = { patterns: [] };
  #term = 0;
  #lastHeard = 0;
  /** Times the leader was pinged since it was heard. */
  #pings = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  /** Set while this tab leads. */
  #leader: TabLeader | undefined;
  #release: () => void = () => {};
  /** Set if the browser does not let tabs share. */
  #alone: Connection | undefined;

  constructor(name: string, options: ConnectionOptions, listener: (event: SourceEvent) => void) {
    this.#name = `sse-mcp-server/client/${VERSION} ${name}`;
    this.#options = options;
    this.#listener = listener;
    this.#silence = options.silence ?? SILENCE;
  }

  read(patterns: readonly string[], from: string | undefined): void {
    if (patterns.length === 0) this.#listener({ kind: "state", state: { kind: "idle" } });
    if (this.#alone !== undefined) return this.#alone.read(patterns, from);
    this.#request = { patterns, from };
    if (this.#channel !== undefined) this.#ask();
    // A tab that only publishes does not take part.
    else if (patterns.length > 0) this.#join();
  }

  wake(suspect: boolean): void {
    const connection = this.#alone ?? this.#leader?.connection;
    if (connection === undefined) this.#tell({ kind: "wake", suspect });
    else connection.wake(suspect);
  }

  request(...request: Parameters<Source["request"]>): ReturnType<Source["request"]> {
    return (this.#alone ?? this.#leader?.connection)?.request(...request);
  }

  /** Takes no part any more; it can be asked to read again. */
  close(): void {
    this.#request = { patterns: [] };
    if (this.#leader === undefined) this.#ask();
    this.#leave();
    this.#alone?.close();
  }

  #join(): void {
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      return this.#goAlone();
    }
    const channel = this.#channel;
    channel.addEventListener("message", (event) => {
      const message = tabMessageIn((event as Event & { data: unknown }).data);
      if (message !== undefined) this.#hear(message);
    });
    this.#listener({ kind: "state", state: { kind: "connecting" } });
    this.#term = 0;
    this.#lastHeard = performance.now();
    const every = this.#silence / 8;
    if (every <= MAX_TIMER) this.#watch = setInterval(() => this.#watchLeader(), every);
    // Before it says a word, so that a leader that hears of it can tell whether it is alive.
    const life = new Promise<void>((resolve) => (this.#endLife = resolve));
    const live = (): Promise<void> => {
      if (this.#channel === channel) this.#ask();
      return life;
    };
    navigator.locks.request(this.#lifeOf(this.#tab), live).catch(() => {
      if (this.#channel === channel) this.#goAlone();
    });
    this.#stand(false);
  }

  /** Some frames and settings of browsers deny locks. Without one, whatever it said would disturb those that share. */
  #goAlone(): void {
    this.#leave();
    this.#alone = new Connection(this.#options, this.#listener);
    this.#listener({ kind: "restart" });
  }

  #leave(): void {
    this.#abdicate();
    this.#election.abort();
    clearInterval(this.#watch);
    this.#channel?.close();
    this.#channel = undefined;
    this.#endLife();
  }

  /** Waits until it can lead; `steal`: takes the lock of the one that leads. */
  #stand(steal: boolean): void {
    this.#election.abort();
    const { signal } = (this.#election = new AbortController());
    const lead = (): Promise<void> | undefined => {
      if (signal.aborted) return undefined;
      this.#lead();
      return new Promise<void>((resolve) => (this.#release = resolve));
    };
    navigator.locks.request(this.#name, steal ? { steal } : { signal }, lead).catch((error: Error) => {
      // This tab gave up waiting, or another took the lock, or there are none to be had.
      if (signal.aborted) return;
      if (error.name !== "AbortError") return this.#goAlone();
      this.#abdicate();
      this.#lastHeard = performance.now();
      this.#stand(false);
      this.#listener({ kind: "restart" });
    });
  }

  #lead(): void {
    this.#term = Math.max(Date.now(), this.#term + 1);
    this.#leader = new TabLeader(this.#options, (event) => {
      this.#tell({ kind: "lead", term: this.#term, event: plainEvent(event) });
      this.#take(event);
    });
    this.#tell({ kind: "lead", term: this.#term });
    this.#listener({ kind: "restart" });
  }

  #abdicate(): void {
    this.#leader?.close();
    this.#leader = undefined;
    this.#release();
  }

  #ask(): void {
    const { patterns, from } = this.#request;
    if (this.#leader === undefined)
      this.#tell({ kind: "read", tab: this.#tab, patterns, ...(from !== undefined && { from }) });
    else this.#leader.request(this.#tab, this.#request);
  }

  #take(event: SourceEvent): void {
    // What others read does not concern a tab that reads nothing, but that the hub refuses them all does.
    const concerns = this.#request.patterns.length > 0 || (event.kind === "state" && event.state.kind === "closed");
    if (concerns) this.#listener(event);
  }

  #hear(message: TabMessage): void {
    const leader = this.#leader;
    if (message.kind === "lead") this.#hearLeader(message);
    else if (leader === undefined) return;
    else if (message.kind === "wake") leader.connection.wake(message.suspect);
    else if (message.kind === "ping") leader.tellState();
    else {
      const isNew = message.patterns.length > 0 && !leader.has(message.tab);
      leader.request(message.tab, message);
      if (isNew) this.#watchLife(leader, message.tab);
    }
  }

  #hearLeader({ term, event }: TabMessage & { kind: "lead" }): void {
    if (term < this.#term) return;
    this.#lastHeard = performance.now();
    this.#pings = 0;
    const isNew = term > this.#term;
    this.#term = term;
    // If this tab leads, its lock was taken, and it is about to hear of that.
    if (this.#leader !== undefined) return;
    if (isNew) this.#listener({ kind: "restart" });
    if (event !== undefined) this.#take(eventFrom(event));
  }

  /** The lock on a tab's name is free when the tab is gone. */
  #watchLife(leader: TabLeader, tab: string): void {
    const gone = (): void => {
      if (this.#leader === leader && leader.has(tab)) leader.request(tab, { patterns: [] });
    };
    navigator.locks.request(this.#lifeOf(tab), { signal: this.#election.signal }, gone).catch(() => {});
  }

  /** Pings a silent leader, and takes its lock after three pings without an answer. */
  #watchLeader(): void {
    const quiet = performance.now() - this.#lastHeard;
    if (this.#leader !== undefined || quiet < this.#silence / 2) return;
    this.#tell({ kind: "ping" });
    // A machine that slept finds every leader silent, so time alone does not tell.
    if (++this.#pings < PINGS || quiet < this.#silence) return;
    this.#lastHeard = performance.now();
    this.#pings = 0;
    this.#stand(true);
  }

  #tell(message: TabMessage): void {
    this.#channel?.postMessage(message);
  }

  #lifeOf(tab: string): string {
    return `${this.#name} ${tab}`;
  }
}

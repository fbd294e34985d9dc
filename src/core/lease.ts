import type { SharedStore } from "./shared-store.ts";

/** A right that one of all nodes has at a time, such as to read from another system for all of them. */
export interface Lease {
  /** Grows with each holder: what refuses a lower one than it has seen is safe from a holder that stood still. */
  readonly fence: number;
  /** Aborted when the lease is over: given back, or not renewed in time. */
  readonly signal: AbortSignal;
}

export interface LeaseOptions {
  readonly store: SharedStore;
  /** What it is for: the same on all nodes. */
  readonly name: string;
  /** Milliseconds after which it is over unless it is renewed, which happens three times in that time. */
  readonly lifetime: number;
  /** Called whenever this node gets it. */
  readonly onHeld: (lease: Lease) => void;
}

/** Milliseconds that a count of holders is kept after the last of them. */
const FENCE_KEPT = 365 * 86_400_000;

/** Asks for a lease again and again until it is closed, and renews it while this node has it. */
export class LeaseHolder {
  readonly #options: LeaseOptions;
  readonly #key: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #held: AbortController | undefined;
  /** Ends it here before another node can get it. */
  #end: ReturnType<typeof setTimeout> | undefined;
  #asking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#key = `lease:${options.name}`;
    this.#timer = setInterval(() => this.#ask(), options.lifetime / 3);
    this.#ask();
  }

  /** Gives it back, if this node has it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#asking;
    if (this.#held === undefined) return;
    this.#lose();
    const { store } = this.#options;
    // Only if it is still this node's.
    await store.replace(this.#key, store.node, store.node, 1).catch(() => false);
  }

  #ask(): void {
    this.#asking ??= this.#take().finally(() => (this.#asking = undefined));
  }

  async #take(): Promise<void> {
    const { store, name, lifetime, onHeld } = this.#options;
    const start = performance.now();
    try {
      if (this.#held !== undefined) {
        if (await store.replace(this.#key, store.node, store.node, lifetime)) this.#endAt(start + lifetime);
        else this.#lose();
        return;
      }
      if ((await store.getOrSet(this.#key, store.node, lifetime)) !== store.node) return;
      const { total: fence } = await store.increment(`fence:${name}`, 1, FENCE_KEPT);
      this.#held = new AbortController();
      this.#endAt(start + lifetime);
      if (!this.#isClosed) onHeld({ fence, signal: this.#held.signal });
    } catch {
      // The engine cannot be reached: the lease ends by itself.
    }
  }

  #endAt(time: number): void {
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#lose(), time - performance.now());
  }

  #lose(): void {
    clearTimeout(this.#end);
    this.#held?.abort();
    this.#held = undefined;
  }
}

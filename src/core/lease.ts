import type { SharedStore } from "./shared-store.ts";

/** A right that one node holds at a time, such as to read from another system for all of them. */
export interface Lease {
  /** Aborted when the lease ends: released, or not renewed in time. */
  readonly signal: AbortSignal;
}

export interface LeaseOptions {
  readonly store: SharedStore;
  /** What it is for; the same on all nodes. */
  readonly name: string;
  /** Milliseconds after which it ends unless it is renewed, which is tried three times in that time. */
  readonly lifetime: number;
  /** Called whenever this node gets it. */
  readonly onHeld: (lease: Lease) => void;
}

/** Tries to acquire a lease until it is closed, and renews it while this node holds it. */
export class LeaseHolder {
  readonly #options: LeaseOptions;
  readonly #key: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #held: AbortController | undefined;
  /** Ends the lease here before another node can acquire it. */
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #trying: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#key = `lease:${options.name}`;
    // Whoever serves keeps the process alive, not whoever waits for a lease.
    this.#timer = setInterval(() => this.#try(), options.lifetime / 3).unref();
    this.#try();
  }

  /** Releases it, if this node holds it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#trying;
    if (this.#held === undefined) return;
    this.#lose();
    const { store } = this.#options;
    // Not if another node holds it by now.
    await store.replace(this.#key, store.node, store.node, 1).catch(() => false);
  }

  #try(): void {
    this.#trying ??= this.#acquireOrRenew().finally(() => (this.#trying = undefined));
  }

  async #acquireOrRenew(): Promise<void> {
    const { store, lifetime, onHeld } = this.#options;
    const start = performance.now();
    try {
      if (this.#held !== undefined) {
        if (await store.replace(this.#key, store.node, store.node, lifetime)) this.#endAt(start + lifetime);
        else this.#lose();
        return;
      }
      if ((await store.getOrSet(this.#key, store.node, lifetime)) !== store.node) return;
      this.#held = new AbortController();
      this.#endAt(start + lifetime);
      if (!this.#isClosed) onHeld({ signal: this.#held.signal });
    } catch {
      // The engine cannot be reached: the lease expires.
    }
  }

  #endAt(time: number): void {
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#lose(), time - performance.now()).unref();
  }

  #lose(): void {
    clearTimeout(this.#expiry);
    this.#held?.abort();
    this.#held = undefined;
  }
}

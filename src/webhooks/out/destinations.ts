import type { Clock } from "./clock.ts";

interface Destination {
  active: number;
  /** Deliveries that may begin at once, which grows to `BURST` with time. */
  tokens: number;
  counted: number;
  /** What lets each of those that wait go on, and whose it is. */
  readonly waiting: Map<() => void, string | undefined>;
  isTimed: boolean;
}

/** Deliveries to one destination at once, per second, and at once after a quiet second. */
const [AT_ONCE, PER_SECOND, BURST] = [8, 100, 100];
/** Deliveries at once to all, and of the webhooks of one owner: who has slow destinations leaves room for others. */
const [ALL_AT_ONCE, OWN_AT_ONCE] = [256, 128];

/** How much goes at once, and per second, to each host and port, whosever webhooks they are. */
export class Destinations {
  readonly #clock: Clock;
  readonly #byHost = new Map<string, Destination>();
  /** Deliveries in progress of each owner. */
  readonly #byOwner = new Map<string, number>();
  #active = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Deliveries in progress. */
  get active(): number {
    return this.#active;
  }

  /**
   * Resolves when a delivery to this host may begin; the function that it resolves with ends it. `owner` is undefined for
   * webhooks of the operator. Rejects if aborted.
   */
  async enter(host: string, owner: string | undefined, signal: AbortSignal): Promise<() => void> {
    const destination = this.#of(host);
    while (!this.#take(destination, owner)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          destination.waiting.delete(go);
          signal.removeEventListener("abort", go);
          resolve();
        };
        destination.waiting.set(go, owner);
        signal.addEventListener("abort", go);
      });
      if (signal.aborted) {
        this.#next(destination);
        throw signal.reason;
      }
    }
    return () => {
      destination.active--;
      this.#active--;
      this.#count(owner, -1);
      for (const each of this.#byHost.values()) this.#next(each);
      if (destination.active === 0 && destination.waiting.size === 0) this.#forget(host, destination);
    };
  }

  #of(host: string): Destination {
    let destination = this.#byHost.get(host);
    if (destination === undefined) {
      destination = { active: 0, tokens: BURST, counted: this.#clock.now(), waiting: new Map(), isTimed: false };
      this.#byHost.set(host, destination);
    }
    return destination;
  }

  #take(destination: Destination, owner: string | undefined): boolean {
    if (destination.active >= AT_ONCE || this.#active >= ALL_AT_ONCE) return false;
    if (!this.#hasShare(owner)) return false;
    const now = this.#clock.now();
    destination.tokens = Math.min(BURST, destination.tokens + ((now - destination.counted) / 1000) * PER_SECOND);
    destination.counted = now;
    if (destination.tokens < 1) {
      this.#later(destination);
      return false;
    }
    destination.tokens--;
    destination.active++;
    this.#active++;
    this.#count(owner, 1);
    return true;
  }

  #hasShare(owner: string | undefined): boolean {
    return owner === undefined || (this.#byOwner.get(owner) ?? 0) < OWN_AT_ONCE;
  }

  #count(owner: string | undefined, more: number): void {
    if (owner === undefined) return;
    const count = (this.#byOwner.get(owner) ?? 0) + more;
    if (count === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, count);
  }

  #later(destination: Destination): void {
    if (destination.isTimed) return;
    destination.isTimed = true;
    this.#clock.after(Math.ceil(((1 - destination.tokens) / PER_SECOND) * 1000), () => {
      destination.isTimed = false;
      this.#next(destination);
    });
  }

  #next({ waiting }: Destination): void {
    for (const [go, owner] of waiting) if (this.#hasShare(owner)) return go();
  }

  /** What is full again need not be remembered. */
  #forget(host: string, destination: Destination): void {
    this.#clock.after(1000, () => {
      const isIdle = destination.active === 0 && destination.waiting.size === 0;
      if (isIdle && this.#byHost.get(host) === destination) this.#byHost.delete(host);
    });
  }
}

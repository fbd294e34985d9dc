import { HubError } from "./errors.ts";
import { LeaseHolder, type Lease } from "./lease.ts";
import type { SharedStore } from "./shared-store.ts";

export interface LeasedWorkOptions {
  readonly shared: SharedStore;
  /** What the work is; the same on all nodes. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** When there is something to do next, in milliseconds since 1970; `Infinity` if there is nothing. */
  readonly next: () => number;
  /** Does all that is due; resolves with the milliseconds to wait at least before it is called again. */
  readonly run: (signal: AbortSignal) => Promise<number>;
  /** Called when this node takes the work over: resolves once it knows what there is to do. */
  readonly prepare: () => Promise<void>;
  /** Called with an error other than a `HubError`, which mostly means that the log cannot be reached. */
  readonly report: (error: unknown) => void;
}

/** Milliseconds after which another node takes over from one that died. */
const LEASE = 3000;
/** Milliseconds between two looks at the clock, which may jump; and before work that failed is tried again. */
export const CLOCK_CHECK = 1000;

/** Work that is due at times, and that one of all nodes does at a time. */
export class LeasedWork {
  readonly #options: LeasedWorkOptions;
  readonly #holder: LeaseHolder;
  #lease: Lease | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires, by `performance.now()`; `Infinity` if it is not set. */
  #fires = Infinity;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LeasedWorkOptions) {
    this.#options = options;
    this.#holder = new LeaseHolder({
      store: options.shared,
      name: options.name,
      lifetime: LEASE,
      onHeld: (lease) => {
        this.#lease = lease;
        void options.prepare().then(() => this.wake());
      },
    });
  }

  /** Does what is due, if this node holds the lease. */
  wake(): void {
    const lease = this.#lease;
    if (lease === undefined || lease.signal.aborted || this.#isClosed) return;
    this.#running ??= this.#run(lease);
  }

  /** Sets the timer for what is due next, at most a second and at least `pause` milliseconds ahead. */
  arm(pause = 0): void {
    clearTimeout(this.#timer);
    this.#fires = Infinity;
    if (this.#isIdle) this.#set(this.#options.next(), pause);
  }

  /** Sets the timer earlier if this is due before what it is set for. */
  armFor(time: number): void {
    const { now } = this.#options;
    if (this.#isIdle && performance.now() + Math.min(time - now(), CLOCK_CHECK) < this.#fires) this.#set(time, 0);
  }

  /** Stops; another node goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#holder.close();
  }

  /** Whether this node does the work, and is not doing it right now. */
  get #isIdle(): boolean {
    return !this.#isClosed && this.#lease?.signal.aborted === false && this.#running === undefined;
  }

  #set(time: number, pause: number): void {
    if (time === Infinity) return;
    clearTimeout(this.#timer);
    const wait = Math.max(Math.min(time - this.#options.now(), CLOCK_CHECK), pause);
    this.#fires = performance.now() + wait;
    this.#timer = setTimeout(() => this.wake(), wait).unref();
  }

  async #run({ signal }: Lease): Promise<void> {
    let pause = CLOCK_CHECK;
    try {
      pause = await this.#options.run(signal);
    } catch (error) {
      // Nothing is lost: the timer tries again.
      if (!(error instanceof HubError)) this.#options.report(error);
    }
    this.#running = undefined;
    this.arm(pause);
  }
}

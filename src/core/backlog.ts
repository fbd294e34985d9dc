/** A buffer of bytes written to a socket that has not accepted them yet. */
export interface Holder {
  /** Bytes written that the socket has not accepted. */
  readonly pending: number;
  /** Closes it and frees what it holds. */
  cut(): void;
}

/** A holder that stores its own lag, because every write looks at it. */
export interface LaggingHolder extends Holder {
  /** Set while its socket has not accepted all that was written. */
  lag: Lag | undefined;
}

/** How a holder lags: from the first write that its socket did not accept until it has accepted everything. */
export interface Lag {
  /** Holders of the same group share the same bytes. */
  readonly group: object;
  /** Milliseconds of `performance.now()`. */
  readonly since: number;
  /** The turn of the last write to it. */
  turn: number;
  writes: number;
  /** Bytes of one write larger than `maxPending`: the socket had no chance to accept part of it before. */
  excused: number;
}

/** About what a buffered write costs in memory, besides its bytes. */
const WRITE_COST = 64;
/** Approximate bytes of one page of replay. */
const PAGE = 256 * 1024;
/** Milliseconds a holder may lag while others wait for a page of replay. */
const LAG_TIMEOUT = 2000;
/** Milliseconds between checks for room. */
const CHECK_INTERVAL = 20;

export interface BacklogOptions {
  /** Pending bytes of earlier turns above which a live reader is cut. */
  readonly maxPending: number;
  /** Pending bytes of all readers together above which the slowest are cut. */
  readonly maxPendingTotal: number;
  /** Runs a function at the end of this turn of the event loop: what a turn publishes is written together. */
  readonly endOfTurn: (call: () => void) => void;
}

/**
 * The pending bytes of all holders. Writes are added up, and holders are measured only when the sum passes the limit,
 * so that a write does not iterate over all of them.
 */
export class Backlog {
  readonly #mostEach: number;
  readonly #most: number;
  readonly #endOfTurn: (call: () => void) => void;
  readonly #lags = new Map<Holder, Lag>();
  /** Bytes held at the last measurement, plus those written since to holders that lag. */
  #held = 0;
  #pages = 0;
  #turn = 0;
  #isTurning = false;
  #counted: { readonly bytes: Uint8Array; readonly group: object } | undefined;
  #room: Promise<void> | undefined;

  constructor({ maxPending, maxPendingTotal, endOfTurn }: BacklogOptions) {
    this.#mostEach = maxPending;
    this.#most = maxPendingTotal;
    this.#endOfTurn = endOfTurn;
  }

  /** Bytes that readers have not taken, measured now. */
  get held(): number {
    this.#relieve(Infinity, () => false);
    return this.#held;
  }

  /** Cuts the slowest while too much is held; true if that is not enough, because the rest was written in this turn. */
  isFull(): boolean {
    return this.#held > this.#most && !this.#relieve(this.#most, (lag) => lag.turn !== this.#turn);
  }

  /**
   * Whether a holder may be given more; if not, it has been cut. Only bytes of earlier turns count: a socket accepts
   * nothing while a turn runs.
   */
  mayGive(holder: LaggingHolder): boolean {
    const { lag, pending } = holder;
    if (lag === undefined || lag.turn === this.#turn) return true;
    lag.excused = Math.min(lag.excused, pending);
    if (pending === 0) {
      holder.lag = undefined;
      this.forget(holder);
    } else if (pending - lag.excused > this.#mostEach) {
      holder.cut();
      return false;
    }
    return true;
  }

  /** Counts bytes just written to a holder whose socket has not accepted them all; returns its lag. */
  add(holder: Holder, bytes: Uint8Array, group: object = holder): Lag {
    let lag = this.#lags.get(holder);
    if (lag === undefined) {
      lag = { group, since: performance.now(), turn: this.#turn, writes: 0, excused: 0 };
      this.#lags.set(holder, lag);
    }
    lag.turn = this.#turn;
    lag.writes++;
    if (bytes.length > this.#mostEach && lag.excused === 0) lag.excused = bytes.length;
    // Consecutive writes often share the same bytes.
    const isCounted = bytes === this.#counted?.bytes && lag.group === this.#counted.group;
    this.#held += isCounted ? WRITE_COST : bytes.length + WRITE_COST;
    if (!isCounted) this.#counted = { bytes, group: lag.group };
    if (!this.#isTurning) {
      this.#isTurning = true;
      this.#endOfTurn(this.#nextTurn);
    }
    return lag;
  }

  /** Stops tracking a holder: its socket has accepted everything or is closed. */
  forget(holder: Holder): void {
    this.#lags.delete(holder);
  }

  /**
   * Resolves once there is room for a page of replay, with a function that releases the room. Pages may take up half of
   * the limit; holders that have lagged for longer than `LAG_TIMEOUT` are cut to make room.
   */
  async room(): Promise<() => void> {
    while (this.#held + this.#pages + PAGE > this.#most / 2) {
      const most = this.#most / 2 - this.#pages - PAGE;
      if (this.#relieve(most, (lag) => performance.now() - lag.since > LAG_TIMEOUT)) break;
      this.#room ??= new Promise<void>((resolve) => setTimeout(resolve, CHECK_INTERVAL)).then(
        () => (this.#room = undefined),
      );
      await this.#room;
    }
    this.#pages += PAGE;
    return () => (this.#pages -= PAGE);
  }

  readonly #nextTurn = (): void => {
    this.#isTurning = false;
    this.#counted = undefined;
    this.#turn++;
    this.isFull();
  };

  /**
   * Measures what is held and, if that is more than `most`, cuts holders that may be cut, those with the most pending
   * first. True if what is left is within `most`.
   */
  #relieve(most: number, mayCut: (lag: Lag) => boolean): boolean {
    const holding = [...this.#lags].map(([holder, lag]) => ({ holder, lag, pending: holder.pending, frees: 0 }));
    holding.sort((a, b) => b.pending - a.pending);
    const lower = new Map<object, number>();
    this.#held = 0;
    for (const one of holding.toReversed()) {
      const { holder, lag, pending } = one;
      if (pending === 0) this.#lags.delete(holder);
      one.frees = pending - (lower.get(lag.group) ?? 0) + Math.min(lag.writes * WRITE_COST, pending);
      lower.set(lag.group, pending);
      this.#held += one.frees;
    }
    // Somewhat below the limit, so that the next write does not need another measurement.
    const goal = this.#held > most ? most - most / 8 : most;
    for (const { holder, lag, frees } of holding) {
      if (this.#held <= goal) break;
      if (!mayCut(lag)) continue;
      this.#lags.delete(holder);
      this.#held -= frees;
      holder.cut();
    }
    return this.#held <= most;
  }
}

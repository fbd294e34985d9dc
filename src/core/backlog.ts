/** What holds bytes that its peer has not taken. */
export interface Holder {
  /** Bytes handed over that the peer has not taken. */
  readonly pending: number;
  /** Ends it and lets go of what it holds. */
  cut(): void;
}

/** A holder whose lag is kept with it, because it is asked for at every write. */
export interface LaggingHolder extends Holder {
  /** Set while its socket has not taken what it was given. */
  lag: Lag | undefined;
}

/** How a holder lags: from its first write that its socket did not take until all is taken. */
export interface Lag {
  /** Holders of the same group hold the same bytes. */
  readonly group: object;
  /** Milliseconds of `performance.now()`. */
  readonly since: number;
  /** The turn in which it was written to last. */
  turn: number;
  writes: number;
  /** Bytes that came in one piece, larger than a holder may leave untaken: it had no chance to take some before. */
  excused: number;
}

/** About the memory that a waiting write takes beside its bytes. */
const WRITE_COST = 64;
/** About the bytes of one page of replay. */
const PAGE = 256 * 1024;
/** Milliseconds a reader may keep others from being given a page of replay. */
const PATIENCE = 2000;
/** Milliseconds between looks for room. */
const LOOK = 20;

export interface BacklogOptions {
  /** Bytes of earlier turns that a live reader may leave untaken before it is cut. */
  readonly maxPending: number;
  /** Bytes that all readers together may leave untaken; the slowest are cut. */
  readonly maxPendingTotal: number;
  /** Runs a function at the end of this turn of the event loop: what a turn publishes is written together. */
  readonly endOfTurn: (call: () => void) => void;
}

/**
 * What all holders together have not taken. Writes are added up, and holders are measured only when the sum passes the
 * limit, so that a write does not walk over all of them.
 */
export class Backlog {
  readonly #mostEach: number;
  readonly #most: number;
  readonly #endOfTurn: (call: () => void) => void;
  readonly #lags = new Map<Holder, Lag>();
  /** Bytes held when that was measured last, and written since to holders that lag. */
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

  /** Cuts the slowest while more is held than may be; true if that does not help, as all was written in this turn. */
  isFull(): boolean {
    return this.#held > this.#most && !this.#relieve(this.#most, (lag) => lag.turn !== this.#turn);
  }

  /**
   * Whether a holder may be given more; if not, it has been cut. It is judged by what it left untaken of earlier turns:
   * within a turn its socket cannot take anything.
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

  /** Notes what was just written to a holder that has not taken all; returns how it lags. */
  add(holder: Holder, bytes: Uint8Array, group: object = holder): Lag {
    let lag = this.#lags.get(holder);
    if (lag === undefined) {
      lag = { group, since: performance.now(), turn: this.#turn, writes: 0, excused: 0 };
      this.#lags.set(holder, lag);
    }
    lag.turn = this.#turn;
    lag.writes++;
    if (bytes.length > this.#mostEach && lag.excused === 0) lag.excused = bytes.length;
    // One after the other, many are given the same bytes.
    const isCounted = bytes === this.#counted?.bytes && lag.group === this.#counted.group;
    this.#held += isCounted ? WRITE_COST : bytes.length + WRITE_COST;
    if (!isCounted) this.#counted = { bytes, group: lag.group };
    if (!this.#isTurning) {
      this.#isTurning = true;
      this.#endOfTurn(this.#nextTurn);
    }
    return lag;
  }

  /** A holder has taken all, or is gone. */
  forget(holder: Holder): void {
    this.#lags.delete(holder);
  }

  /**
   * Resolves once there is room for a page of replay, which counts as held until the function it gives is called. Half
   * of all may be such pages; holders that have lagged for long are cut to make room.
   */
  async room(): Promise<() => void> {
    while (this.#held + this.#pages + PAGE > this.#most / 2) {
      const most = this.#most / 2 - this.#pages - PAGE;
      if (this.#relieve(most, (lag) => performance.now() - lag.since > PATIENCE)) break;
      this.#room ??= new Promise<void>((resolve) => setTimeout(resolve, LOOK)).then(() => (this.#room = undefined));
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
   * Measures what is held and, if that is more than `most`, cuts holders that may be cut, those with most pending first.
   * True once it is within `most`.
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
    // Somewhat below, so that it need not be measured again at once.
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

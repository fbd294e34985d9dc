/** Milliseconds that a clock may gain in one look without being taken for one that was set. */
const TOLERANCE = 60_000;
/** The longest that a clock that was set ahead must stay there before messages grow old by it. */
const PATIENCE = 3_600_000;

export interface AgeClockOptions {
  /** Milliseconds of a clock that cannot be set. */
  readonly elapsed: () => number;
  /** The age that messages may reach. */
  readonly age: number;
  /** What this clock said when the log was used last, if it was. */
  readonly last: number | undefined;
  /** Called with a sentence if the clock is ahead by more than the age. */
  readonly report: (sentence: string) => void;
}

/**
 * The time by which messages grow old. A clock that jumps ahead, in this process or while no process had the log open,
 * is believed only after it has stayed there for as long as messages may be kept, at most an hour: until then, time
 * goes on from where it was, so that a clock that is wrong for a moment does not drop what is new.
 */
export class AgeClock {
  readonly #options: AgeClockOptions;
  readonly #patience: number;
  /** How far the time of day is ahead of `elapsed`, as it is believed. */
  #lead: number | undefined;
  /** Since when, and by how much, it is further ahead than that. */
  #doubt: { readonly since: number; readonly lead: number } | undefined;

  constructor(options: AgeClockOptions) {
    this.#options = options;
    this.#patience = Math.min(options.age, PATIENCE);
    if (options.last !== undefined) this.#lead = options.last - options.elapsed();
  }

  /** `now` is the time of day in milliseconds since 1970, which someone may have set. */
  time(now: number): number {
    const at = this.#options.elapsed();
    const lead = now - at;
    const ahead = lead - (this.#lead ?? lead);
    if (ahead > TOLERANCE && !this.#isSettled(at, lead, ahead)) return now - ahead;
    this.#lead = lead;
    this.#doubt = undefined;
    return now;
  }

  #isSettled(at: number, lead: number, ahead: number): boolean {
    const { age, report } = this.#options;
    if (this.#doubt === undefined || Math.abs(lead - this.#doubt.lead) > TOLERANCE) {
      this.#doubt = { since: at, lead };
      if (ahead > age) {
        const wait = Math.round(this.#patience / 1000);
        report(
          `the clock is ${Math.round(ahead / 1000)} s ahead of what the log expects; messages do not grow old by that unless it stays so for ${wait} s`,
        );
      }
    }
    return at - this.#doubt.since >= this.#patience;
  }
}

import type { Audit } from "./audit.ts";

/** Milliseconds over which refusals are counted before they are reported again. */
const PERIOD = 60_000;
/** Addresses that one report names. */
const MAX_NAMED = 5;
const MAX_REASON = 200;

/** Reports credentials that were refused, or deliveries to a hook: the first at once, those that follow as a count once a minute. */
export class Refusals {
  /** Refusals since the last report, by address; the first that came come first. */
  readonly #unreported = new Map<string, number>();
  /** Those of addresses that there is no room to name. */
  #others = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #audit: Audit;
  readonly #nouns: readonly [string, string];

  /** `nouns` say what is refused: one, and several. */
  constructor(audit: Audit, nouns: readonly [string, string] = ["credential", "credentials"]) {
    this.#audit = audit;
    this.#nouns = nouns;
  }

  /** Counts one, from an address; why it was refused is for the log, not for the caller. */
  count(address: string, cause: unknown): void {
    if (this.#timer === undefined) {
      const why = cause instanceof Error ? `: ${cause.message.slice(0, MAX_REASON)}` : "";
      this.#report(`a ${this.#nouns[0]} from ${address} was refused${why}`);
      this.#timer = setTimeout(() => this.#reportRest(), PERIOD).unref();
    } else if (this.#unreported.has(address) || this.#unreported.size < MAX_NAMED) {
      this.#unreported.set(address, (this.#unreported.get(address) ?? 0) + 1);
    } else this.#others++;
  }

  /** Reports what was counted so far. */
  close(): void {
    clearTimeout(this.#timer);
    this.#reportRest();
  }

  #reportRest(): void {
    this.#timer = undefined;
    if (this.#unreported.size === 0) return;
    const named = [...this.#unreported].map(([address, count]) => `${count} from ${address}`);
    if (this.#others > 0) named.push(`${this.#others} from others`);
    this.#unreported.clear();
    this.#others = 0;
    this.#report(`more ${this.#nouns[1]} were refused: ${named.join(", ")}`);
  }

  #report(reason: string): void {
    this.#audit({ level: "warn", action: "credential_refused", reason });
  }
}

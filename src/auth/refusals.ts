import type { Audit } from "./audit.ts";

/** Milliseconds over which refusals are counted before they are reported again. */
const PERIOD = 60_000;

/** Reports credentials that were refused: the first at once, those that follow as a count once a minute. */
export class Refusals {
  /** Credentials refused so far. */
  total = 0;
  #unreported = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #audit: Audit;

  constructor(audit: Audit) {
    this.#audit = audit;
  }

  /** Counts one, from an address; why it was refused is for the log, not for the caller. */
  count(address: string, cause: unknown): void {
    this.total++;
    this.#unreported++;
    if (this.#timer !== undefined) return;
    this.#report(address, cause);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#unreported > 0) this.#report(address, undefined);
    }, PERIOD).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #report(address: string, cause: unknown): void {
    const count = this.#unreported;
    this.#unreported = 0;
    const why = cause instanceof Error ? `: ${cause.message.slice(0, 200)}` : "";
    const reason =
      count === 1 ? `a credential from ${address} was refused${why}` : `${count} more credentials were refused`;
    this.#audit({ level: "warn", action: "credential_refused", reason });
  }
}

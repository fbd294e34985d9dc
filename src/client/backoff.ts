import type { HubClientError } from "./errors.ts";
import { MAX_TIMER } from "./page-lifecycle.ts";

export interface BackoffOptions {
  /** Milliseconds; undefined: what the server says with `retry:`, and a second until it has. */
  readonly first: number | undefined;
  readonly most: number;
}

const FIRST_DELAY = 1000;
/** From the second failure on, whatever the first wait is; and what a server can ask for. */
const MIN_DELAY = 100;
/** Milliseconds that a server can ask for, by `Retry-After` or `retry:`. */
const MAX_RETRY_AFTER = 60_000;

/** Numbers that a caller gave, by the names of the options. Throws a `RangeError` if one is less than `least`. */
export function checkLeast(unit: string, numbers: Readonly<Record<string, number | undefined>>, least = 1): void {
  for (const [name, number] of Object.entries(numbers)) {
    if (number === undefined || number >= least) continue;
    throw new RangeError(`${name} is ${String(number)}; give ${unit}, at least ${least}`);
  }
}

/** How long to wait before the next attempt: twice as long each time up to a limit, and spread over half of that. */
export class Backoff {
  /** What the server said. */
  retry: number | undefined;
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** It worked: the next wait is the first again. */
  reset(): void {
    this.#failures = 0;
  }

  /** Milliseconds. */
  next({ retryAfter = 0 }: HubClientError): number {
    const { first = Math.min(Math.max(this.retry ?? FIRST_DELAY, MIN_DELAY), MAX_RETRY_AFTER), most } = this.#options;
    const failures = this.#failures++;
    const longest = Math.min(failures === 0 ? first : Math.max(first, MIN_DELAY) * 2 ** failures, most);
    if (!(retryAfter > 0)) return Math.min(longest * (0.5 + Math.random() / 2), MAX_TIMER);
    // Clients that were given the same retry time must not all reconnect at that moment.
    const asked = Math.min(retryAfter, MAX_RETRY_AFTER);
    return asked + Math.random() * Math.min(first, most, asked);
  }
}

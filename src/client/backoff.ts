import type { HubClientError } from "./error.ts";
import { LONGEST_TIMER } from "./wake.ts";

export interface BackoffOptions {
  /** Milliseconds; undefined: what the server says with `retry:`, and a second until it has. */
  readonly first: number | undefined;
  readonly most: number;
}

const FIRST = 1000;
/** From the second failure on, whatever the first wait is. */
const LEAST = 100;

/** Times that a caller gave, in milliseconds, by the names of the options. Throws a `RangeError` where one is none. */
export function checkedTimes(times: Readonly<Record<string, number | undefined>>): void {
  for (const [name, time] of Object.entries(times)) {
    const least = name === "retry" ? 0 : 1;
    if (time === undefined || time >= least) continue;
    throw new RangeError(`${name} is ${String(time)}; give milliseconds, at least ${least}`);
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
    const { first = this.retry ?? FIRST, most } = this.#options;
    const failures = this.#failures++;
    const longest = Math.min(failures === 0 ? first : Math.max(first, LEAST) * 2 ** failures, most);
    // Those who were told the same time to come back must not all come at that time either.
    const wait = retryAfter + (retryAfter > 0 ? Math.random() * first : longest * (0.5 + Math.random() / 2));
    return Math.min(wait, LONGEST_TIMER);
  }
}

import type { HubClientError } from "./error.ts";

export interface BackoffOptions {
  /** Milliseconds; undefined: what the server says with `retry:`, and a second until it has. */
  readonly first: number | undefined;
  readonly most: number;
}

const FIRST = 1000;

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

  next({ retryAfter = 0 }: HubClientError): number {
    const { first = this.retry ?? FIRST, most } = this.#options;
    const longest = Math.min(first * 2 ** this.#failures++, most);
    // Those who were told the same time to come back must not all come at that time either.
    return retryAfter + (retryAfter > 0 ? Math.random() * first : longest * (0.5 + Math.random() / 2));
  }
}

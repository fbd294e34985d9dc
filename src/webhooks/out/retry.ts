/** Milliseconds for which a delivery is tried again. */
export const RETRIED_FOR: number = 24 * 3_600_000;
/** The bound of the first wait, which doubles with each try, and of the longest. */
const [MIN_BACKOFF, MAX_BACKOFF] = [5000, 3_600_000];

/** Milliseconds to wait after so many tries that failed: exponential, with full jitter. */
export function waitAfter(tries: number, random: () => number): number {
  return random() * Math.min(MAX_BACKOFF, MIN_BACKOFF * 2 ** Math.min(tries - 1, 20));
}

/** Milliseconds that a `Retry-After` asks for, at most as long as the longest wait; 0 if it says nothing. */
export function askedWait(retryAfter: string | undefined, now: number): number {
  if (retryAfter === undefined) return 0;
  const milliseconds = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now;
  return Number.isNaN(milliseconds) ? 0 : Math.min(Math.max(milliseconds, 0), MAX_BACKOFF);
}

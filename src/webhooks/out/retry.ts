import type { Webhook } from "./webhook.ts";

/** Milliseconds for which a delivery is tried again. */
const RETRIED_FOR: number = 24 * 3_600_000;
/** The same of an event to an MCP client that takes others, and to one that takes nothing. */
const RETRIED_BESIDE_OTHERS = 900_000;
const RETRIED_ALONE = 3_600_000;
/**
 * Milliseconds after which an MCP client is asked again that is not ready yet, and for how long after it has subscribed:
 * its endpoint may be told of the subscription later than it gets the first event.
 */
export const NOT_READY = 1000;
const NOT_READY_FOR = 30_000;
/** What an MCP client answers that does not want this event, and one that is not ready for it. */
const UNWANTED: ReadonlySet<number | undefined> = new Set([410, 413]);
const UNREADY: ReadonlySet<number | undefined> = new Set([425, 503]);
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

/** Milliseconds for which a delivery is tried again; `takesOthers`: what came after it was delivered. */
export function retriedFor({ mcp }: Pick<Webhook, "mcp">, takesOthers: boolean): number {
  if (mcp === undefined) return RETRIED_FOR;
  return takesOthers ? RETRIED_BESIDE_OTHERS : RETRIED_ALONE;
}

/** Whether an MCP client does not want an event, which says nothing of the others. */
export function isUnwanted(status: number | undefined): boolean {
  return UNWANTED.has(status);
}

/** Whether an MCP client cannot know yet what it has subscribed to. */
export function isUnready({ mcp }: Pick<Webhook, "mcp">, status: number | undefined, now: number): boolean {
  return mcp !== undefined && UNREADY.has(status) && now - mcp.renewed < NOT_READY_FOR;
}

import { shown } from "./channel.ts";
import { HubError } from "./errors.ts";

/** When a caller wants a message published: at a time, or after so many seconds. */
export interface DueRequest {
  /** ISO 8601 with an offset from UTC, or with Z. */
  readonly at?: string | undefined;
  readonly delaySeconds?: number | undefined;
}

export interface DueTime {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Whether the caller gave the time itself, so that a repeated request gives the same one. */
  readonly isExact: boolean;
}

/** Seconds ahead at most: the same day a year from now. */
export const MAX_DELAY: number = 366 * 86_400;
/** Milliseconds by which a time may be past and still mean now: clocks differ, and requests are repeated. */
const MAX_LATE = 5 * 60_000;
const ISO = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/i;

/** Throws `INVALID_INPUT`, naming the field. `now` is in milliseconds since 1970. */
export function dueTime({ at, delaySeconds }: DueRequest, now: number = Date.now()): DueTime {
  if (at !== undefined && delaySeconds !== undefined) {
    throw new HubError("INVALID_INPUT", "at and delaySeconds both say when; give one of them");
  }
  if (at !== undefined) return { time: checkedTime(at, now), isExact: true };
  const delay = delaySeconds ?? NaN;
  if (!(delay >= 0 && delay <= MAX_DELAY)) {
    throw new HubError("INVALID_INPUT", `delaySeconds is ${delay}; use a number from 0 to ${MAX_DELAY}`);
  }
  return { time: now + Math.round(delay * 1000), isExact: false };
}

function checkedTime(at: string, now: number): number {
  const time = isoTime(at);
  if (time === undefined) {
    const sentence = `at is ${shown(at)}; use a time with its offset from UTC, such as 2030-01-31T09:00:00+01:00 or 2030-01-31T08:00:00Z`;
    throw new HubError("INVALID_INPUT", sentence);
  }
  const iso = new Date(now).toISOString();
  if (time < now - MAX_LATE)
    throw new HubError("INVALID_INPUT", `at is ${shown(at)}, which is in the past; it is ${iso} now`);
  if (time <= now + MAX_DELAY * 1000) return time;
  throw new HubError("INVALID_INPUT", `at is ${shown(at)}, more than a year ahead; it is ${iso} now`);
}

/** Undefined for a time without an offset, and for a day that does not exist. */
function isoTime(text: string): number | undefined {
  const [, year, month, day] = ISO.exec(text) ?? [];
  const time = Date.parse(text.toUpperCase());
  if (day === undefined || Number.isNaN(time)) return undefined;
  // `Date.parse` takes the 30th of February for a day in March.
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) <= last ? time : undefined;
}

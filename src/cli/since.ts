import { UsageError } from "./usage.ts";

/** Where to begin: after a cursor, and with the first message that is no older than a time. */
interface Beginning {
  readonly after?: string;
  /** Milliseconds since 1970. */
  readonly time?: number;
}

const EARLIEST = "earliest";
const AGO = /^(?:\d+(?:\.\d+)?[smhdw])+$/;
const PART = /([\d.]+)([smhdw])/g;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const TIME = /^\d{4}-\d\d-\d\d(?:[T ].*)?$/;
const ID = /^[a-z\d]+(?:-[a-z\d]+)*-\d+$/;

/** Reads `--since`; `now` is in milliseconds since 1970. Throws `UsageError`. */
export function beginning(since: string | undefined, now: number = Date.now()): Beginning {
  if (since === undefined) return {};
  if (since === EARLIEST) return { after: EARLIEST };
  // The log is in order and has no index by time: the hub gives all that is kept, and what is older is left out.
  const ago = duration(since);
  if (ago !== undefined) return { after: EARLIEST, time: now - ago };
  const time = TIME.test(since) ? Date.parse(since) : NaN;
  if (time <= now) return { after: EARLIEST, time };
  if (time > now) throw new UsageError(`--since is ${since}, which is in the future`);
  if (ID.test(since) && !TIME.test(since)) return { after: since };
  throw new UsageError(
    `--since is ${JSON.stringify(since)}; use the id of a message, a time such as 2026-11-28T09:30:00Z, how long ago such as 10m, 1h or 2d, or earliest`,
  );
}

/** Milliseconds of a text such as 90s, 1h30m or 2d; undefined if it is not one. */
export function duration(text: string): number | undefined {
  if (!AGO.test(text)) return undefined;
  const parts = [...text.matchAll(PART)].map(([, count, unit = ""]) => Number(count) * (SECONDS[unit] ?? NaN));
  return 1000 * parts.reduce((sum, part) => sum + part, 0);
}

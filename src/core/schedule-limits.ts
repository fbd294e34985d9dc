import { HubError } from "./errors.ts";
import type { Scheduled } from "./scheduled.ts";

/** Scheduled messages, and those of one principal. */
const MAX_SCHEDULED = 10_000;
export const MAX_SCHEDULED_PER_PRINCIPAL = 1000;
/** Bytes of all scheduled messages: every node reads all of them when it starts. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Throws `TOO_MANY_SCHEDULED` if there is no room for one more beside `all` of them. */
export function checkRoom({ by, bytes }: Scheduled, all: readonly Scheduled[]): void {
  const own = by === undefined ? [] : all.filter((other) => other.by?.id === by.id);
  if (own.length >= MAX_SCHEDULED_PER_PRINCIPAL) throw tooMany(`You have ${own.length} scheduled messages`);
  if (all.length >= MAX_SCHEDULED) throw tooMany(`${all.length} messages are scheduled`);
  const total = all.reduce((sum, other) => sum + other.bytes, bytes);
  if (total > MAX_BYTES) throw tooMany(`All scheduled messages together would have ${total} bytes`);
}

function tooMany(what: string): HubError {
  const sentence = `${what}, which is the limit; cancel some, or try again once some are published`;
  return new HubError("TOO_MANY_SCHEDULED", sentence);
}

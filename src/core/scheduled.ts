import { HubError } from "./errors.ts";
import type { Draft } from "./message.ts";
import type { Principal } from "./principal.ts";

/** Scheduled messages, and those of one principal. */
const MAX_SCHEDULED = 10_000;
export const MAX_SCHEDULED_PER_PRINCIPAL = 1000;
/** Bytes of all scheduled messages, which every node reads when it starts, and of those of one principal. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_BYTES_PER_PRINCIPAL = MAX_BYTES / 4;

/** A message that is to be published at a time, without its data. */
export interface Scheduled {
  readonly id: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** When it was scheduled, which orders messages with the same time. */
  readonly created: number;
  /** Who may publish it; undefined for the hub itself. */
  readonly by?: Principal | undefined;
  readonly message: Omit<Draft, "data">;
  /** UTF-8 bytes of its data. */
  readonly bytes: number;
}

/** A scheduled message with its data as JSON text. */
export interface ScheduledWithData extends Scheduled {
  readonly data: string;
  /** The node that has begun to publish it; undefined if none has. */
  readonly sending?: string | undefined;
}

/** The text of its record: the data is on a line of its own, so that reading the rest need not parse it. */
export function scheduledText({ at, created, by, message, bytes }: Scheduled, data: string, sending?: string): string {
  return `${JSON.stringify({ at, created, by, message, bytes, sending })}\n${data}`;
}

export function scheduledIn(id: string, text: string): ScheduledWithData {
  const end = text.indexOf("\n");
  return {
    id,
    ...(JSON.parse(text.slice(0, end)) as Omit<ScheduledWithData, "id" | "data">),
    data: text.slice(end + 1),
  };
}

export function withoutData({ id, at, created, by, message, bytes }: Scheduled): Scheduled {
  return { id, at, created, by, message, bytes };
}

/** Compares by time, and messages with the same time by when they were scheduled. */
export function inOrder(a: Scheduled, b: Scheduled): number {
  return a.at - b.at || a.created - b.created || (a.id < b.id ? -1 : 1);
}

/** Throws `TOO_MANY_SCHEDULED` if there is no room for one more beside `all` of them. */
export function checkRoom({ by, bytes }: Scheduled, all: readonly Scheduled[]): void {
  const own = by === undefined ? [] : all.filter((other) => other.by?.id === by.id);
  if (own.length >= MAX_SCHEDULED_PER_PRINCIPAL) throw tooMany(`You have ${own.length} scheduled messages`);
  const ownBytes = bytesOf(own, bytes);
  if (by !== undefined && ownBytes > MAX_BYTES_PER_PRINCIPAL)
    throw tooMany(`Your scheduled messages together would have ${ownBytes} bytes of ${MAX_BYTES_PER_PRINCIPAL}`);
  if (all.length >= MAX_SCHEDULED) throw tooMany(`${all.length} messages are scheduled`);
  const total = bytesOf(all, bytes);
  if (total > MAX_BYTES) throw tooMany(`All scheduled messages together would have ${total} bytes of ${MAX_BYTES}`);
}

function bytesOf(some: readonly Scheduled[], more: number): number {
  return some.reduce((sum, { bytes }) => sum + bytes, more);
}

function tooMany(what: string): HubError {
  const sentence = `${what}, which is the limit; cancel some, or try again once some are published`;
  return new HubError("TOO_MANY_SCHEDULED", sentence);
}

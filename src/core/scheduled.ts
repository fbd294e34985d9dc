import type { Draft } from "./message.ts";
import type { Principal } from "./principal.ts";

/** A message that is to be published at a time, without its payload. */
export interface Scheduled {
  readonly id: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** When it was scheduled: the order of those that have one time. */
  readonly created: number;
  /** Who may publish it; undefined for the hub itself. */
  readonly by?: Principal | undefined;
  readonly message: Omit<Draft, "data">;
  /** Characters of its payload. */
  readonly bytes: number;
}

/** One with its payload. */
export interface Due extends Scheduled {
  readonly data: string;
  /** Set if a node has begun to publish it. */
  readonly isSending?: boolean | undefined;
}

/** How a message is written into a record: the payload, which need not be parsed, is on a line of its own. */
export function scheduledText(
  { at, created, by, message, bytes }: Scheduled,
  data: string,
  isSending?: boolean,
): string {
  return `${JSON.stringify({ at, created, by, message, bytes, ...(isSending && { isSending }) })}\n${data}`;
}

export function scheduledIn(id: string, text: string): Due {
  const end = text.indexOf("\n");
  return { id, ...(JSON.parse(text.slice(0, end)) as Omit<Due, "id" | "data">), data: text.slice(end + 1) };
}

export function withoutData({ id, at, created, by, message, bytes }: Scheduled): Scheduled {
  return { id, at, created, by, message, bytes };
}

/** In order of time, and of scheduling for those of one time. */
export function inOrder(a: Scheduled, b: Scheduled): number {
  return a.at - b.at || a.created - b.created || (a.id < b.id ? -1 : 1);
}

/** Characters of an id. */
const LENGTH = 24;

export function randomId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(LENGTH / 2)));
}

/** The same for the same text. */
export async function digestId(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return hex(new Uint8Array(bytes)).slice(0, LENGTH);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

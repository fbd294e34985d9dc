import { errorFrom, type HubClientErrorData } from "./errors.ts";
import type { FeedEvent } from "./transport.ts";

export const VERSION = 1;

/** What tabs say to each other. Another form of it needs another `VERSION`, so that tabs of both kinds do not meet. */
export type Note =
  /** A tab: what it wants, and from where on. */
  | { readonly kind: "want"; readonly tab: string; readonly patterns: readonly string[]; readonly from?: string }
  /** A tab: is there a leader? */
  | { readonly kind: "ask" }
  | { readonly kind: "wake"; readonly suspect: boolean }
  /** The leader, from its first word on; of two leaders the one with the later term is right. */
  | { readonly kind: "lead"; readonly term: number; readonly event?: FeedEvent };

const EVENTS = ["cover", "message", "gap", "at", "live", "restart", "refused", "state"];

/** What came over the channel of the tabs, where anything in a page can speak; undefined if it is not a note. */
export function noteIn(data: unknown): Note | undefined {
  const note = (data ?? {}) as Note;
  if (note.kind === "want") return typeof note.tab === "string" && areTexts(note.patterns) ? note : undefined;
  if (note.kind !== "lead") return note.kind === "ask" || note.kind === "wake" ? note : undefined;
  const isKnown = note.event === undefined || EVENTS.includes(note.event?.kind);
  return typeof note.term === "number" && isKnown ? note : undefined;
}

function areTexts(values: unknown): boolean {
  return Array.isArray(values) && values.every((value) => typeof value === "string");
}

/** An event that can go to another tab, where an error would arrive without its fields. */
export function plain(event: FeedEvent): FeedEvent {
  const mayHoldError = event.kind === "state" || event.kind === "refused";
  return mayHoldError ? (JSON.parse(JSON.stringify(event)) as FeedEvent) : event;
}

/** An event that came from another tab. */
export function lively(event: FeedEvent): FeedEvent {
  if (event.kind === "refused") return { ...event, error: errorFrom(event.error) };
  if (event.kind !== "state" || !("error" in event.state)) return event;
  return { ...event, state: { ...event.state, error: errorFrom(event.state.error as HubClientErrorData) } };
}

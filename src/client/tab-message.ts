import { errorFrom, type HubClientErrorData } from "./errors.ts";
import type { SourceEvent } from "./transport.ts";

export const VERSION = 2;

/** What tabs say to each other. Another form of it needs another `VERSION`, so that tabs of both kinds do not meet. */
export type TabMessage =
  /** A tab: what it reads, and from which cursor. */
  | { readonly kind: "read"; readonly tab: string; readonly patterns: readonly string[]; readonly from?: string }
  /** A tab: is there a leader? */
  | { readonly kind: "ping" }
  | { readonly kind: "wake"; readonly suspect: boolean }
  /** The leader, as soon as it leads and with each event; of two leaders the one with the later term is right. */
  | { readonly kind: "lead"; readonly term: number; readonly event?: SourceEvent };

const EVENTS = ["cover", "message", "gap", "reached", "live", "restart", "refused", "state"];

/** Checks a message of the BroadcastChannel, to which any script of the origin can post; undefined if no tab sent it. */
export function tabMessageIn(data: unknown): TabMessage | undefined {
  const message = (data ?? {}) as TabMessage;
  const { kind } = message;
  if (kind === "ping" || kind === "wake") return message;
  if (kind === "read") return typeof message.tab === "string" && areTexts(message.patterns) ? message : undefined;
  const isKnown = kind === "lead" && (message.event === undefined || EVENTS.includes(message.event?.kind));
  return isKnown && typeof message.term === "number" ? message : undefined;
}

function areTexts(values: unknown): boolean {
  return Array.isArray(values) && values.every((value) => typeof value === "string");
}

/** An event as it is posted to another tab: structured cloning would drop the fields of an error. */
export function plainEvent(event: SourceEvent): SourceEvent {
  const mayHoldError = event.kind === "state" || event.kind === "refused";
  return mayHoldError ? (JSON.parse(JSON.stringify(event)) as SourceEvent) : event;
}

/** An event that came from another tab. */
export function eventFrom(event: SourceEvent): SourceEvent {
  if (event.kind === "refused") return { ...event, error: errorFrom(event.error) };
  if (event.kind !== "state" || !("error" in event.state)) return event;
  return { ...event, state: { ...event.state, error: errorFrom(event.state.error as HubClientErrorData) } };
}

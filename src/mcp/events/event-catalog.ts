import type { EventDialect } from "../../protocol/event-dialect.ts";
import type { EventSubscriptions } from "../../webhooks/out/event-subscriptions.ts";
import { EVENT_TYPES, type EventType } from "./event-type.ts";
import { StreamPlaces } from "./stream-places.ts";

/** What a server offers of MCP Events. */
export interface EventCatalog {
  readonly dialect: EventDialect;
  readonly types: readonly EventType[];
  /** Undefined if occurrences cannot be posted to a URL. */
  readonly subscriptions: EventSubscriptions | undefined;
  /** The streams that are open. */
  readonly streams: StreamPlaces;
  /** Milliseconds after which a stream says how far it is, if it has nothing else to say. */
  readonly beat: number;
  /** Milliseconds that a client may take for what was written to a stream, before it is cut. */
  readonly patience: number;
}

/** Half of what a client waits before it takes a stream for dead, at most. */
const MAX_BEAT = 15_000;
const PATIENCE = 10_000;

/** The events of a hub whose readers get a heartbeat after so many milliseconds. */
export function hubEvents(dialect: EventDialect, heartbeat: number, subscriptions?: EventSubscriptions): EventCatalog {
  const beat = Math.min(heartbeat, MAX_BEAT);
  const streams = new StreamPlaces();
  return { dialect, types: EVENT_TYPES, subscriptions, streams, beat, patience: PATIENCE };
}

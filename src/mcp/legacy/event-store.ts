import { keptJson } from "../../protocol/json.ts";
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

/** What was sent on one stream of a session, to be sent again to a client that comes back. */
interface SentEvent {
  readonly id: string;
  readonly stream: string;
  /** JSON: an object would take many times as much. */
  readonly text: string;
  readonly bytes: number;
  readonly owner: Owner;
}

interface Owner {
  readonly events: Map<string, SentEvent>;
  bytes: number;
}

/** What one session sent. */
export interface SessionEvents {
  readonly store: EventStore;
  /** The stream that an event was on; undefined where the event is none of this session's, or is forgotten. */
  streamOf(id: string): string | undefined;
  /** Whether the id is that of an event on the lasting stream which is not kept any more. */
  isForgotten(id: string): boolean;
  /** Notes that a stream begins, by an event that carries nothing; returns its id. */
  begin(stream: string): string;
  /** Lets go of everything. */
  forget(): void;
}

/** Bytes that an event takes beside its message, roughly. */
const OVERHEAD = 400;
/** A session keeps at most this part of what all may keep, so that none can push out the others. */
const SHARE = 1 / 4;

/**
 * What the sessions sent, within a number of bytes for all of them: the oldest is forgotten first. Each session finds
 * only what it sent itself (2025-11-25, "Resumability and Redelivery").
 */
export class SentEvents {
  readonly #most: number;
  readonly #order = new Set<SentEvent>();
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The events of one session; one of its streams lasts as long as it does. */
  session(lasting: string): SessionEvents {
    const owner: Owner = { events: new Map(), bytes: 0 };
    let count = 0;
    let lastingCount = 0;
    let isOver = false;
    const add = (stream: string, text: string): string => {
      const id = `${stream}/${stream === lasting ? ++lastingCount : ++count}`;
      if (isOver) return id;
      // A character takes two bytes unless the whole text is Latin-1.
      this.#add({ id, stream, text, bytes: 2 * text.length + OVERHEAD, owner });
      return id;
    };
    const streamOf = (id: string): string | undefined => owner.events.get(id)?.stream;
    const isForgotten = (id: string): boolean => {
      if (!id.startsWith(`${lasting}/`) || streamOf(id) !== undefined) return false;
      const number = id.slice(lasting.length + 1);
      return /^[1-9]\d{0,14}$/.test(number) && Number(number) <= lastingCount;
    };
    const store: EventStore = {
      storeEvent: async (stream, message) => add(stream, isNothing(message) ? "" : JSON.stringify(message)),
      getStreamIdForEventId: async (id) => streamOf(id),
      replayEventsAfter: async (id, { send }) => {
        const stream = streamOf(id);
        if (stream === undefined) throw new Error("unknown event id");
        let passed = false;
        for (const event of owner.events.values()) {
          if (passed && event.stream === stream && event.text !== "")
            await send(event.id, keptJson(event.text) as JSONRPCMessage);
          passed ||= event.id === id;
        }
        return stream;
      },
    };
    const forget = (): void => {
      isOver = true;
      for (const event of owner.events.values()) this.#drop(event);
    };
    return { store, streamOf, isForgotten, begin: (stream) => add(stream, ""), forget };
  }

  #add(event: SentEvent): void {
    const { owner } = event;
    owner.events.set(event.id, event);
    owner.bytes += event.bytes;
    this.#order.add(event);
    this.#bytes += event.bytes;
    this.#dropUntil(owner.events.values(), () => owner.bytes <= this.#most * SHARE);
    this.#dropUntil(this.#order, () => this.#bytes <= this.#most);
  }

  #dropUntil(oldestFirst: Iterable<SentEvent>, isEnough: () => boolean): void {
    for (const event of oldestFirst) {
      if (isEnough()) return;
      this.#drop(event);
    }
  }

  #drop(event: SentEvent): void {
    if (!this.#order.delete(event)) return;
    this.#bytes -= event.bytes;
    event.owner.bytes -= event.bytes;
    event.owner.events.delete(event.id);
  }
}

/** A stream begins with an event that carries nothing. */
function isNothing(message: JSONRPCMessage): boolean {
  return Object.keys(message).length === 0;
}

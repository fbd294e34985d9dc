import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

/** What was sent on one stream of a session, to be sent again to a client that comes back. */
interface SentEvent {
  readonly id: string;
  readonly stream: string;
  readonly message: JSONRPCMessage;
  readonly bytes: number;
  readonly owner: Map<string, SentEvent>;
}

/** Bytes that an event takes beside its message, roughly. */
const OVERHEAD = 200;

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

  /** The events of one session; `forget` lets go of them all. */
  session(): { readonly store: EventStore; readonly forget: () => void } {
    const own = new Map<string, SentEvent>();
    let count = 0;
    const store: EventStore = {
      storeEvent: async (stream, message) => {
        const id = `${stream}/${++count}`;
        this.#add({ id, stream, message, bytes: JSON.stringify(message).length + OVERHEAD, owner: own });
        return id;
      },
      getStreamIdForEventId: async (id) => own.get(id)?.stream,
      replayEventsAfter: async (id, { send }) => {
        const last = own.get(id);
        if (last === undefined) throw new Error("unknown event id");
        let passed = false;
        for (const event of own.values()) {
          // A stream begins with an event that carries nothing.
          const isMessage = Object.keys(event.message).length > 0;
          if (passed && isMessage && event.stream === last.stream) await send(event.id, event.message);
          passed ||= event === last;
        }
        return last.stream;
      },
    };
    const forget = (): void => {
      for (const event of own.values()) this.#drop(event);
    };
    return { store, forget };
  }

  #add(event: SentEvent): void {
    event.owner.set(event.id, event);
    this.#order.add(event);
    this.#bytes += event.bytes;
    for (const oldest of this.#order) {
      if (this.#bytes <= this.#most) break;
      this.#drop(oldest);
    }
  }

  #drop(event: SentEvent): void {
    event.owner.delete(event.id);
    if (this.#order.delete(event)) this.#bytes -= event.bytes;
  }
}

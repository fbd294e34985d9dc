/** One event of a stream, to be sent again to a client that comes back. */
export interface SentEvent {
  readonly id: string;
  /** JSON, empty for an event that only gives a place to come back to: an object would take many times as much. */
  readonly message: string;
  readonly isAnswer: boolean;
}

interface KeptEvent extends SentEvent {
  readonly stream: string;
  readonly bytes: number;
  readonly ring: EventRing;
}

/** The stream of a session that no request belongs to. */
export const OWN_STREAM = "own";
/** About the bytes that an event takes beside its message. */
const OVERHEAD = 400;
/** A session keeps at most this part of what all may keep, so that none can push out the others. */
const SHARE = 1 / 4;
const ID = /^([0-9a-f]{8})\/own\/([1-9]\d{0,14})$/;

/** What all sessions sent, within a number of bytes: the oldest event is forgotten first. */
export class EventRings {
  readonly most: number;
  readonly #order = new Set<KeptEvent>();
  /** Bytes held. */
  bytes = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** The events of one session, which may have sent others before the server was restarted. */
  ring(isRestored = false): EventRing {
    return new EventRing(this, isRestored);
  }

  add(event: KeptEvent): void {
    this.#order.add(event);
    this.bytes += event.bytes;
    while (this.bytes > this.most) {
      const [oldest] = this.#order;
      if (oldest === undefined) return;
      oldest.ring.drop(oldest);
    }
  }

  drop(event: KeptEvent): void {
    if (this.#order.delete(event)) this.bytes -= event.bytes;
  }
}

/** What one session sent; no other finds it (2025-11-25, "Resumability and Redelivery"). */
export class EventRing {
  /** Tells the ids of this ring from those of others. */
  readonly #tag = crypto.randomUUID().slice(0, 8);
  readonly #all: EventRings;
  readonly #isRestored: boolean;
  readonly #events = new Map<string, KeptEvent>();
  #bytes = 0;
  #count = 0;
  #isOver = false;

  constructor(all: EventRings, isRestored: boolean) {
    this.#all = all;
    this.#isRestored = isRestored;
  }

  /** Keeps what is sent on a stream; returns the id of the event. Without a message the stream only begins. */
  add(stream: string, message = "", isAnswer = false): string {
    const id = `${this.#tag}/${stream}/${++this.#count}`;
    if (this.#isOver) return id;
    // A character takes two bytes unless the whole text is Latin-1.
    const event = { id, stream, message, isAnswer, bytes: 2 * message.length + OVERHEAD, ring: this };
    this.#events.set(id, event);
    this.#bytes += event.bytes;
    while (this.#bytes > this.#all.most * SHARE) {
      const [oldest] = this.#events.values();
      if (oldest === undefined) return id;
      this.drop(oldest);
    }
    if (this.#events.has(id)) this.#all.add(event);
    return id;
  }

  /** The stream that an event was on; undefined if the event is not one of this session's, or is forgotten. */
  streamOf(id: string): string | undefined {
    return this.#events.get(id)?.stream;
  }

  /** Whether the id is that of an event which is not kept any more, on the stream that no request belongs to. */
  isForgotten(id: string): boolean {
    const [, tag, number] = ID.exec(id) ?? [];
    if (tag !== this.#tag) return tag !== undefined && this.#isRestored;
    return Number(number) <= this.#count && !this.#events.has(id);
  }

  /** What was sent on the stream of this event after it. */
  after(id: string): readonly SentEvent[] {
    const found = this.#events.get(id);
    if (found === undefined) return [];
    const events = [...this.#events.values()];
    return events
      .slice(events.indexOf(found) + 1)
      .filter(({ stream, message }) => stream === found.stream && message !== "");
  }

  drop(event: KeptEvent): void {
    if (!this.#events.delete(event.id)) return;
    this.#bytes -= event.bytes;
    this.#all.drop(event);
  }

  /** Lets go of everything. */
  forget(): void {
    this.#isOver = true;
    for (const event of this.#events.values()) this.drop(event);
  }
}

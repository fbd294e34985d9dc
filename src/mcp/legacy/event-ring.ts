/** One event of a stream, to be sent again to a client that comes back. */
export interface SentEvent {
  readonly id: string;
  /** JSON, empty for an event that only gives a place to come back to: an object would take many times as much. */
  readonly message: string;
  readonly isAnswer: boolean;
}

interface KeptEvent extends SentEvent {
  readonly number: number;
  readonly stream: string;
  readonly bytes: number;
  readonly ring: EventRing;
  /** Those of all sessions before and after it. */
  previous?: KeptEvent | undefined;
  next?: KeptEvent | undefined;
}

/** The stream of a session that no request belongs to. */
export const OWN_STREAM = "own";
/** About the bytes that an event takes beside its message. */
const OVERHEAD = 400;
/** A session keeps at most this part of what all may keep, so that none can push out the others. */
const SHARE = 1 / 4;
const ID = /^([0-9a-f]{8})\/(own|\d{1,15})\/([1-9]\d{0,14})$/;

/** What all sessions sent, within a number of bytes: the oldest event is forgotten first. */
export class EventRings {
  readonly most: number;
  /** Bytes held. */
  bytes = 0;
  // A list, since a Set with many deleted entries takes long to find its first.
  #oldest: KeptEvent | undefined;
  #newest: KeptEvent | undefined;

  constructor(most: number) {
    this.most = most;
  }

  /** The events of one session, which may have sent others before the server was restarted. */
  ring(isRestored = false): EventRing {
    return new EventRing(this, isRestored);
  }

  add(event: KeptEvent): void {
    event.previous = this.#newest;
    if (this.#newest === undefined) this.#oldest = event;
    else this.#newest.next = event;
    this.#newest = event;
    this.bytes += event.bytes;
    while (this.bytes > this.most && this.#oldest !== undefined) this.#oldest.ring.drop(this.#oldest);
  }

  drop({ previous, next, bytes }: KeptEvent): void {
    if (previous === undefined) this.#oldest = next;
    else previous.next = next;
    if (next === undefined) this.#newest = previous;
    else next.previous = previous;
    this.bytes -= bytes;
  }
}

/** What one session sent; no other finds it (2025-11-25, "Resumability and Redelivery"). */
export class EventRing {
  /** Tells the ids of this ring from those of others. */
  readonly #tag = crypto.randomUUID().slice(0, 8);
  readonly #all: EventRings;
  readonly #isRestored: boolean;
  /** By number; none is kept before `#first`. */
  readonly #events = new Map<number, KeptEvent>();
  #first = 1;
  #last = 0;
  #bytes = 0;
  #isOver = false;

  constructor(all: EventRings, isRestored: boolean) {
    this.#all = all;
    this.#isRestored = isRestored;
  }

  /** Keeps what is sent on a stream; returns the id of the event. Without a message the stream only begins. */
  add(stream: string, message = "", isAnswer = false): string {
    const number = ++this.#last;
    const id = `${this.#tag}/${stream}/${number}`;
    // A character takes two bytes unless the whole text is Latin-1.
    const bytes = 2 * message.length + OVERHEAD;
    const most = this.#all.most * SHARE;
    if (this.#isOver) return id;
    for (; this.#events.size > 0 && this.#bytes + bytes > most; this.#first++) this.#dropNumber(this.#first);
    // What is larger than a session may keep has only let go of what was before it.
    if (bytes > most) return id;
    const event: KeptEvent = { id, number, stream, message, isAnswer, bytes, ring: this };
    this.#events.set(number, event);
    this.#bytes += bytes;
    this.#all.add(event);
    return id;
  }

  /** The stream that an event was on; undefined if the event is not one of this session's, or is forgotten. */
  streamOf(id: string): string | undefined {
    return this.#find(id)?.stream;
  }

  /** Whether the id is that of an event which is not kept any more, on the stream that no request belongs to. */
  isForgotten(id: string): boolean {
    const [, tag, stream, number] = ID.exec(id) ?? [];
    if (stream !== OWN_STREAM) return false;
    if (tag !== this.#tag) return this.#isRestored;
    return Number(number) <= this.#last && !this.#events.has(Number(number));
  }

  /** What was sent on the stream of this event after it. */
  after(id: string): readonly SentEvent[] {
    const found = this.#find(id);
    if (found === undefined) return [];
    return [...this.#events.values()].filter(
      ({ number, stream, message }) => number > found.number && stream === found.stream && message !== "",
    );
  }

  drop({ number }: KeptEvent): void {
    this.#dropNumber(number);
  }

  /** Lets go of everything. */
  forget(): void {
    this.#isOver = true;
    for (const number of this.#events.keys()) this.#dropNumber(number);
  }

  #find(id: string): KeptEvent | undefined {
    const event = this.#events.get(Number(ID.exec(id)?.[3]));
    return event?.id === id ? event : undefined;
  }

  #dropNumber(number: number): void {
    const event = this.#events.get(number);
    if (event === undefined) return;
    this.#events.delete(number);
    this.#bytes -= event.bytes;
    this.#all.drop(event);
  }
}

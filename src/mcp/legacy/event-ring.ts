/** One event of a stream, kept to be sent again to a client that reconnects. */
export interface SentEvent {
  readonly id: string;
  /** JSON text, as an object would take more memory; empty if the event only gives an id to resume from. */
  readonly message: string;
  readonly isAnswer: boolean;
}

interface KeptEvent extends SentEvent {
  readonly number: number;
  readonly stream: string;
  readonly bytes: number;
  readonly ring: EventRing;
  /** The events of all sessions that were sent before and after it. */
  previous?: KeptEvent | undefined;
  next?: KeptEvent | undefined;
}

/** The name of the stream of a session that belongs to no request. */
export const OWN_STREAM = "own";
/** Approximate bytes that an event takes besides its message. */
const OVERHEAD = 400;
/** The share of all kept bytes that one session may have, so that it cannot evict the events of all others. */
const SHARE = 1 / 4;
const ID = /^([0-9a-f]{8})\/(own|\d{1,15})\/([1-9]\d{0,14})$/;

/** The last events of all sessions, bounded in bytes: the oldest event is dropped first. */
export class EventRings {
  readonly most: number;
  /** Bytes held. */
  bytes = 0;
  // A linked list, since a Set with many deleted entries is slow to find its first.
  #oldest: KeptEvent | undefined;
  #newest: KeptEvent | undefined;

  constructor(most: number) {
    this.most = most;
  }

  /** A ring for one session; `isOneOfMany` if it had others: on other nodes, or before a restart of the server. */
  ring(isOneOfMany = false): EventRing {
    return new EventRing(this, isOneOfMany);
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

/** The events of one session, which other sessions cannot read (2025-11-25, "Resumability and Redelivery"). */
export class EventRing {
  /** Part of the ids of this ring, to distinguish them from those of others. */
  readonly #tag = crypto.randomUUID().slice(0, 8);
  readonly #all: EventRings;
  readonly #isOneOfMany: boolean;
  /** By number; events before `#first` have been dropped. */
  readonly #events = new Map<number, KeptEvent>();
  #first = 1;
  #last = 0;
  #bytes = 0;
  #isOver = false;

  constructor(all: EventRings, isOneOfMany: boolean) {
    this.#all = all;
    this.#isOneOfMany = isOneOfMany;
  }

  /** Keeps an event of a stream and returns its id. Without a message it is the first event of the stream. */
  add(stream: string, message = "", isAnswer = false): string {
    const number = ++this.#last;
    const id = `${this.#tag}/${stream}/${number}`;
    // A character takes two bytes unless the whole text is Latin-1.
    const bytes = 2 * message.length + OVERHEAD;
    const most = this.#all.most * SHARE;
    if (this.#isOver) return id;
    for (; this.#events.size > 0 && this.#bytes + bytes > most; this.#first++) this.#dropNumber(this.#first);
    // An event that is larger than the share of a session is not kept.
    if (bytes > most) return id;
    const event: KeptEvent = { id, number, stream, message, isAnswer, bytes, ring: this };
    this.#events.set(number, event);
    this.#bytes += bytes;
    this.#all.add(event);
    return id;
  }

  /** The stream of an event; undefined if the event is not of this session, or was dropped. */
  streamOf(id: string): string | undefined {
    return this.#find(id)?.stream;
  }

  /** Whether the id may be that of an event of the session's own stream that is not here: dropped, or of another ring. */
  isForgotten(id: string): boolean {
    const [, tag, stream, number] = ID.exec(id) ?? [];
    if (stream !== OWN_STREAM) return false;
    if (tag !== this.#tag) return this.#isOneOfMany;
    return Number(number) <= this.#last && !this.#events.has(Number(number));
  }

  /** The events on the same stream after this one. */
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

  /** Drops everything. */
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

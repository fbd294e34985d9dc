import { Faults, missing } from "./faults.ts";
import type { Outcome, Published } from "./faults.ts";
import { formats } from "./formats.ts";
import type { Format, FormatName } from "./formats.ts";
import type { Histogram } from "./histogram.ts";
import { BARE, IN_ORDER, Reference, TO_ANSWER } from "./reference.ts";
import { StampFinder } from "./stamp.ts";

const EMPTY = Buffer.alloc(0);
const CAPACITY = 4 << 20;
const LARGEST_UNIT = 1 << 20;
const TRIES = 4;
const LEAD_CHANGE = 100_000;

/** What the verifier needs to know of a run. */
export interface VerifierOptions {
  readonly format: FormatName;
  readonly run: string;
  readonly size: number;
  readonly publishers: number;
  readonly latencies: Histogram;
  /** How many bytes of the shared stream are kept. */
  readonly capacity?: number;
}

/** One reader's stream. */
export interface Track {
  /** False until the server has said that the reader is subscribed. */
  ready: boolean;
  /** While the reader follows the reference: its place there, in bytes and in whole units. */
  offset: number;
  unit: number;
  /** While it does not: what it expects of each publisher, the sum of that, and the start of a unit. */
  next: Uint32Array | undefined;
  sum: number;
  rest: Buffer;
  faults: Faults | undefined;
  messages: number;
  readonly answer: (bytes: Buffer) => void;
}

/**
 * Finds every message that a reader lost, got twice or got out of order. All readers of a server get the same bytes, so
 * the stream is parsed once, by whoever is ahead, and the others are compared with it. A reader's counts are those of
 * the reference at its place, because it joined where they were equal and all bytes since were. A reader whose bytes
 * differ is parsed by itself until it stands again where the reference once stood.
 */
export class Verifier {
  readonly #format: Format;
  readonly #finder: StampFinder;
  readonly #reference: Reference;
  readonly #latencies: Histogram;
  readonly #publishers: number;
  readonly #tracks = new Set<Track>();
  #following = 0;
  #delivered = 0;
  #led = 0;

  constructor({ format, run, size, publishers, latencies, capacity = CAPACITY }: VerifierOptions) {
    this.#format = formats[format];
    this.#finder = new StampFinder(run, size);
    this.#reference = new Reference(this.#format, this.#finder, publishers, capacity);
    this.#latencies = latencies;
    this.#publishers = publishers;
  }

  /** Messages of this run that arrived, duplicates included. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Starts the stream of a reader; `answer` sends what the format asks for. */
  open(answer: (bytes: Buffer) => void): Track {
    const next = new Uint32Array(this.#publishers);
    const track: Track = {
      ready: false,
      offset: 0,
      unit: 0,
      next,
      sum: 0,
      rest: EMPTY,
      faults: undefined,
      messages: 0,
      answer,
    };
    this.#tracks.add(track);
    return track;
  }

  /** Takes what arrived at `now`; throws if it is not a stream of this format. */
  feed(track: Track, bytes: Buffer, from: number, to: number, now: number): void {
    let at = from;
    if (track.rest.length === 0) this.#join(track, now);
    while (at < to) {
      if (track.next === undefined) {
        if (this.#follow(track, bytes, at, to, now)) return;
        this.#leave(track);
      }
      at = this.#parse(track, bytes, at, to, now);
    }
  }

  /** Ends a reader's stream; its outcome can still be asked for. */
  close(track: Track): void {
    if (track.next === undefined) this.#leave(track);
    this.#tracks.delete(track);
  }

  outcome(track: Track, published: Published): Outcome {
    const next = track.next ?? this.#reference.nextAt(track.unit);
    if (track.faults === undefined) {
      return { lost: missing(next, published), duplicated: 0, disordered: 0, gaps: [] };
    }
    const { duplicated, disordered, gaps } = track.faults;
    return { lost: track.faults.lost(next, published), duplicated, disordered, gaps };
  }

  /** False, with nothing changed, when the bytes differ from the reference. */
  #follow(track: Track, bytes: Buffer, from: number, to: number, now: number): boolean {
    const reference = this.#reference;
    const known = Math.min(to - from, reference.end - track.offset);
    if (known > 0 && !reference.has(track.offset, bytes, from, from + known)) return false;
    if (from + known < to) {
      if (!this.#makeRoom(track, to - from - known)) return false;
      reference.append(bytes, from + known, to);
    }
    track.offset += to - from;
    this.#pass(track, now);
    return true;
  }

  /** Counts the units whose end the track has reached. */
  #pass(track: Track, now: number): void {
    const { ends, kinds, sents, first, count } = this.#reference;
    const { offset } = track;
    let { unit } = track;
    let messages = 0;
    for (; unit < count && (ends[unit - first] ?? 0) <= offset; unit += 1) {
      const kind = kinds[unit - first];
      if (kind === BARE) continue;
      if (kind === TO_ANSWER) {
        track.answer(this.#reference.answers.get(unit) ?? EMPTY);
        continue;
      }
      this.#latencies.record(now - (sents[unit - first] ?? now));
      messages += 1;
      if (kind !== IN_ORDER) this.#passFault(track, unit - first);
    }
    track.unit = unit;
    track.messages += messages;
    this.#delivered += messages;
  }

  #passFault(track: Track, i: number): void {
    const { publishers, sequences, expected } = this.#reference;
    track.faults ??= new Faults();
    track.faults.take(publishers[i] ?? 0, sequences[i] ?? 0, expected[i] ?? 0);
  }

  /** Parses one reader's bytes; returns where it stopped because it could join the reference. */
  #parse(track: Track, bytes: Buffer, from: number, to: number, now: number): number {
    const split = track.rest.length > 0;
    const unread = split ? Buffer.concat([track.rest, bytes.subarray(from, to)]) : bytes;
    const last = split ? unread.length : to;
    let at = split ? 0 : from;
    let tries = 0;
    for (let end = this.#format.end(unread, at, last); end >= 0; end = this.#format.end(unread, at, last)) {
      this.#take(track, unread, at, end, now);
      at = end;
      // Bounded, because a reader that lags far would search the reference at each of its units.
      if ((tries < TRIES || at === last) && this.#join(track, now)) {
        track.rest = EMPTY;
        return at + to - last;
      }
      tries += 1;
    }
    if (last - at > LARGEST_UNIT) throw new Error("the stream goes on for 1 MiB without the end of an event");
    track.rest = at < last ? Buffer.from(unread.subarray(at, last)) : EMPTY;
    return to;
  }

  #take(track: Track, bytes: Buffer, from: number, to: number, now: number): void {
    if (!track.ready) track.ready = this.#format.welcome(bytes, from, to);
    const answer = this.#format.answer(bytes, from, to);
    if (answer !== undefined) track.answer(answer);
    const { next } = track;
    if (next === undefined || !this.#finder.find(bytes, from, to)) return;
    const { publisher, sequence, sent } = this.#finder;
    const expected = next[publisher];
    if (expected === undefined) return;
    this.#latencies.record(now - sent);
    this.#delivered += 1;
    track.messages += 1;
    if (sequence !== expected) (track.faults ??= new Faults()).take(publisher, sequence, expected);
    if (sequence < expected) return;
    next[publisher] = sequence + 1;
    track.sum += sequence + 1 - expected;
  }

  /** Lets the track follow the reference when the reference once stood where the track stands. */
  #join(track: Track, now: number): boolean {
    if (!track.ready || track.next === undefined) return false;
    let unit = this.#following === 0 ? -1 : this.#reference.find(track.next, track.sum);
    if (unit < 0) {
      if (!this.#mayLead(now)) return false;
      this.#reference.restart(track.next, track.sum);
      unit = this.#reference.count;
    }
    track.unit = unit;
    track.offset = this.#reference.offset(unit);
    track.next = undefined;
    this.#following += 1;
    return true;
  }

  /** Nobody follows the reference, or, for some time, only a minority that may itself be at fault. */
  #mayLead(now: number): boolean {
    if (this.#following > 0) {
      if (this.#following * 2 >= this.#tracks.size || now - this.#led < LEAD_CHANGE) return false;
      for (const track of this.#tracks) if (track.next === undefined) this.#leave(track);
    }
    this.#led = now;
    return true;
  }

  /** Makes the track stand by itself, where it is. */
  #leave(track: Track): void {
    const { bytes, start } = this.#reference;
    track.next = this.#reference.nextAt(track.unit);
    track.sum = track.next.reduce((sum, sequence) => sum + sequence, 0);
    track.rest = Buffer.from(bytes.subarray(this.#reference.offset(track.unit) - start, track.offset - start));
    this.#following -= 1;
  }

  /** Drops what all followers have passed; those far behind stop following. False when there is no room without `leader`. */
  #makeRoom(leader: Track, length: number): boolean {
    const reference = this.#reference;
    if (reference.free >= length) return true;
    const oldest = reference.end - reference.bytes.length / 2;
    let unit = leader.unit;
    for (const track of this.#tracks) {
      if (track.next !== undefined || track === leader) continue;
      if (track.offset < oldest) this.#leave(track);
      else unit = Math.min(unit, track.unit);
    }
    reference.forget(unit);
    return reference.free >= length;
  }
}

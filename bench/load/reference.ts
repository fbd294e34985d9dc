import type { Format } from "./formats.ts";
import type { StampFinder } from "./stamp.ts";

/** What a unit of the stream means to the readers that pass it. */
export const BARE = 0;
export const IN_ORDER = 1;
const OUT_OF_ORDER = 2;
export const TO_ANSWER = 3;

/**
 * The stream that all readers of one server share, parsed once: its last bytes, the units they form, and what each
 * unit means. Offsets and unit numbers count from the start of the stream; the fields are read by the verifier's
 * inner loop.
 */
export class Reference {
  /** The bytes from offset `start` up to offset `end`. */
  readonly bytes: Buffer;
  start = 0;
  end = 0;
  /** The units kept: `first` up to, not including, `count`. Unit `n` is at index `n - first` of the arrays. */
  first = 0;
  count = 0;
  kinds: Uint8Array = new Uint8Array(1024);
  publishers: Uint16Array = new Uint16Array(1024);
  sequences: Uint32Array = new Uint32Array(1024);
  sents: Float64Array = new Float64Array(1024);
  /** The offset at which each unit ends. */
  ends: Float64Array = new Float64Array(1024);
  /** What was expected of the unit's publisher before the unit. */
  expected: Uint32Array = new Uint32Array(1024);
  /** The sum of `next` after the unit, which never falls: it finds the unit at which a reader may join. */
  sums: Float64Array = new Float64Array(1024);
  readonly answers: Map<number, Buffer> = new Map();
  /** The next sequence number of each publisher at the end. */
  next: Uint32Array;
  #startSum = 0;
  #sum = 0;
  readonly #format: Format;
  readonly #finder: StampFinder;

  constructor(format: Format, finder: StampFinder, publishers: number, capacity: number) {
    this.bytes = Buffer.alloc(capacity);
    this.next = new Uint32Array(publishers);
    this.#format = format;
    this.#finder = finder;
  }

  get free(): number {
    return this.bytes.length - (this.end - this.start);
  }

  /** Whether the stream has these bytes at this offset. */
  has(offset: number, bytes: Buffer, from: number, to: number): boolean {
    const at = offset - this.start;
    return this.bytes.compare(bytes, from, to, at, at + to - from) === 0;
  }

  /** Goes on with these bytes, for which there must be room. */
  append(bytes: Buffer, from: number, to: number): void {
    bytes.copy(this.bytes, this.end - this.start, from, to);
    this.end += to - from;
    let at = this.offset(this.count) - this.start;
    const last = this.end - this.start;
    for (let end = this.#format.end(this.bytes, at, last); end >= 0; end = this.#format.end(this.bytes, at, last)) {
      this.#addUnit(at, end);
      at = end;
    }
  }

  /** The offset at which this unit starts. */
  offset(unit: number): number {
    return unit === this.first ? this.start : (this.ends[unit - this.first - 1] ?? this.start);
  }

  /** What was expected of each publisher before this unit. */
  nextAt(unit: number): Uint32Array {
    const next = this.next.slice();
    for (let i = this.count - this.first - 1; i >= unit - this.first; i -= 1) {
      if (this.kinds[i] === IN_ORDER || this.kinds[i] === OUT_OF_ORDER) {
        next[this.publishers[i] ?? 0] = this.expected[i] ?? 0;
      }
    }
    return next;
  }

  /** The last unit before which exactly this was expected, or -1. */
  find(next: Uint32Array, sum: number): number {
    if (sum < this.#startSum || sum > this.#sum) return -1;
    let low = this.first;
    let high = this.count;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.sums[middle - 1 - this.first] ?? 0) <= sum) low = middle;
      else high = middle - 1;
    }
    const there = low === this.count ? this.next : this.nextAt(low);
    return there.every((sequence, publisher) => sequence === next[publisher]) ? low : -1;
  }

  /** Starts again, empty, from what one reader expects. */
  restart(next: Uint32Array, sum: number): void {
    this.next = next.slice();
    this.#startSum = sum;
    this.#sum = sum;
    this.start = this.end;
    this.first = this.count;
    this.answers.clear();
  }

  /** Lets go of the units before this one. */
  forget(unit: number): void {
    const units = unit - this.first;
    if (units <= 0) return;
    const offset = this.offset(unit);
    this.#startSum = this.sums[units - 1] ?? 0;
    this.bytes.copyWithin(0, offset - this.start, this.end - this.start);
    for (const column of this.#columns()) column.copyWithin(0, units, this.count - this.first);
    for (const answered of this.answers.keys()) if (answered < unit) this.answers.delete(answered);
    this.start = offset;
    this.first = unit;
  }

  #addUnit(from: number, to: number): void {
    const i = this.count - this.first;
    if (i === this.kinds.length) this.#grow();
    const answer = this.#format.answer(this.bytes, from, to);
    if (answer !== undefined) {
      this.answers.set(this.count, answer);
      this.kinds[i] = TO_ANSWER;
    } else if (this.#finder.find(this.bytes, from, to) && this.#finder.publisher < this.next.length) {
      this.#addMessage(i);
    } else {
      this.kinds[i] = BARE;
    }
    this.ends[i] = this.start + to;
    this.sums[i] = this.#sum;
    this.count += 1;
  }

  #addMessage(i: number): void {
    const { publisher, sequence, sent } = this.#finder;
    const expected = this.next[publisher] ?? 0;
    this.kinds[i] = sequence === expected ? IN_ORDER : OUT_OF_ORDER;
    this.publishers[i] = publisher;
    this.sequences[i] = sequence;
    this.sents[i] = sent;
    this.expected[i] = expected;
    if (sequence < expected) return;
    this.next[publisher] = sequence + 1;
    this.#sum += sequence + 1 - expected;
  }

  #columns(): readonly (Uint8Array | Uint16Array | Uint32Array | Float64Array)[] {
    return [this.kinds, this.publishers, this.sequences, this.sents, this.ends, this.expected, this.sums];
  }

  #grow(): void {
    const length = this.kinds.length * 2;
    this.kinds = copied(new Uint8Array(length), this.kinds);
    this.publishers = copied(new Uint16Array(length), this.publishers);
    this.sequences = copied(new Uint32Array(length), this.sequences);
    this.sents = copied(new Float64Array(length), this.sents);
    this.ends = copied(new Float64Array(length), this.ends);
    this.expected = copied(new Uint32Array(length), this.expected);
    this.sums = copied(new Float64Array(length), this.sums);
  }
}

function copied<Column extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  to: Column,
  from: Column,
): Column {
  to.set(from);
  return to;
}

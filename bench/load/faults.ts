const MOST_GAPS = 1000;

/** Sequence numbers `from` up to, not including, `to` of one publisher. */
export interface Gap {
  readonly publisher: number;
  readonly from: number;
  readonly to: number;
}

/** What was published: how many by each publisher, and for which of them it is unknown whether the server accepted them. */
export interface Published {
  readonly counts: Uint32Array;
  readonly unanswered: readonly Gap[];
}

/** What became of one stream. */
export interface Outcome {
  readonly lost: number;
  readonly duplicated: number;
  readonly disordered: number;
  readonly gaps: readonly Gap[];
}

/** What is wrong with one stream so far. */
export class Faults {
  duplicated = 0;
  /** Messages that came after a later one of their publisher. */
  disordered = 0;
  #gaps: Gap[] = [];
  #uncounted = 0;

  get gaps(): readonly Gap[] {
    return this.#gaps;
  }

  /** Takes a message that is not the one its publisher's count says is next. */
  take(publisher: number, sequence: number, next: number): void {
    if (sequence > next) this.#open({ publisher, from: next, to: sequence });
    else if (this.#close(publisher, sequence)) this.disordered += 1;
    else this.duplicated += 1;
  }

  /** How many messages are missing, given the next expected of each publisher at the end of the stream. */
  lost(next: Uint32Array, published: Published): number {
    return this.#uncounted + missing(next, published, this.#gaps);
  }

  #open(gap: Gap): void {
    if (this.#gaps.length < MOST_GAPS) this.#gaps.push(gap);
    else this.#uncounted += gap.to - gap.from;
  }

  #close(publisher: number, sequence: number): boolean {
    const index = this.#gaps.findIndex((gap) => within(gap, publisher, sequence));
    const gap = this.#gaps[index];
    if (gap === undefined) return false;
    const left = [
      { publisher, from: gap.from, to: sequence },
      { publisher, from: sequence + 1, to: gap.to },
    ];
    this.#gaps.splice(index, 1, ...left.filter(({ from, to }) => from < to));
    return true;
  }
}

/** How many published messages a stream misses: those in its gaps, and those after its end. */
export function missing(next: Uint32Array, { counts, unanswered }: Published, gaps: readonly Gap[] = []): number {
  let lost = 0;
  for (let publisher = 0; publisher < counts.length; publisher += 1) {
    const tail = { publisher, from: next[publisher] ?? 0, to: counts[publisher] ?? 0 };
    if (tail.from < tail.to) lost += answeredIn(tail, unanswered);
  }
  for (const gap of gaps) lost += answeredIn(gap, unanswered);
  return lost;
}

function answeredIn(gap: Gap, unanswered: readonly Gap[]): number {
  let count = gap.to - gap.from;
  for (const { publisher, from, to } of unanswered) {
    if (publisher === gap.publisher) count -= Math.max(0, Math.min(to, gap.to) - Math.max(from, gap.from));
  }
  return count;
}

function within({ publisher, from, to }: Gap, ofPublisher: number, sequence: number): boolean {
  return publisher === ofPublisher && from <= sequence && sequence < to;
}

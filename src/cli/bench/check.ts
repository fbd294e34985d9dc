/** The shortest payload that has room for the stamp of any run. */
export const SMALLEST_PAYLOAD = 38;

/** Messages that one publisher sent, numbered from 0. */
export interface Sent {
  readonly count: number;
  /** The numbers of those that were not answered with success: a reader may get them or not. */
  readonly failed: ReadonlySet<number>;
}

/** Messages that a reader lacks: of one publisher, from one number up to before another. */
interface Gap {
  readonly publisher: number;
  readonly from: number;
  readonly to: number;
}

/** What is wrong with what a reader got. */
export interface Faults {
  readonly lost: number;
  readonly duplicated: number;
  readonly disordered: number;
  /** Messages that are of this run and not as they were sent. */
  readonly damaged: number;
  /** The first places at which messages are missing. */
  readonly gaps: readonly Gap[];
}

/** What a payload says of itself. */
export interface Stamp {
  readonly publisher: number;
  readonly sequence: number;
  /** Microseconds on the clock of this process. */
  readonly sent: number;
}

const MOST_GAPS = 5;

/** A payload of `size` characters. */
export function stamped(run: string, { publisher, sequence, sent }: Stamp, size: number): string {
  return `~b${run}.${publisher}.${sequence}.${sent}.`.padEnd(size - 1, "x") + "~";
}

/** Reads payloads of one run; undefined for everything else, and for one that was cut or spliced. */
export function stampReader(run: string, size: number): (text: string) => Stamp | undefined {
  const form = new RegExp(`^~b${run}\\.(\\d{1,4})\\.(\\d{1,10})\\.(\\d{1,15})\\.x*~$`);
  return (text) => {
    const [whole, publisher, sequence, sent] = form.exec(text) ?? [];
    if (whole?.length !== size) return undefined;
    return { publisher: Number(publisher), sequence: Number(sequence), sent: Number(sent) };
  };
}

/** Whether one reader gets each message of each publisher once and in order. */
export class ReaderCheck {
  /** Messages received, each once. */
  received = 0;
  damaged = 0;
  #duplicated = 0;
  #disordered = 0;
  /** By publisher: the number that comes next, and those before it that have not come. */
  readonly #next: number[] = [];
  readonly #skipped: (Set<number> | undefined)[] = [];

  /** Takes a message; whether it is the first time. */
  take({ publisher, sequence }: Stamp): boolean {
    const next = this.#next[publisher] ?? 0;
    if (sequence > next) {
      const skipped = (this.#skipped[publisher] ??= new Set());
      for (let number = next; number < sequence; number++) skipped.add(number);
    }
    if (sequence >= next) this.#next[publisher] = sequence + 1;
    else if (this.#skipped[publisher]?.delete(sequence)) this.#disordered++;
    else {
      this.#duplicated++;
      return false;
    }
    this.received++;
    return true;
  }

  /** Compares it with what was sent in all. */
  faults(sent: readonly Sent[]): Faults {
    let lost = 0;
    const gaps: { publisher: number; from: number; to: number }[] = [];
    for (const [publisher, { count, failed }] of sent.entries()) {
      for (const number of this.#missing(publisher, count)) {
        if (failed.has(number)) continue;
        lost++;
        const last = gaps.at(-1);
        if (last?.publisher === publisher && last.to === number) last.to++;
        else if (gaps.length <= MOST_GAPS) gaps.push({ publisher, from: number, to: number + 1 });
      }
    }
    const found = { lost, duplicated: this.#duplicated, disordered: this.#disordered, damaged: this.damaged };
    return { ...found, gaps: gaps.slice(0, MOST_GAPS) };
  }

  *#missing(publisher: number, count: number): Iterable<number> {
    yield* [...(this.#skipped[publisher] ?? [])].sort((one, other) => one - other);
    for (let number = this.#next[publisher] ?? 0; number < count; number++) yield number;
  }
}

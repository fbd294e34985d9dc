/** The shortest payload that has room for the stamp of any message. */
export const SMALLEST_PAYLOAD = 38;
/** Gaps of a reader that are reported. */
const MAX_GAPS = 5;

/** What a payload says of itself; `sent` is in microseconds on the clock of this process. */
export interface Stamp {
  readonly publisher: number;
  readonly sequence: number;
  readonly sent: number;
}

/** Messages that one publisher sent, numbered from 0. */
export interface Sent {
  readonly count: number;
  /** The numbers of those that were not answered with success: a reader may get them or not. */
  readonly failed: ReadonlySet<number>;
}

/** Messages of one publisher that a reader lacks: `from` up to, and without, `to`. */
interface Gap {
  readonly publisher: number;
  readonly from: number;
  to: number;
}

/** What is wrong with what a reader got. */
export interface Faults {
  readonly lost: number;
  readonly duplicated: number;
  readonly disordered: number;
  /** Messages that are of this run and not as they were sent. */
  readonly damaged: number;
  /** The first places at which messages are missing. */
  readonly gaps: readonly Readonly<Gap>[];
}

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
export class DeliveryCheck {
  /** Messages received, each once. */
  received = 0;
  damaged = 0;
  #duplicated = 0;
  /** By publisher: the number that comes next. */
  readonly #next: number[] = [];
  /** What was skipped, and which of it came later. */
  readonly #gaps: Gap[] = [];
  readonly #late = new Set<string>();

  /** Takes a message; whether it is the first time. */
  take({ publisher, sequence }: Stamp): boolean {
    const next = this.#next[publisher] ?? 0;
    if (sequence > next) this.#gaps.push({ publisher, from: next, to: sequence });
    if (sequence >= next) this.#next[publisher] = sequence + 1;
    else if (this.#isMissing(publisher, sequence)) this.#late.add(`${publisher}.${sequence}`);
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
    const gaps: Gap[] = [];
    const rest = sent.map(({ count }, publisher) => ({ publisher, from: this.#next[publisher] ?? 0, to: count }));
    for (const { publisher, from, to } of [...this.#gaps, ...rest]) {
      for (let number = from; number < to; number++) {
        if (this.#late.has(`${publisher}.${number}`) || sent[publisher]?.failed.has(number)) continue;
        lost++;
        const last = gaps.at(-1);
        if (last?.publisher === publisher && last.to === number) last.to++;
        else if (gaps.length < MAX_GAPS) gaps.push({ publisher, from: number, to: number + 1 });
      }
    }
    return { lost, duplicated: this.#duplicated, disordered: this.#late.size, damaged: this.damaged, gaps };
  }

  #isMissing(publisher: number, sequence: number): boolean {
    const isInGap = this.#gaps.some((gap) => gap.publisher === publisher && gap.from <= sequence && sequence < gap.to);
    return isInGap && !this.#late.has(`${publisher}.${sequence}`);
  }
}

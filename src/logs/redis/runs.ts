/** Offsets that no message has, because messages with some of them may have been lost. */
export interface Hole {
  /** The last offset before it. */
  readonly after: number;
  /** Its last offset, which belongs to the run that follows. */
  readonly end: number;
}

interface Run {
  /** The first offset whose cursors have its epoch. */
  readonly first: number;
  readonly epoch: string;
  /** The last offset of the run before it. */
  readonly after: number;
}

/** The runs of a log on Redis: from one engine, or one loss, to the next, each with an epoch of its own. */
export class Runs {
  readonly #runs: readonly Run[];

  /** `fields` are first offsets and, after each, the epoch and the last offset before it. */
  constructor(fields: readonly string[] = []) {
    const runs: Run[] = [];
    for (let at = 0; at < fields.length; at += 2) {
      const [epoch = "", after] = (fields[at + 1] ?? "").split(" ");
      runs.push({ first: Number(fields[at]), epoch, after: Number(after) });
    }
    this.#runs = runs.sort((a, b) => a.first - b.first);
  }

  /** The epoch of what is published from now on. */
  get epoch(): string {
    return this.#runs.at(-1)?.epoch ?? "";
  }

  /** The epoch in which an offset was given out. */
  at(offset: number): string {
    return (this.#runs.findLast(({ first }) => first <= offset) ?? this.#runs[0])?.epoch ?? "";
  }

  /** Where the run in use begins, if that is after a hole; -1 if not. */
  get holeEnd(): number {
    const run = this.#runs.at(-1);
    return run !== undefined && run.first > run.after + 1 ? run.first : -1;
  }

  /** The first hole that ends after an offset. */
  holeAfter(offset: number): Hole | undefined {
    const run = this.#runs.find(({ first, after }) => first > offset && first > after + 1);
    return run === undefined ? undefined : { after: run.after, end: run.first };
  }
}

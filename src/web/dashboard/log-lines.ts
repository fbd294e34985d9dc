import { ItemBuffer } from "./item-buffer.ts";

/** What `hub.logs` brings. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
}

export interface Line extends LogLine {
  readonly key: number;
}

const CAPACITY = 2000;

/** The last lines that the server logged, each once, whether they came as they were logged or were asked for. */
export class LogLines {
  readonly buffer: ItemBuffer<Line> = new ItemBuffer(CAPACITY);
  #key = 0;
  /** The time of the last line, and how often each text was logged at that time. */
  #last = "";
  #atLast = new Map<string, number>();
  /** Lines that came while the page asks for those before them. */
  #waiting: LogLine[] | undefined;

  /** What comes from now on waits for `resume`. */
  wait(): void {
    this.#waiting ??= [];
  }

  /** Adds what was logged before, and then what waits. */
  resume(before: readonly LogLine[]): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#merge(before);
    this.#merge(waiting);
  }

  add(line: LogLine): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(line);
      return;
    }
    const { level, time, msg } = line;
    if (time !== this.#last) this.#atLast = new Map();
    this.#last = time;
    this.#atLast.set(msg, (this.#atLast.get(msg) ?? 0) + 1);
    this.buffer.push({ key: this.#key++, level, time, msg });
  }

  /** Adds those of these lines, in their order, that are not there yet. */
  #merge(lines: readonly LogLine[]): void {
    const last = this.#last;
    // The same text may be logged twice at the same time.
    const there = new Map(this.#atLast);
    for (const line of lines) {
      const { time, msg } = line;
      if (time < last) continue;
      const known = time === last ? (there.get(msg) ?? 0) : 0;
      if (known > 0) there.set(msg, known - 1);
      else this.add(line);
    }
  }
}

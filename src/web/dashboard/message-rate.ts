/** Messages counted by the second in which they were published. */
export class MessageRate {
  readonly #seconds: number;
  readonly #counts = new Map<number, number>();
  /** The first second that is known whole; undefined if all are. */
  #from: number | undefined;

  /** Looks back this many seconds. */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** Before this time, in milliseconds since 1970, not all messages are known. */
  knownFrom(time: number): void {
    this.#from = Math.floor(time / 1000) + 1;
  }

  /** Counts a message of this time, in milliseconds since 1970. */
  add(time: number): void {
    const second = Math.floor(time / 1000);
    this.#counts.set(second, (this.#counts.get(second) ?? 0) + 1);
  }

  /** The last whole seconds and the messages in each; forgets what came before. `now` is in seconds since 1970. */
  until(now: number): readonly [seconds: number[], counts: number[]] {
    const end = Math.floor(now);
    const start = Math.max(end - this.#seconds, this.#from ?? 0);
    for (const second of this.#counts.keys()) if (second < end - this.#seconds) this.#counts.delete(second);
    const seconds = Array.from({ length: Math.max(end - start, 0) }, (_, index) => start + index);
    return [seconds, seconds.map((second) => this.#counts.get(second) ?? 0)];
  }
}

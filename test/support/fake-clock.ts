import type { Clock } from "../../src/webhooks/out/clock.ts";

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now = Date.now();
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, run: () => void): () => void {
    // An object of its own, since the same function may be given twice.
    const timer = (): void => run();
    this.#timers.set(timer, this.#now + milliseconds);
    return () => this.#timers.delete(timer);
  }

  /** Moves on, and runs what has come due on the way, in its order. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].filter(([, due]) => due <= end).toSorted(([, a], [, b]) => a - b);
      if (next === undefined) break;
      const [timer, due] = next;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, due);
      timer();
    }
    this.#now = end;
  }
}

import type { Turn } from "./record.ts";

/** Turns held back, and messages in them, while what comes before them is read. */
const MOST = 4096;
const MOST_MESSAGES = 65_536;

/** Turns that came before what precedes them, in order. */
export class HeldTurns {
  #turns: Turn[] = [];
  #messages = 0;

  get size(): number {
    return this.#turns.length;
  }

  get all(): readonly Turn[] {
    return this.#turns;
  }

  /** Adds one that was announced. If there are too many, those are forgotten that can be read again. */
  push(turn: Turn): void {
    if (this.#turns.length >= MOST || this.#messages > MOST_MESSAGES) {
      // What this node published must be answered.
      this.remove(({ settle }) => settle === undefined);
    }
    this.#turns.push(turn);
    this.#messages += turn.messages.length;
  }

  /** Adds one in its place. */
  insert(turn: Turn): void {
    let at = this.#turns.length;
    while (at > 0 && (this.#turns[at - 1] as Turn).before > turn.before) at--;
    this.#turns.splice(at, 0, turn);
    this.#messages += turn.messages.length;
  }

  remove(isDone: (turn: Turn) => boolean): void {
    this.#turns = this.#turns.filter((turn) => !isDone(turn));
    this.#messages = this.#turns.reduce((sum, { messages }) => sum + messages.length, 0);
  }
}

import type { Message } from "../../core/message.ts";
import type { Turn } from "./record.ts";

/** Turns held back, and messages in them, while what comes before them is on its way or read. */
const MOST = 4096;
const MOST_MESSAGES = 65_536;

/** Turns that follow one another, and what they come to. */
export interface Following {
  readonly turns: readonly Turn[];
  /** Those of their messages that are after the head, and ephemeral ones in their places. */
  readonly messages: readonly Message[];
  readonly head: number;
  readonly floor: number;
}

/** Turns in the order of the log, of which something may still be missing in between. */
export class HeldTurns {
  #turns: Turn[] = [];
  #messages = 0;

  get size(): number {
    return this.#turns.length;
  }

  /** If there are too many, those that can be read again from the engine are forgotten. */
  add(turn: Turn): void {
    if (this.#turns.length >= MOST || this.#messages > MOST_MESSAGES) {
      // What this node published must be answered.
      this.remove(this.#turns.filter(({ settle }) => settle === undefined));
    }
    let at = this.#turns.length;
    while (at > 0 && (this.#turns[at - 1] as Turn).before > turn.before) at--;
    this.#turns.splice(at, 0, turn);
    this.#messages += turn.messages.length;
  }

  all(): readonly Turn[] {
    return [...this.#turns];
  }

  /** The turns of this epoch that follow a head without anything missing. */
  following(epoch: string, from: number, lowest: number): Following {
    const turns: Turn[] = [];
    const messages: Message[] = [];
    let [head, floor] = [from, lowest];
    for (const turn of this.#turns) {
      if (turn.epoch !== epoch || turn.before > head) break;
      for (const message of turn.messages) {
        if (message.ephemeral) messages.push({ ...message, offset: head });
        else if (message.offset > head) {
          messages.push(message);
          head = message.offset;
        }
      }
      floor = Math.max(floor, turn.floor);
      turns.push(turn);
    }
    return { turns, messages, head, floor };
  }

  remove(turns: readonly Turn[]): void {
    const removed = new Set(turns);
    this.#turns = this.#turns.filter((turn) => !removed.has(turn));
    for (const turn of turns) this.#messages -= turn.messages.length;
  }
}

import type { Message } from "../../core/message.ts";
import type { Batch } from "./record.ts";

/** Batches that are held back at most, and messages in them, while those before them are on their way or read. */
const MAX_BATCHES = 4096;
const MAX_MESSAGES = 65_536;

/** Batches that follow one another, and what they come to. */
export interface Following {
  readonly batches: readonly Batch[];
  /** Those of their messages that are after the head, and ephemeral ones in their places. */
  readonly messages: readonly Message[];
  readonly head: number;
  readonly floor: number;
}

/** Batches that came before those that precede them, in the order of the log. */
export class EarlyBatches {
  #batches: Batch[] = [];
  #messages = 0;

  get size(): number {
    return this.#batches.length;
  }

  /** If there are too many, those that can be read again from the engine are forgotten. */
  add(batch: Batch): void {
    if (this.#batches.length >= MAX_BATCHES || this.#messages > MAX_MESSAGES) {
      // What this node published must be answered.
      this.remove(this.#batches.filter(({ settle }) => settle === undefined));
    }
    let at = this.#batches.length;
    while (at > 0 && (this.#batches[at - 1] as Batch).before > batch.before) at--;
    this.#batches.splice(at, 0, batch);
    this.#messages += batch.messages.length;
  }

  all(): readonly Batch[] {
    return [...this.#batches];
  }

  /** The batches of this epoch that follow a head without anything missing. */
  following(epoch: string, from: number, lowest: number): Following {
    const batches: Batch[] = [];
    const messages: Message[] = [];
    let [head, floor] = [from, lowest];
    for (const batch of this.#batches) {
      if (batch.epoch !== epoch || batch.before > head) break;
      for (const message of batch.messages) {
        if (message.ephemeral) messages.push({ ...message, offset: head });
        else if (message.offset > head) {
          messages.push(message);
          head = message.offset;
        }
      }
      floor = Math.max(floor, batch.floor);
      batches.push(batch);
    }
    return { batches, messages, head, floor };
  }

  remove(batches: readonly Batch[]): void {
    const removed = new Set(batches);
    this.#batches = this.#batches.filter((batch) => !removed.has(batch));
    for (const batch of batches) this.#messages -= batch.messages.length;
  }
}

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ChannelName } from "../../protocol/channel.ts";
import type { Transaction } from "../sqlite/transaction.ts";

/** How far the engine says that a channel has lost messages, by retention or because it was purged. */
export interface Dropped {
  readonly channel: string;
  /** Offset and time of the last of them. */
  readonly offset: number;
  readonly time: number;
}

/** Messages of a channel up to an offset. */
export interface Purgeable {
  readonly kept: number;
  readonly bytes: number;
  /** Offset and time of the last of them; null if there are none. */
  readonly last: number | null;
  readonly time: number | null;
}

/** How far channels were purged, as the engine says, and the removal of that from a mirror. */
export class Purges {
  /** Purges that the engine had counted when it was asked last; -1 if it was not. */
  count = -1;
  #upTo: ReadonlyMap<string, number> = new Map();
  readonly #tally: StatementSync;
  readonly #remove: StatementSync;

  constructor(database: DatabaseSync) {
    this.#tally = database.prepare(
      `SELECT count(*) AS kept, ifnull(sum(cost), 0) AS bytes, max(offset) AS last, max(time) AS time
       FROM messages WHERE channel = ? AND offset <= ?`,
    );
    this.#remove = database.prepare("DELETE FROM messages WHERE channel = ? AND offset <= ?");
  }

  /** Whether a message was purged: the engine may still have it, and a batch may bring it late. */
  cover(channel: ChannelName, offset: number): boolean {
    return offset <= (this.#upTo.get(channel) ?? 0);
  }

  /** What there is of a channel, by its number in the mirror. */
  found(id: number, upTo: number): Purgeable {
    return this.#tally.get(id, upTo) as unknown as Purgeable;
  }

  /** Removes what is purged, in an open transaction. */
  take(purged: readonly Dropped[], transaction: Transaction): void {
    this.#upTo = new Map(purged.map(({ channel, offset }) => [channel, offset]));
    for (const { channel, offset, time } of purged) {
      const entry = transaction.entry(channel as ChannelName, true);
      const { kept, bytes } = this.found(entry.id, offset);
      if (kept === 0 && entry.dropped >= offset) continue;
      this.#remove.run(entry.id, offset);
      transaction.count(entry, {
        kept: -kept,
        bytes: -bytes,
        last: Math.max(entry.last, offset),
        time: Math.max(entry.time, time),
        dropped: Math.max(entry.dropped, offset),
      });
    }
  }

  /** Forgets what it knows: the mirror is of another log. */
  forget(): void {
    this.count = -1;
    this.#upTo = new Map();
  }
}

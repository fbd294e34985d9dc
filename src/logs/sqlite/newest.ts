import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import type { ChannelEntry } from "../channel-index.ts";

/** Rows, or channels, that are looked at before others have their turn. */
const STEP = 2000;

/** The newest message of a channel that is not taken yet. */
interface Head {
  readonly id: number;
  readonly offset: number;
}

/** Finds the newest messages of several channels in a SQLite log, without reading them. */
export class SqliteNewest {
  readonly #offset: StatementSync;
  readonly #slice: StatementSync;

  constructor(database: DatabaseSync) {
    this.#offset = database.prepare(
      "SELECT offset FROM messages WHERE channel = ? AND offset < ? ORDER BY offset DESC LIMIT 1",
    );
    this.#slice = database.prepare(
      "SELECT offset, channel FROM messages WHERE offset < ? ORDER BY offset DESC LIMIT ?",
    );
  }

  /** The last offsets of these channels in front of one, the newest first; some may have been dropped meanwhile. */
  async offsets(entries: readonly ChannelEntry[], before: number, count: number): Promise<readonly number[]> {
    const found: number[] = [];
    let from = before;
    let wanted: ReadonlySet<number> | undefined;
    // Only of a channel that goes on behind `before` it is not known where to begin. A row costs less than looking into
    // such a channel, so where they are many, about as many rows are looked at first: most often that is enough.
    for (let later = entries.filter(({ last }) => last >= before).length; later > STEP; later -= STEP) {
      const rows = this.#slice.all(from, STEP) as { offset: number; channel: number }[];
      wanted ??= new Set(entries.map(({ id }) => id));
      for (const { offset, channel } of rows) if (wanted.has(channel)) found.push(offset);
      if (rows.length < STEP || found.length >= count) return found.slice(0, count);
      from = rows.at(-1)?.offset ?? from;
      await turn();
    }
    return [...found, ...this.#merged(await this.#heads(entries, from, count - found.length), count - found.length)];
  }

  /** The newest of each channel, in order; channels beyond `count` have nothing among the newest `count` messages. */
  async #heads(entries: readonly ChannelEntry[], before: number, count: number): Promise<Head[]> {
    let heads: Head[] = [];
    for (const [index, { id, last }] of entries.entries()) {
      if (index % STEP === STEP - 1) {
        heads = newest(heads, count);
        await turn();
      }
      const offset = last < before ? last : this.#before(id, before);
      if (offset !== undefined) heads.push({ id, offset });
    }
    return newest(heads, count);
  }

  *#merged(left: Head[], count: number): Iterable<number> {
    for (let taken = 0; taken < count; taken++) {
      const head = left.pop();
      if (head === undefined) return;
      yield head.offset;
      const offset = this.#before(head.id, head.offset);
      if (offset === undefined) continue;
      const place = left.findLastIndex((other) => other.offset < offset) + 1;
      left.splice(place, 0, { id: head.id, offset });
    }
  }

  #before(channel: number, offset: number): number | undefined {
    return (this.#offset.get(channel, offset) as { offset: number } | undefined)?.offset;
  }
}

function newest(heads: readonly Head[], count: number): Head[] {
  return heads.toSorted((a, b) => a.offset - b.offset).slice(-count);
}

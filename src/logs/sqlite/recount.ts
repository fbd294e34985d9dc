import type { DatabaseSync } from "node:sqlite";

/** What the rows of `messages` say of a channel. */
interface Found {
  readonly id: number;
  readonly rows: number;
  readonly oldest: number;
  readonly newest: number;
}

/**
 * Makes the counters of channels agree with the rows, which someone may have changed by hand while no hub was running,
 * in the open transaction. Messages whose channel is gone are dropped. Returns how many channels were wrong.
 */
export function recount(database: DatabaseSync): number {
  // The index of channels answers this without reading a message.
  const found = database
    .prepare(
      "SELECT channel AS id, count(*) AS rows, min(offset) AS oldest, max(offset) AS newest FROM messages GROUP BY channel",
    )
    .all() as unknown as Found[];
  const byId = new Map(found.map((channel) => [channel.id, channel]));
  const channels = database.prepare("SELECT id, kept, last FROM channels").all() as unknown as Counted[];
  const wrong = channels.filter(({ id, kept, last }) => {
    const is = byId.get(id);
    return kept !== (is?.rows ?? 0) || last < (is?.newest ?? 0);
  });
  for (const channel of wrong) mend(database, channel, byId.get(channel.id));
  const known = new Set(channels.map(({ id }) => id));
  const lost = found.filter(({ id }) => !known.has(id));
  for (const { id, newest } of lost) {
    database.prepare("DELETE FROM messages WHERE channel = ?").run(id);
    // Any channel may have been the one that lost them.
    database
      .prepare(
        `INSERT INTO hub (name, value) VALUES ('floor', ?)
         ON CONFLICT (name) DO UPDATE SET value = max(value + 0, excluded.value + 0)`,
      )
      .run(String(newest));
  }
  return wrong.length + lost.length;
}

interface Counted {
  readonly id: number;
  readonly kept: number;
  readonly last: number;
}

function mend(database: DatabaseSync, { id, kept, last }: Counted, found: Found | undefined): void {
  const newest = Math.max(last, found?.newest ?? 0);
  // Rows that are gone are taken for the oldest, as if retention had dropped them.
  const dropped = (found?.rows ?? 0) < kept ? (found?.oldest ?? newest + 1) - 1 : 0;
  database
    .prepare(
      `UPDATE channels SET kept = ?, last = ?, dropped = max(dropped, ?),
         bytes = (SELECT ifnull(sum(cost), 0) FROM messages WHERE channel = channels.id) WHERE id = ?`,
    )
    .run(found?.rows ?? 0, newest, dropped, id);
}

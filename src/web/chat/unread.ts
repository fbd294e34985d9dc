// What was not read yet, by channel.

/** Ids are remembered up to here; more are "99+". */
const MOST = 100;

/** Counts messages by their ids, so that one that comes twice, live and in a page, counts once. */
export class Unread {
  readonly #ids = new Map<string, Set<string>>();

  add(channel: string, id: string): void {
    const ids = this.#ids.get(channel) ?? new Set();
    this.#ids.set(channel, ids);
    if (ids.size < MOST) ids.add(id);
  }

  clear(channel: string): void {
    this.#ids.delete(channel);
  }

  count(channel: string): number {
    return this.#ids.get(channel)?.size ?? 0;
  }

  get total(): number {
    return [...this.#ids.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

/** A count as it is shown; beyond 99 nobody counts. */
export function countText(count: number): string {
  return count >= MOST ? "99+" : String(count);
}

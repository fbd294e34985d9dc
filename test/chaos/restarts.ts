import { parseCursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "./record.ts";

/** How far apart the offsets of two logs are put: further than one log gets. */
const APART = 2 ** 40;

/**
 * If all data is deleted while no node is there to know of it, the log starts over, with offset 0 and an epoch of its own.
 * Returns the record with the offsets of such a log moved after those of the earlier one, so that places can be compared.
 */
export function inOneOrder(entries: readonly Entry[]): readonly Entry[] {
  const bases = basesOf(entries);
  if (bases.size === 0) return entries;
  const moved = (id: string): string => {
    const cursor = parseCursor(id);
    const base = cursor === undefined ? undefined : bases.get(cursor.epoch);
    return cursor === undefined || base === undefined ? id : `${cursor.epoch}-${cursor.offset + base}`;
  };
  return entries.map((entry): Entry => {
    switch (entry.kind) {
      case "acknowledged":
      case "message":
      case "place":
        return { ...entry, id: moved(entry.id) };
      case "gap":
        return { ...entry, after: moved(entry.after), resumed: moved(entry.resumed) };
      case "open":
        return { ...entry, after: entry.after === null ? null : moved(entry.after) };
      default:
        return entry;
    }
  });
}

/** What is added to the offsets of each epoch that came after a log started over. */
function basesOf(entries: readonly Entry[]): ReadonlyMap<string, number> {
  const bases = new Map<string, number>();
  const seen = new Set<string>();
  let [isDeleted, base, furthest] = [false, 0, -1];
  for (const entry of entries) {
    if (entry.kind === "fault" && entry.fault === "flush" && entry.what === "done") isDeleted = true;
    if (entry.kind !== "acknowledged" && entry.kind !== "message") continue;
    const cursor = parseCursor(entry.id);
    if (cursor === undefined) continue;
    const { epoch, offset } = cursor;
    if (!seen.has(epoch)) {
      seen.add(epoch);
      if (isDeleted && offset <= furthest) [base, furthest] = [base + APART, -1];
      if (base > 0) bases.set(epoch, base);
    }
    furthest = Math.max(furthest, offset);
  }
  return bases;
}

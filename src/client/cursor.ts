/** In place of a cursor: all that is kept. */
const EARLIEST = "earliest";

/**
 * Compares two cursors as `sort` does: negative where `a` comes first; NaN where they are of different logs. Other
 * clients should take cursors as they are; this one is released with the server whose cursors they are.
 */
export function compareCursors(a: string, b: string): number {
  if (a === b) return 0;
  if (a === EARLIEST) return -1;
  if (b === EARLIEST) return 1;
  const [epochOfA, offsetOfA] = placeOf(a);
  const [epochOfB, offsetOfB] = placeOf(b);
  return epochOfA === epochOfB ? offsetOfA - offsetOfB : NaN;
}

/** The first of some cursors; of those of different logs, the one that was given first. */
export function firstOf(cursors: readonly (string | undefined)[]): string | undefined {
  let first: string | undefined;
  for (const cursor of cursors) {
    if (cursor !== undefined && (first === undefined || compareCursors(cursor, first) < 0)) first = cursor;
  }
  return first;
}

function placeOf(cursor: string): [epoch: string, offset: number] {
  const dash = cursor.lastIndexOf("-");
  return [cursor.slice(0, dash), Number(cursor.slice(dash + 1))];
}

/** In place of a cursor: all that is kept. */
const EARLIEST = "earliest";

/**
 * Compares two cursors as `sort` does: negative if `a` comes first; NaN if they are of different logs, or of different
 * runs of one. Other clients should take cursors as they are; this one is released with the server.
 */
export function compareCursors(a: string, b: string): number {
  if (a === b) return 0;
  if (a === EARLIEST) return -1;
  if (b === EARLIEST) return 1;
  const [epochOfA, offsetOfA] = placeOf(a);
  const [epochOfB, offsetOfB] = placeOf(b);
  return epochOfA === epochOfB ? offsetOfA - offsetOfB : NaN;
}

/**
 * Whether a place on a feed shows that another is lost: of two runs of one log the later has the higher offsets, so a
 * feed never leads from the run of a place to a lower offset of another.
 */
export function isLost(place: string, by: string): boolean {
  if (place === EARLIEST || by === EARLIEST) return false;
  const [epochOfPlace, offset] = placeOf(place);
  const [epochOfOther, other] = placeOf(by);
  return epochOfPlace !== epochOfOther && other <= offset;
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

/** A place in a log: just after `offset`. */
export interface Cursor {
  /**
   * Names the run of offsets in which this one was given out. A log in a file begins a new run each time it is opened, a
   * log on Redis when its engine was replaced or may have lost messages.
   */
  readonly epoch: string;
  readonly offset: number;
}

/** In place of a cursor: all that is kept. */
export const EARLIEST = "earliest";

/** The offset before the first; nothing is missing after it, whatever has been dropped. */
export const BEGINNING = -1;

const CURSOR = /^([a-z0-9]{1,16})-(\d{1,16})$/;

/** The text of a cursor, `epoch-offset`: the id of a message, and what a reader resumes with. */
export function cursorText(epoch: string, offset: number): string {
  return `${epoch}-${offset}`;
}

/** The text of the cursor of a place in a log. */
export function cursorAt(log: { epochAt(offset: number): string }, offset: number): string {
  return cursorText(log.epochAt(offset), offset);
}

/** Reads a cursor; undefined if the text is not one. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset) ? { epoch: match[1] as string, offset } : undefined;
}

/** What orders cursors of one log, given as text: `earliest` comes first, and what is not a cursor last. */
export function offsetOf(text: string): number {
  return text === EARLIEST ? BEGINNING : (parseCursor(text)?.offset ?? Infinity);
}

/** The earliest of some cursors; of two with the same offset, the one given first. */
export function earliestOf(cursors: readonly (string | undefined)[]): string | undefined {
  let earliest: string | undefined;
  for (const cursor of cursors) {
    if (earliest === undefined || (cursor !== undefined && offsetOf(cursor) < offsetOf(earliest))) earliest = cursor;
  }
  return earliest;
}

/** Where reading starts: the offset that a cursor or `earliest` names; undefined if it names nothing in this log. */
export function startOf(after: string, log: { knows(cursor: Cursor): boolean }): number | undefined {
  if (after === EARLIEST) return BEGINNING;
  const cursor = parseCursor(after);
  return cursor !== undefined && log.knows(cursor) ? cursor.offset : undefined;
}

/** Has a log find out about the epoch of a cursor, if it has to; undefined if there is nothing to find out. */
export function learn(
  after: string | undefined,
  log: { learn?(cursor: Cursor): Promise<void> | undefined },
): Promise<void> | undefined {
  const cursor = log.learn === undefined || after === undefined ? undefined : parseCursor(after);
  return cursor === undefined ? undefined : log.learn?.(cursor);
}

import { parseCursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "./record.ts";

/** How far apart the offsets of two logs are put: further than one log gets. */
const APART = 2 ** 40;

/** What is added to the offsets of each epoch. */
type Moves = ReadonlyMap<string, number>;

/** An epoch as clients saw it. */
interface Run {
  readonly epoch: string;
  /** Its first offset of all, and those of its first and last message. */
  begin: number;
  first: number;
  last: number;
  /** The index of the entry that first named it, and of the last one that named a message for the first time. */
  readonly from: number;
  to: number;
}

/** Returns the record with offsets moved so that places can be compared, in whatever epoch they are. */
export function inOneOrder(entries: readonly Entry[]): readonly Entry[] {
  const inTurn = moved(entries, restarts(entries));
  return moved(inTurn, branches(inTurn));
}

function moved(entries: readonly Entry[], moves: Moves): readonly Entry[] {
  if (moves.size === 0) return entries;
  const place = (id: string): string => {
    const cursor = parseCursor(id);
    const move = cursor && moves.get(cursor.epoch);
    return cursor === undefined || move === undefined ? id : `${cursor.epoch}-${cursor.offset + move}`;
  };
  return entries.map((entry): Entry => {
    switch (entry.kind) {
      case "acknowledged":
      case "message":
      case "place":
        return { ...entry, id: place(entry.id) };
      case "gap":
        return { ...entry, after: place(entry.after), resumed: place(entry.resumed) };
      case "open":
        return { ...entry, after: entry.after === null ? null : place(entry.after) };
      default:
        return entry;
    }
  });
}

/**
 * If all data is deleted while no node is there to know of it, the log starts over, with offset 0 and an epoch of its
 * own: its offsets come after those of the earlier one.
 */
function restarts(entries: readonly Entry[]): Moves {
  const moves = new Map<string, number>();
  const seen = new Set<string>();
  let [isDeleted, move, furthest] = [false, 0, -1];
  for (const entry of entries) {
    if (entry.kind === "fault" && entry.fault === "flush" && entry.what === "done") isDeleted = true;
    if (entry.kind !== "acknowledged" && entry.kind !== "message") continue;
    const cursor = parseCursor(entry.id);
    if (cursor === undefined) continue;
    const { epoch, offset } = cursor;
    if (!seen.has(epoch)) {
      seen.add(epoch);
      if (isDeleted && offset <= furthest) [move, furthest] = [move + APART, -1];
      if (move > 0) moves.set(epoch, move);
    }
    furthest = Math.max(furthest, offset);
  }
  return moves;
}

/**
 * If an old primary goes on beside the new one, both number messages from the same place on. What only the one took whose
 * data is replaced in the end is lost then: its offsets come last before those of the next run, so that readers must be
 * told a gap after it was acknowledged, which ends there.
 */
function branches(entries: readonly Entry[]): Moves {
  const moves = new Map<string, number>();
  const kept = keptEpochs(entries);
  const runs = runsOf(entries);
  const gone = runs.filter((run) => !kept.has(run.epoch) && runs.some((other) => isBeside(run, other, kept)));
  const stayed = runs.filter((run) => !gone.includes(run));
  let furthest = Math.max(...stayed.map(({ last }) => last));
  for (const { epoch, first, last, to } of gone) {
    const next = stayed.find(({ from }) => from > to);
    if (next === undefined) {
      moves.set(epoch, furthest + 1 - first);
      furthest += 1 + last - first;
      continue;
    }
    const move = next.begin - 1 - last;
    const before = Math.max(0, ...stayed.filter(({ begin }) => begin < next.begin).map((run) => run.last));
    // Without a hole, offsets have been given out twice.
    if (first + move > before) moves.set(epoch, move);
  }
  return moves;
}

/** Whether a run, of which nothing is kept, has offsets of another one that is kept, or that went on for longer. */
function isBeside(run: Run, other: Run, kept: ReadonlySet<string>): boolean {
  const isOverlapping = run !== other && run.first <= other.last && other.first <= run.last;
  return isOverlapping && (kept.has(other.epoch) || run.to < other.to);
}

/** The epochs of the messages that the log has in the end. */
function keptEpochs(entries: readonly Entry[]): ReadonlySet<string> {
  const readers = new Set<string>();
  const kept = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === "open" && entry.channels.includes("*")) readers.add(entry.reader);
    const cursor = entry.kind === "message" && readers.has(entry.reader) ? parseCursor(entry.id) : undefined;
    if (cursor !== undefined) kept.add(cursor.epoch);
  }
  return kept;
}

/** All runs that have messages, in the order in which they were first named. */
function runsOf(entries: readonly Entry[]): readonly Run[] {
  const runs = new Map<string, Run>();
  const seen = new Set<string>();
  entries.forEach((entry, index) => {
    if (entry.kind !== "acknowledged" && entry.kind !== "message" && entry.kind !== "place" && entry.kind !== "gap")
      return;
    const id = entry.kind === "gap" ? entry.resumed : entry.id;
    const cursor = parseCursor(id);
    if (cursor === undefined) return;
    const { epoch, offset } = cursor;
    let run = runs.get(epoch);
    if (run === undefined) {
      runs.set(epoch, (run = { epoch, begin: offset, first: Infinity, last: -1, from: index, to: index }));
    }
    run.begin = Math.min(run.begin, offset);
    if ((entry.kind !== "acknowledged" && entry.kind !== "message") || seen.has(id)) return;
    seen.add(id);
    run.first = Math.min(run.first, offset);
    run.last = Math.max(run.last, offset);
    run.to = index;
  });
  return [...runs.values()].filter(({ last }) => last >= 0);
}

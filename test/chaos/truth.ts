import { covers, type ChannelName, type ChannelPattern } from "../../src/protocol/channel.ts";
import { BEGINNING, EARLIEST, parseCursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "./record.ts";

/** Something that must not happen. */
export interface Violation {
  readonly kind:
    /** An acknowledged message was passed over, and no gap told of it. */
    | "lost"
    /** The same with a message that was not acknowledged, but that another reader got. */
    | "withheld"
    | "doubled"
    | "reordered"
    | "invented"
    /** An id names two messages. */
    | "renamed"
    | "refused but kept"
    | "not asked for"
    | "crash"
    | "not healed";
  /** Milliseconds since the record began. */
  readonly time: number;
  readonly text: string;
}

/** A message that the log holds or held. */
export interface Known {
  readonly n: number;
  readonly offset: number;
  readonly channel: string;
  readonly isAcknowledged: boolean;
}

/** What the log held, as far as anyone was told of it. */
export class Truth {
  /** Of each message that was sent. */
  readonly channels: Map<number, string> = new Map();
  /** By number: each message that was acknowledged or read. */
  readonly known: Map<number, Known> = new Map();
  /** The same, by offset. */
  readonly inOrder: readonly Known[];
  readonly #violations: Violation[];
  /** Offsets at which readers were told that what came last before them may be lost. */
  readonly #losses: number[] = [];
  /** What the log has in the end, with offsets; undefined if no one asked for all of it. */
  readonly #kept: ReadonlyMap<number, number> | undefined;

  constructor(entries: readonly Entry[], violations: Violation[]) {
    this.#violations = violations;
    const acknowledged = new Set<number>();
    let last = BEGINNING;
    for (const entry of entries) {
      if (entry.kind === "attempt") this.channels.set(entry.n, entry.channel);
      else if (entry.kind === "acknowledged") {
        acknowledged.add(entry.n);
        last = Math.max(last, placeOf(entry.id) ?? last);
      } else if (entry.kind === "gap" && entry.reason !== "expired") {
        this.#losses.push(placeOf(entry.resumed) ?? BEGINNING);
      } else if (entry.kind === "fault" && entry.fault === "flush" && entry.what === "done") {
        this.#losses.push(last);
      }
    }
    this.#kept = keptIn(entries);
    this.#name(entries, acknowledged);
    this.inOrder = [...this.known.values()].sort((one, other) => one.offset - other.offset);
    this.#checkTime(entries);
    this.#checkRefusals(entries);
  }

  /** Whether readers were told of a loss between one offset, which may be lost, and a later one, which is not. */
  isLossBetween(offset: number, later: number): boolean {
    return this.#losses.some((loss) => offset <= loss && loss < later);
  }

  /** Whether the log does not have a message in the end. */
  isGone(n: number): boolean {
    return this.#kept?.has(n) === false;
  }

  /** The messages on channels, after one offset and before another. */
  between(after: number, before: number, channels: readonly string[]): readonly Known[] {
    const found: Known[] = [];
    for (let index = this.#firstAfter(after); index < this.inOrder.length; index++) {
      const message = this.inOrder[index] as Known;
      if (message.offset >= before) break;
      if (isWanted(message.channel, channels)) found.push(message);
    }
    return found;
  }

  /** Every id names one message, and every message has one id, unless its first one was lost. */
  #name(entries: readonly Entry[], acknowledged: ReadonlySet<number>): void {
    const named = new Map<string, number>();
    const ids = new Map<number, string>();
    for (const entry of entries) {
      if (entry.kind !== "acknowledged" && entry.kind !== "message") continue;
      const { n, id, time } = entry;
      const offset = placeOf(id) ?? Number.NaN;
      const channel = this.channels.get(n);
      if (channel === undefined || Number.isNaN(offset)) {
        this.#report("invented", time, `message ${n} with the id ${id} was never sent`);
        continue;
      }
      const other = named.get(id) ?? n;
      named.set(id, other);
      const first = ids.get(n);
      if (first === id) continue;
      if (other !== n) {
        this.#report("renamed", time, `${id} names message ${other} and message ${n}`);
        continue;
      }
      const before = this.known.get(n)?.offset ?? offset;
      if (before !== offset && !this.isLossBetween(Math.min(before, offset), Math.max(before, offset))) {
        this.#report("doubled", time, `message ${n} is in the log as ${first} and as ${id}`);
      }
      // One that was lost and sent again is where it is kept, or was kept last.
      if (offset < before || (this.#kept?.get(n) ?? offset) !== offset) continue;
      ids.set(n, id);
      this.known.set(n, { n, offset, channel, isAcknowledged: acknowledged.has(n) });
    }
  }

  /** A message that was sent after another one was acknowledged must come after it in the log, if it has both. */
  #checkTime(entries: readonly Entry[]): void {
    let last: Known | undefined;
    const earlier = new Map<number, Known | undefined>();
    for (const entry of entries) {
      if (entry.kind === "attempt" && !earlier.has(entry.n)) earlier.set(entry.n, last);
      if (entry.kind !== "acknowledged") continue;
      const known = this.known.get(entry.n);
      if (known === undefined || this.isGone(entry.n)) continue;
      const before = earlier.get(entry.n);
      if (before !== undefined && before.offset >= known.offset) {
        const text = `message ${known.n} was sent after message ${before.n} was acknowledged, and is before it in the log`;
        this.#report("reordered", entry.time, text);
      }
      if (last === undefined || known.offset > last.offset) last = known;
    }
  }

  /** A message that was refused each time it was sent, and never unsurely, is not there. */
  #checkRefusals(entries: readonly Entry[]): void {
    const refused = new Map<number, Entry & { readonly kind: "refused" }>();
    const unsure = new Map<number, number>();
    for (const entry of entries) {
      if (entry.kind === "attempt") unsure.set(entry.n, (unsure.get(entry.n) ?? 0) + 1);
      if (entry.kind !== "refused" || entry.isUnsure) continue;
      refused.set(entry.n, entry);
      unsure.set(entry.n, (unsure.get(entry.n) ?? 0) - 1);
    }
    for (const [n, { time, status, why }] of refused) {
      if (unsure.get(n) !== 0 || !this.known.has(n)) continue;
      this.#report("refused but kept", time, `message ${n} was refused with ${status} (${why}), and is there`);
    }
  }

  #firstAfter(offset: number): number {
    let low = 0;
    let high = this.inOrder.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.inOrder[middle] as Known).offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #report(kind: Violation["kind"], time: number, text: string): void {
    this.#violations.push({ kind, time, text });
  }
}

/** The offset of a cursor; undefined if it is not one. */
export function placeOf(id: string): number | undefined {
  return id === EARLIEST ? BEGINNING : parseCursor(id)?.offset;
}

/** Whether a reader of these channels and patterns reads a channel. */
export function isWanted(channel: string, channels: readonly string[]): boolean {
  return channels.some((pattern) => covers(pattern as ChannelPattern, channel as ChannelName));
}

/** The messages that readers got who asked for all that a node has. */
function keptIn(entries: readonly Entry[]): ReadonlyMap<number, number> | undefined {
  const readers = new Set<string>();
  const kept = new Map<number, number>();
  for (const entry of entries) {
    if (entry.kind === "open" && entry.channels.includes("*")) readers.add(entry.reader);
    else if (entry.kind === "message" && readers.has(entry.reader)) kept.set(entry.n, placeOf(entry.id) ?? BEGINNING);
  }
  return readers.size === 0 ? undefined : kept;
}

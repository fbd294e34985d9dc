import { NameIndex } from "../core/name-index.ts";
import type { Peers } from "../core/peers.ts";
import { channelsIn } from "../core/subscription-index.ts";
import { patternsOver, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import type { NodeStatus } from "../protocol/server-info.ts";
import type { NodeText, PatternCount } from "./node-text.ts";

/** Another node, as it told of itself last. */
interface Other {
  /** In milliseconds of `performance.now()`. */
  heard: number;
  status: NodeStatus | undefined;
  counts: Map<ChannelPattern, number>;
  /** Those before a copy that is coming, as far as it has not told them anew. */
  before: Map<ChannelPattern, number> | undefined;
  /** The number of the last change in `counts`; undefined if some are missing. */
  changes: number | undefined;
  /** Parts that have come of a copy that is not complete yet. */
  parts: number | undefined;
  /** When it was asked for a copy, or the last part came. */
  asked: number;
}

/** Milliseconds until a node that was asked for a copy is asked again. */
const ASK_AGAIN = 2000;
/** Counts that are removed at once: a node with many patterns must not stop the others when it leaves. */
const REMOVED_AT_ONCE = 5000;

/** Other nodes that are listed, and patterns of all of them that are counted. */
export interface NodeTableLimits {
  readonly nodes: number;
  readonly patterns: number;
}

/** What the other nodes told: their statuses, and how many readers ask for each pattern. */
export class NodeTable implements Peers {
  readonly #limits: NodeTableLimits;
  readonly #others = new Map<string, Other>();
  /** The counts of all of them together, so that a channel costs one look for each pattern over it. */
  readonly #totals = new NameIndex<number>();
  /** Counts that do not hold any more, and are in the totals yet. */
  readonly #leaving: Map<ChannelPattern, number>[] = [];
  /** Entries in the counts of all. */
  #entries = 0;
  /** Whether something was left out because there is too much. */
  isCut = false;

  constructor(limits: NodeTableLimits) {
    this.#limits = limits;
  }

  readers(channel: ChannelName): number {
    if (this.#entries === 0) return 0;
    let readers = 0;
    for (const pattern of patternsOver(channel)) readers += this.#totals.get(pattern) ?? 0;
    return readers;
  }

  *channels(pattern: ChannelPattern, after?: string): Iterable<ChannelName> {
    for (const [channel] of channelsIn(this.#totals, pattern, after)) yield channel;
  }

  /** The statuses of the other nodes, the longest running first. */
  statuses(): NodeStatus[] {
    const known = [...this.#others.values()].flatMap(({ status }) => status ?? []);
    return known.sort((a, b) => (a.started < b.started ? -1 : a.started > b.started ? 1 : a.id < b.id ? -1 : 1));
  }

  /** Takes what a node told at a time; whether it should be asked for a copy, since what is known of it is incomplete. */
  take(text: NodeText, now: number): boolean {
    const { node, changes, isChange, counts, status } = text;
    let other = this.#others.get(node);
    if (other === undefined) {
      if (this.#others.size >= this.#limits.nodes) {
        this.isCut = true;
        return false;
      }
      // A node that has told of no change has no readers.
      const first = changes === 0 ? 0 : undefined;
      other = {
        heard: now,
        status,
        counts: new Map(),
        before: undefined,
        changes: first,
        parts: undefined,
        asked: -Infinity,
      };
      this.#others.set(node, other);
    }
    other.heard = now;
    if (status !== undefined) other.status = status;
    if (text.part !== undefined) this.#takePart(other, text, text.part, now);
    else {
      const expected = isChange && other.changes !== undefined ? other.changes + 1 : other.changes;
      other.changes = changes === expected ? changes : undefined;
      // Counts are whole numbers of readers, not differences: they are right even if some before them are missing.
      this.#set(other, counts);
    }
    if ((other.changes !== undefined && other.parts === undefined) || now - other.asked < ASK_AGAIN) return false;
    other.asked = now;
    return true;
  }

  /** Forgets a node that stops. */
  remove(node: string): void {
    const other = this.#others.get(node);
    if (other === undefined) return;
    this.#others.delete(node);
    this.#leaving.push(other.counts, ...(other.before === undefined ? [] : [other.before]));
    this.sweep();
  }

  /** Forgets those not heard of since then. */
  removeSilent(since: number): void {
    for (const [node, { heard }] of this.#others) if (heard < since) this.remove(node);
  }

  /** Removes some of what does not hold any more; called now and then. */
  sweep(): void {
    let left = REMOVED_AT_ONCE;
    for (let counts = this.#leaving[0]; counts !== undefined; counts = this.#leaving[0]) {
      for (const [pattern, count] of counts) {
        if (left-- === 0) return;
        counts.delete(pattern);
        this.#entries--;
        this.#add(pattern, -count);
      }
      this.#leaving.shift();
    }
  }

  /** A copy is good if its parts come one after the other; changes told between them are newer, and count. */
  #takePart(other: Other, { changes, counts, isLast }: NodeText, part: number, now: number): void {
    if (part === 0) {
      if (other.before !== undefined) this.#leaving.push(other.before);
      other.before = other.counts;
      other.counts = new Map();
      other.changes = changes;
      other.parts = 0;
    }
    if (other.parts !== part || other.changes !== changes) {
      other.changes = undefined;
      return;
    }
    this.#set(other, counts);
    other.parts = isLast ? undefined : part + 1;
    other.asked = now;
    if (!isLast || other.before === undefined) return;
    this.#leaving.push(other.before);
    other.before = undefined;
    this.sweep();
  }

  #set({ counts: own, before: old }: Other, counts: readonly PatternCount[]): void {
    for (const [pattern, count] of counts) {
      const before = own.get(pattern) ?? old?.get(pattern) ?? 0;
      if (before === 0 && count > 0 && this.#entries >= this.#limits.patterns) {
        this.isCut = true;
        continue;
      }
      old?.delete(pattern);
      this.#entries += Number(before === 0) - Number(count === 0);
      if (count === 0) own.delete(pattern);
      else own.set(pattern, count);
      if (before !== count) this.#add(pattern, count - before);
    }
  }

  #add(pattern: ChannelPattern, readers: number): void {
    const total = (this.#totals.get(pattern) ?? 0) + readers;
    if (total === 0) this.#totals.delete(pattern);
    else this.#totals.set(pattern, total);
  }
}

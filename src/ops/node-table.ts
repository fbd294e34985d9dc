import { NameIndex } from "../core/name-index.ts";
import type { RemoteReaders } from "../core/remote-readers.ts";
import { channelsIn } from "../core/subscription-index.ts";
import { patternsOver, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import type { NodeStatus } from "../protocol/server-info.ts";
import type { CopyReport, LeavingReport, NodeReport, ParticipantsReport, PatternCount } from "./node-report.ts";

/** Another node, as it last reported. */
interface Other {
  /** When its last report came, in milliseconds of `performance.now()`. */
  heard: number;
  status: NodeStatus | undefined;
  counts: Map<ChannelPattern, number>;
  /** The counts before a copy that is still arriving, without those that the copy has replaced. */
  before: Map<ChannelPattern, number> | undefined;
  /** The number of the last change in `counts`; undefined if a change was missed. */
  changes: number | undefined;
  /** How many parts of an incomplete copy have come. */
  parts: number | undefined;
  /** When it was asked for a copy, or the last part came. */
  asked: number;
}

/** Milliseconds until a node that was asked for a copy is asked again. */
const ASK_AGAIN = 2000;
/** Counts that are removed at once: a node with many patterns must not stall the others when it leaves. */
const REMOVED_AT_ONCE = 5000;

/** How many other nodes are listed, and how many of their patterns are counted. */
export interface NodeTableLimits {
  readonly nodes: number;
  readonly patterns: number;
}

/** What the other nodes reported: their statuses, and how many readers ask for each pattern. */
export class NodeTable implements RemoteReaders {
  readonly #limits: NodeTableLimits;
  readonly #others = new Map<string, Other>();
  /** The sums over all nodes, so that a channel costs one look-up for each pattern that covers it. */
  readonly #totals = new NameIndex<number>();
  /** Counts that are out of date but still part of the totals. */
  readonly #leaving: Map<ChannelPattern, number>[] = [];
  /** Entries in the counts of all nodes. */
  #entries = 0;
  /** Whether a limit was reached, so that something is not counted. */
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

  /** Records a report that came at `now`; returns whether to ask the node for a copy, since a change was missed. */
  take(report: Exclude<NodeReport, LeavingReport | ParticipantsReport>, now: number): boolean {
    const other = this.#find(report, now);
    if (other === undefined) return false;
    other.heard = now;
    if (report.kind === "copy") this.#takePart(other, report, now);
    else if (report.kind === "change") {
      other.changes = other.changes !== undefined && report.changes === other.changes + 1 ? report.changes : undefined;
      // Counts are numbers of readers, not differences: they are right even if a change before them was missed.
      this.#set(other, report.counts);
    } else {
      other.status = report.status;
      if (report.changes !== other.changes) other.changes = undefined;
    }
    if ((other.changes !== undefined && other.parts === undefined) || now - other.asked < ASK_AGAIN) return false;
    other.asked = now;
    return true;
  }

  /** Whether it is listed. */
  has(node: string): boolean {
    return this.#others.has(node);
  }

  /** Forgets a node that stops. */
  remove(node: string): void {
    const other = this.#others.get(node);
    if (other === undefined) return;
    this.#others.delete(node);
    this.#leaving.push(other.counts, ...(other.before === undefined ? [] : [other.before]));
    this.sweep();
  }

  /** Forgets nodes that have not reported since then. */
  removeSilent(since: number): void {
    for (const [node, { heard }] of this.#others) if (heard < since) this.remove(node);
  }

  /** Removes some of the counts that are out of date; called at short intervals. */
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

  /** The node that sent a report, which is new if it is unknown; undefined if there are too many. */
  #find({ node, changes }: NodeReport, now: number): Other | undefined {
    const found = this.#others.get(node);
    if (found !== undefined) return found;
    if (this.#others.size >= this.#limits.nodes) {
      this.isCut = true;
      return undefined;
    }
    const other: Other = {
      heard: now,
      status: undefined,
      counts: new Map(),
      before: undefined,
      // A node that has reported no change has no readers.
      changes: changes === 0 ? 0 : undefined,
      parts: undefined,
      asked: -Infinity,
    };
    this.#others.set(node, other);
    return other;
  }

  /** A copy is valid if its parts arrive in order. Changes that arrive between them are newer and are kept. */
  #takePart(other: Other, { changes, part, counts, isLast }: CopyReport, now: number): void {
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

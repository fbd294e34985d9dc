import { chunks } from "../core/chunks.ts";
import type { Participants } from "../core/participants.ts";
import type { RemoteReaders } from "../core/remote-readers.ts";
import type { SharedStore } from "../core/shared-store.ts";
import type { SubscriptionIndex } from "../core/subscription-index.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import type { NodeStatus } from "../protocol/server-info.ts";
import { reported } from "./attendance-report.ts";
import { NodeTable } from "./node-table.ts";
import { MAX_COUNTS, parseNodeReport, type NodeReport, type PatternCount } from "./node-report.ts";

/** A report without what `#send` adds. */
type Unsent<T extends NodeReport> = T extends NodeReport ? Omit<T, "node" | "changes"> : never;

const TOPIC = "nodes";
/** Milliseconds over which changes are collected. */
const COLLECT = 250;
/** Changes are sent this many times as often as the status. */
const STATUS_EVERY = 8;
/** So often is it looked at whether the list of participants has changed. */
const PARTICIPANTS_EVERY = 4;
/** Looks after which the list is sent all the same, for those who missed it. */
const REPEATED_EVERY = 10;
/** Milliseconds without a report after which a node is forgotten. */
const FORGET = 15_000;
/** Milliseconds without a report of its own after which a node concludes that it receives nothing. */
const DEAF = 3 * STATUS_EVERY * COLLECT;
const MAX_NODES = 1000;
const MAX_PATTERNS = 1_000_000;

/** What a node reports to the others. */
export interface OwnNode {
  /** The live readers of this node. */
  readonly index: SubscriptionIndex;
  readonly status: () => NodeStatus;
  readonly participants: Participants;
}

/**
 * Reports to the other nodes who reads here, and collects their reports. Each node sends changes four times a second
 * and its status every two seconds. A node that missed a change asks for a copy, which is sent to that node alone. With
 * one node nothing is sent.
 */
export class Nodes {
  readonly #shared: SharedStore;
  readonly #report: (sentence: string) => void;
  readonly #table = new NodeTable({ nodes: MAX_NODES, patterns: MAX_PATTERNS });
  readonly #reported = new Set<string>();
  readonly #closing: (() => void)[] = [];
  /** Nodes that a copy is being sent to. */
  readonly #copying = new Set<string>();
  #own: OwnNode | undefined;
  #changes = 0;
  #ticks = 0;
  /** The list of participants that was sent last, as JSON, and the looks since then. */
  readonly #told = { participants: "", looks: 0 };
  /** When this node last received a report of its own, and since when it has received them all the time. */
  readonly #hearing = { last: -Infinity, since: 0 };

  /** `report` is called with a sentence for the operator of the server. */
  constructor(shared: SharedStore, report: (sentence: string) => void = () => {}) {
    this.#shared = shared;
    this.#report = report;
    if (!shared.isShared) return;
    this.#closing.push(shared.subscribe(TOPIC, (text) => this.#receive(text)));
  }

  /** The name of this node. */
  get node(): string {
    return this.#shared.node;
  }

  /** The readers at other nodes; undefined if there can be none. */
  get remoteReaders(): RemoteReaders | undefined {
    return this.#shared.isShared ? this.#table : undefined;
  }

  /** The statuses of the other nodes. */
  others(): NodeStatus[] {
    return this.#table.statuses();
  }

  /** Begins to report to the others. */
  start(own: OwnNode): void {
    if (!this.#shared.isShared) return;
    this.#own = own;
    own.index.changed = new Set(own.index.patterns());
    void this.#sendStatus(own, true);
    const timer = setInterval(() => this.#tick(own), COLLECT).unref();
    this.#closing.push(() => clearInterval(timer));
  }

  /** Sends the status at once, since it has changed. */
  sendStatus(): void {
    if (this.#own !== undefined) void this.#sendStatus(this.#own);
  }

  /** Reports that this node stops. */
  async close(): Promise<void> {
    for (const end of this.#closing.splice(0)) end();
    if (this.#own === undefined) return;
    this.#own.index.changed = undefined;
    this.#own = undefined;
    await this.#send({ kind: "leaving" });
  }

  #tick(own: OwnNode): void {
    const { index } = own;
    if (index.changed !== undefined && index.changed.size > 0) {
      const changed = [...index.changed];
      index.changed.clear();
      for (const patterns of chunks(changed, MAX_COUNTS)) {
        this.#changes++;
        void this.#send({ kind: "change", counts: counted(index, patterns) });
      }
    }
    this.#table.sweep();
    if (++this.#ticks % PARTICIPANTS_EVERY === 0) this.#sendParticipants(own);
    if (this.#ticks % STATUS_EVERY !== 0) return;
    this.#forget(performance.now());
    own.participants.forgetNodes((node) => this.#table.has(node));
    void this.#sendStatus(own);
  }

  #receive(text: string): void {
    const report = parseNodeReport(text);
    if (report === undefined) return this.#reportOnce("a report of another node is not valid and is ignored");
    const { node } = report;
    const now = performance.now();
    if (node === this.node) {
      if (now - this.#hearing.last > DEAF) this.#hearing.since = now;
      this.#hearing.last = now;
      return;
    }
    if (report.kind === "leaving") {
      this.#table.remove(node);
      return this.#own?.participants.forgetNodes((known) => known !== node);
    }
    if (report.kind === "participants") {
      // A node that is not listed has left, or there are too many.
      if (this.#table.has(node)) this.#own?.participants.hear(node, report.participants, report.more);
      return;
    }
    const isIncomplete = this.#table.take(report, now);
    // A node that has not started asks all others when it does.
    if (isIncomplete && this.#own !== undefined) void this.#sendStatus(this.#own, true, node);
    if (report.kind === "status" && report.wantsCopy) {
      void this.#sendCopy(node);
      if (this.#own !== undefined)
        void this.#send({ kind: "participants", ...reported(this.#own.participants.own) }, node);
    }
    if (this.#table.isCut) {
      const sentence = `more than ${MAX_NODES} nodes or ${MAX_PATTERNS} patterns of their readers: some are not counted`;
      this.#reportOnce(sentence);
    }
  }

  /** Forgets nodes that are silent, unless it is this node that receives nothing: it would forget all of them. */
  #forget(now: number): void {
    const { last, since } = this.#hearing;
    if (now - last <= DEAF && now - since >= FORGET) this.#table.removeSilent(now - FORGET);
  }

  /** Sends a copy of who reads here. Each part is counted when it is sent, so that it is not older than a change before it. */
  async #sendCopy(node: string): Promise<void> {
    const own = this.#own;
    if (own === undefined || this.#copying.has(node)) return;
    this.#copying.add(node);
    const parts = chunks(own.index.patterns(), MAX_COUNTS);
    for (let part = 0; part < Math.max(parts.length, 1) && this.#own === own; part++) {
      const counts = counted(own.index, parts[part] ?? []).filter(([, readers]) => readers > 0);
      const isLast = part + 1 >= parts.length;
      if (!(await this.#send({ kind: "copy", part, isLast, counts }, node))) break;
    }
    this.#copying.delete(node);
  }

  #sendParticipants({ participants }: OwnNode): void {
    const report = reported(participants.own);
    const text = JSON.stringify(report);
    const isNew = text !== this.#told.participants;
    if (!isNew && ++this.#told.looks < REPEATED_EVERY) return;
    this.#told.participants = text;
    this.#told.looks = 0;
    void this.#send({ kind: "participants", ...report });
  }

  #sendStatus(own: OwnNode, wantsCopy = false, node?: string): Promise<boolean> {
    return this.#send({ kind: "status", status: own.status(), wantsCopy }, node);
  }

  /** Sends a report to all nodes, or to one; false if they cannot be reached, and find out later what they missed. */
  #send(report: Unsent<NodeReport>, node?: string): Promise<boolean> {
    const text = JSON.stringify({ node: this.node, changes: this.#changes, ...report });
    return this.#shared.publish(TOPIC, text, node).then(
      () => true,
      () => false,
    );
  }

  #reportOnce(sentence: string): void {
    if (this.#reported.has(sentence)) return;
    this.#reported.add(sentence);
    this.#report(sentence);
  }
}

function counted(index: SubscriptionIndex, patterns: readonly ChannelPattern[]): PatternCount[] {
  return patterns.map((pattern) => [pattern, index.count(pattern)]);
}

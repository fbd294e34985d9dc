import type { Peers } from "../core/peers.ts";
import type { SharedStore } from "../core/shared-store.ts";
import type { SubscriptionIndex } from "../core/subscription-index.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import type { NodeStatus } from "../protocol/server-info.ts";
import { NodeTable } from "./node-table.ts";
import { MOST_COUNTS, parsedNodeText, type NodeText, type PatternCount } from "./node-text.ts";

const TOPIC = "nodes";
/** Milliseconds over which changes are collected. */
const COLLECT = 250;
/** Changes are looked for as often between two statuses. */
const STATUS_EVERY = 8;
/** Milliseconds after which a node that is not heard of is forgotten. */
const FORGET = 15_000;
/** Milliseconds after which a node that does not hear itself hears no one. */
const DEAF = 3 * STATUS_EVERY * COLLECT;
const MOST_NODES = 1000;
const MOST_PATTERNS = 1_000_000;

/** How a node starts to tell of itself. */
export interface OwnNode {
  /** The live readers of this node. */
  readonly index: SubscriptionIndex;
  readonly status: () => NodeStatus;
}

/**
 * Tells the other nodes who reads here, and knows what they told. Each sends its changes as they come and its status
 * every two seconds; whoever notices that it missed some asks for a copy, which goes to that node alone. With one node
 * it does nothing.
 */
export class Nodes {
  readonly #shared: SharedStore;
  readonly #report: (sentence: string) => void;
  readonly #table = new NodeTable({ nodes: MOST_NODES, patterns: MOST_PATTERNS });
  readonly #reported = new Set<string>();
  readonly #closing: (() => void)[] = [];
  /** Nodes that a copy is being sent to. */
  readonly #copying = new Set<string>();
  #own: OwnNode | undefined;
  #changes = 0;
  #ticks = 0;
  /** When this node heard itself last, and since when it has done so all the time. */
  readonly #hearing = { last: -Infinity, since: 0 };

  /** `report` is called with a sentence for the operator of the server. */
  constructor(shared: SharedStore, report: (sentence: string) => void = () => {}) {
    this.#shared = shared;
    this.#report = report;
    if (!shared.isShared) return;
    this.#closing.push(shared.subscribe(TOPIC, (text) => this.#hear(text)));
  }

  /** The name of this node. */
  get node(): string {
    return this.#shared.node;
  }

  /** What readers of the other nodes ask for; undefined if there can be none. */
  get peers(): Peers | undefined {
    return this.#shared.isShared ? this.#table : undefined;
  }

  /** The statuses of the other nodes. */
  others(): NodeStatus[] {
    return this.#table.statuses();
  }

  /** Begins to tell the others of this node. */
  start(own: OwnNode): void {
    if (!this.#shared.isShared) return;
    this.#own = own;
    own.index.changed = new Set(own.index.patterns());
    void this.#tell({ status: own.status(), asks: true });
    const timer = setInterval(() => this.#tick(own), COLLECT).unref();
    this.#closing.push(() => clearInterval(timer));
  }

  /** Tells the status at once, since it is another than before. */
  tellStatus(): void {
    if (this.#own !== undefined) void this.#tell({ status: this.#own.status() });
  }

  /** Tells the others that this node stops. */
  async close(): Promise<void> {
    for (const end of this.#closing.splice(0)) end();
    if (this.#own === undefined) return;
    this.#own.index.changed = undefined;
    this.#own = undefined;
    await this.#tell({ leaves: true });
  }

  #tick({ index, status }: OwnNode): void {
    if (index.changed !== undefined && index.changed.size > 0) {
      const changed = [...index.changed];
      index.changed.clear();
      for (const patterns of partsOf(changed)) {
        this.#changes++;
        void this.#tell({ isChange: true, counts: counted(index, patterns) });
      }
    }
    this.#table.sweep();
    if (++this.#ticks % STATUS_EVERY !== 0) return;
    this.#forget(performance.now());
    void this.#tell({ status: status() });
  }

  #hear(text: string): void {
    const told = parsedNodeText(text);
    if (told === undefined) return this.#reportOnce("what another node told was not understood, and is left out");
    const { node } = told;
    const now = performance.now();
    if (node === this.node) {
      if (now - this.#hearing.last > DEAF) this.#hearing.since = now;
      this.#hearing.last = now;
      return;
    }
    if (told.leaves) return this.#table.remove(node);
    if (this.#table.take(told, now)) void this.#tell({ asks: true }, node);
    if (told.asks) void this.#copy(node);
    if (this.#table.isCut) {
      const sentence = `more than ${MOST_NODES} nodes or ${MOST_PATTERNS} patterns of their readers: some are not counted`;
      this.#reportOnce(sentence);
    }
  }

  /** Forgets those that are silent, unless it is this node that hears nothing: then all of them would go at once. */
  #forget(now: number): void {
    const { last, since } = this.#hearing;
    if (now - last <= DEAF && now - since >= FORGET) this.#table.removeSilent(now - FORGET);
  }

  /** Sends a copy of who reads here; counts are taken as each part is sent, so that no older one overtakes a change. */
  async #copy(node: string): Promise<void> {
    const own = this.#own;
    if (own === undefined || this.#copying.has(node)) return;
    this.#copying.add(node);
    const parts = partsOf(own.index.patterns());
    for (let part = 0; part < Math.max(parts.length, 1) && this.#own === own; part++) {
      const counts = counted(own.index, parts[part] ?? []).filter(([, readers]) => readers > 0);
      const isLast = part + 1 >= parts.length;
      const status = part === 0 ? own.status() : undefined;
      if (!(await this.#tell({ part, isLast, counts, status }, node))) break;
    }
    this.#copying.delete(node);
  }

  /** Tells all nodes, or one. False if they cannot be reached: they notice what they missed when they are told again. */
  async #tell(told: Partial<NodeText>, node?: string): Promise<boolean> {
    const text = { node: this.node, changes: this.#changes, isChange: false, counts: [], ...told };
    return this.#shared.publish(TOPIC, JSON.stringify(text), node).then(
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

function partsOf(patterns: readonly ChannelPattern[]): ChannelPattern[][] {
  const count = Math.ceil(patterns.length / MOST_COUNTS);
  return Array.from({ length: count }, (_, at) => patterns.slice(at * MOST_COUNTS, (at + 1) * MOST_COUNTS));
}

function counted(index: SubscriptionIndex, patterns: readonly ChannelPattern[]): PatternCount[] {
  return patterns.map((pattern) => [pattern, index.count(pattern)]);
}

import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Hub } from "../core/hub.ts";
import type { NodeStatus, ServerInfo } from "../protocol/server-info.ts";
import type { Connections } from "./connections.ts";
import type { Nodes } from "./nodes.ts";
import type { OpenConnections } from "./open-connections.ts";

/** What the info says that does not change. */
export type FixedInfo = Pick<ServerInfo, "name" | "version" | "protocolVersions" | "limits">;

/** Milliseconds for which one reading answers every caller. */
const FRESH = 1000;
const NANOSECONDS = 1e6;
const MICROSECONDS = 1e3;

/** How long messages took to reach their readers, since they were last reset. */
export class DeliveryTimes {
  readonly #microseconds: ReturnType<typeof createHistogram> = createHistogram();

  record(milliseconds: number): void {
    this.#microseconds.record(Math.max(Math.round(milliseconds * MICROSECONDS), 1));
  }

  /** In milliseconds; null if nothing was delivered. */
  percentile(percentile: number): number | null {
    return this.#microseconds.count === 0 ? null : this.#microseconds.percentile(percentile) / MICROSECONDS;
  }

  reset(): void {
    this.#microseconds.reset();
  }
}

/** What the figures are read from. */
interface Readings {
  readonly hub: Hub;
  readonly connections: Connections;
  readonly open: OpenConnections;
  readonly deliveries: DeliveryTimes;
  readonly nodes: Pick<Nodes, "node" | "others">;
}

/** What a node is besides its figures; it changes. */
export type NodeState = Required<Pick<NodeStatus, "address" | "draining">>;

/** Reads how the process does, at most once a second; rates are those since the reading before. */
export class ServerInfoSource {
  readonly #fixed: FixedInfo;
  readonly #hub: Hub;
  readonly #connections: Connections;
  readonly #open: OpenConnections;
  readonly #delay: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({ resolution: 20 });
  readonly #deliveries: DeliveryTimes;
  readonly #nodes: Pick<Nodes, "node" | "others">;
  readonly #state: NodeState;
  readonly #started: string = new Date().toISOString();
  #info: ServerInfo | undefined;
  #at = performance.now();
  #cpu = process.cpuUsage();
  #published = 0;
  #delivered = 0;

  constructor(fixed: FixedInfo, { hub, connections, open, deliveries, nodes }: Readings, state: NodeState) {
    this.#fixed = fixed;
    this.#hub = hub;
    this.#connections = connections;
    this.#open = open;
    this.#deliveries = deliveries;
    this.#nodes = nodes;
    this.#state = state;
    this.#delay.enable();
  }

  info(): ServerInfo {
    const now = performance.now();
    if (this.#info === undefined || now - this.#at >= FRESH) this.#info = this.#read(now);
    return this.#info;
  }

  /** What this node tells the others of itself. */
  status(): NodeStatus {
    return { ...(this.info().nodes[0] as NodeStatus), ...this.#state };
  }

  close(): void {
    this.#delay.disable();
  }

  #read(now: number): ServerInfo {
    const seconds = Math.max((now - this.#at) / 1000, 0.001);
    const cpu = process.cpuUsage();
    const used = (cpu.user - this.#cpu.user + cpu.system - this.#cpu.system) / 1e6;
    const { published, delivered } = this.#hub.stats;
    const publishedPerSecond = rounded((published - this.#published) / seconds);
    const deliveredPerSecond = rounded((delivered - this.#delivered) / seconds);
    this.#at = now;
    this.#cpu = cpu;
    this.#published = published;
    this.#delivered = delivered;
    const { rss, heapUsed } = process.memoryUsage();
    const { messages: kept, channels } = this.#hub.log.size();
    // Whoever only looks on must not change what it looks at.
    const watching = { sse: this.#open.watching("sse"), websocket: this.#open.watching("websocket") };
    const total = this.#connections.total - watching.sse - watching.websocket;
    const delay = this.#delay;
    const own: NodeStatus = {
      id: this.#nodes.node,
      version: this.#fixed.version,
      started: this.#started,
      connections: total,
      publishedPerSecond,
      deliveredPerSecond,
      ...this.#state,
    };
    const info: ServerInfo = {
      ...this.#fixed,
      node: own.id,
      nodes: [own, ...this.#nodes.others()],
      uptimeSeconds: Math.round(process.uptime()),
      connections: {
        sse: this.#connections.by("sse") - watching.sse,
        websocket: this.#connections.by("websocket") - watching.websocket,
        mcp: this.#connections.by("mcp"),
        waiting: this.#connections.by("waiting"),
        total,
      },
      messages: { published, delivered, publishedPerSecond, deliveredPerSecond, kept },
      delivery: { p50Ms: this.#deliveries.percentile(50), p99Ms: this.#deliveries.percentile(99) },
      channels,
      cpu: { percent: rounded((used / seconds) * 100), userSeconds: cpu.user / 1e6, systemSeconds: cpu.system / 1e6 },
      memory: { rssBytes: rss, heapUsedBytes: heapUsed },
      eventLoop: { delayMeanMs: lateness(delay.mean), delayP99Ms: lateness(delay.percentile(99)) },
    };
    delay.reset();
    this.#deliveries.reset();
    return info;
  }
}

/** The histogram counts from its own resolution, and is NaN while it is empty. */
function lateness(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? rounded(Math.max(nanoseconds / NANOSECONDS - 20, 0)) : 0;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The part of the information that does not change. */
export function fixedInfo(
  config: {
    readonly maxConnections: number;
    readonly maxMessageBytes: number;
    readonly maxBodyBytes: number;
    readonly maxChannelsPerReader: number;
    readonly maxPendingBytes: number;
  },
  identity: Pick<FixedInfo, "name" | "version" | "protocolVersions">,
): FixedInfo {
  return {
    ...identity,
    limits: {
      connections: config.maxConnections,
      messageBytes: config.maxMessageBytes,
      bodyBytes: config.maxBodyBytes,
      channelsPerReader: config.maxChannelsPerReader,
      pendingBytes: config.maxPendingBytes,
    },
  };
}

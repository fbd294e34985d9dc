import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { Hub } from "./core/hub.ts";
import { Participants } from "./core/participants.ts";
import type { LogSize } from "./core/log.ts";
import type { Records } from "./core/records.ts";
import type { SharedStore } from "./core/shared-store.ts";
import { openStorage } from "./logs/open.ts";
import { LogLatency } from "./ops/metrics.ts";
import { Nodes } from "./ops/nodes.ts";
import { DeliveryTimes } from "./ops/server-info.ts";
import type { Telemetry } from "./ops/telemetry/open.ts";
import type { ServerParts } from "./shutdown.ts";

/** Messages in one page of replay. */
const PAGE = 256;
/** Readers written to in one turn for each message published in it: about a millisecond of work. */
const WRITES_PER_MESSAGE = 128;
/** Parts into which the readers are divided, to spread each heartbeat over time. */
const BEAT_PARTS = 15;

/** A hub on its log, and what belongs to them. */
export interface OpenedHub extends Pick<ServerParts, "hub" | "nodes" | "closeHub" | "release" | "telemetry"> {
  readonly shared: SharedStore;
  readonly records: Records;
  readonly participants: Participants;
  /** What the log held. */
  readonly found: LogSize;
  readonly appends: LogLatency;
  readonly deliveries: DeliveryTimes;
}

/** Opens the log and the hub on it, with its heartbeat. Telemetry is exported under the name and version in `exported`. */
export async function openHub(
  config: Config,
  log: Logger,
  exported: { readonly name: string; readonly version: string } | undefined,
): Promise<OpenedHub> {
  const { data, durability, mirror, retentionAge, retentionMessages, retentionBytes, maxChannels } = config;
  const retention = {
    age: retentionAge * 1000,
    messages: retentionMessages,
    bytes: retentionBytes,
    channels: maxChannels,
  };
  const {
    log: kept,
    shared,
    records,
    ...opened
  } = await openStorage({
    data,
    durability,
    mirror,
    redis: { ca: config.redisCa, cert: config.redisCert, key: config.redisKey },
    retention,
    report: (sentence) => log.warn(sentence),
  });
  const found = kept.size();
  const telemetry = exported && (await telemetryOf({ ...exported, node: shared.node }, log));
  const appends = new LogLatency();
  const deliveries = new DeliveryTimes();
  const nodes = new Nodes(shared, (sentence) => log.warn(sentence));
  const participants = new Participants(shared.node);
  const hub = await Hub.open(kept, {
    onOwn: (message) => participants.names.hear(message),
    remoteReaders: nodes.remoteReaders,
    maxPending: config.maxPendingBytes,
    maxPendingTotal: config.maxPendingTotalBytes,
    page: PAGE,
    endOfTurn: setImmediate,
    // Microtasks all run before the next tick of Node, which comes before the event loop goes on.
    afterReceipts: (write) => queueMicrotask(() => process.nextTick(write)),
    writesPerMessage: WRITES_PER_MESSAGE,
    tracer: telemetry?.tracer,
    onAppended: (milliseconds) => appends.observe(milliseconds),
    onDelivered: (milliseconds) => deliveries.record(milliseconds),
    onReadFailed: (error) => log.error(error, "a reader was ended: the log could not be read"),
  }).catch(async (error: unknown) => {
    await kept.close();
    await opened.close();
    throw error;
  });
  let part = 0;
  const heart = setInterval(
    () => hub.heartbeat(part++ % BEAT_PARTS, BEAT_PARTS),
    (config.heartbeat * 1000) / BEAT_PARTS,
  ).unref();
  const closeHub = async (spread: number): Promise<void> => {
    await hub.close(spread);
    await nodes.close();
    clearInterval(heart);
  };
  return {
    hub,
    nodes,
    shared,
    records,
    participants,
    found,
    appends,
    deliveries,
    closeHub,
    telemetry,
    release: () => opened.close(),
  };
}

/** Not loaded unless it is asked for. */
async function telemetryOf(
  server: { readonly name: string; readonly version: string; readonly node: string },
  log: Logger,
): Promise<Telemetry> {
  const { openTelemetry } = await import("./ops/telemetry/open.ts");
  return openTelemetry({ ...server, report: (sentence) => log.warn(sentence) });
}

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { defaults, type Config } from "./config.ts";
import { Hub } from "./core/hub.ts";
import type { LogSize } from "./core/log.ts";
import type { SharedStore } from "./core/shared-store.ts";
import type { Audit } from "./auth/audit.ts";
import { prepareAuth } from "./auth/open.ts";
import { createApp } from "./http/app.ts";
import { limitsOf, type HttpContext } from "./http/context.ts";
import { ClientAddresses } from "./ops/client-address.ts";
import { isLimited, RateLimits } from "./limits/rate-limits.ts";
import { Connections } from "./ops/connections.ts";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { HubChannels } from "./ops/hub-channels.ts";
import { Nodes } from "./ops/nodes.ts";
import { LogSummaries } from "./ops/log-summaries.ts";
import { DeliveryTimes, ServerInfoSource, type FixedInfo } from "./ops/server-info.ts";
import type { ServerInfo } from "./protocol/server-info.ts";
import type { LogStream } from "./ops/log-output.ts";
import { frameworkLog, openLogging } from "./ops/open-logging.ts";
import { LogLatency } from "./http/metrics.ts";
import { callerRules } from "./http/host-and-origin.ts";
import { Tls } from "./http/tls.ts";
import { ignoreRest } from "./http/pipelines.ts";
import { openData, openSessionFile } from "./logs/open.ts";
import { hubCatalog } from "./mcp/catalog.ts";
import type { Extras } from "./mcp/definitions.ts";
import { LEGACY_VERSIONS, MODERN_VERSIONS } from "./mcp/errors.ts";
import { openMcp } from "./mcp/open.ts";
import { ToolSet, type Tool } from "./tools/index.ts";
import { isLoopback } from "./protocol/address.ts";

/** A server that is listening. */
export interface Server {
  /** The address it listens on, such as `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Whether it is bound to loopback addresses only, however `HOST` spells them. */
  readonly loopback: boolean;
  readonly hub: Hub;
  /** What the log held at the start. */
  readonly found: LogSize;
  /** `/health` says 503 from now on, and all else goes on; resolves after `DRAIN_WAIT`, or once `skip` is aborted. */
  drain(skip?: AbortSignal): Promise<void>;
  /** Drains, refuses new work, ends the readers spread over the drain time, and closes the log. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const NAME = "sse-mcp-server";
/** Messages in one page of replay. */
const PAGE = 256;
/** Readers written to in one turn for each message published in it: about a millisecond of work. */
const WRITES_PER_MESSAGE = 128;
/** Parts into which the readers are divided, to spread each heartbeat over time. */
const BEAT_PARTS = 15;

/** Milliseconds to wait for the last log lines to be written. */
const LAST_LINES = 500;

/** The version of this package. */
export const version: string = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;

/** The options of a server; the defaults are those of `serve`. */
export interface ServerOptions extends Partial<Omit<Config, "tools">> {
  /** Tools of your own, offered on every door besides the hub's; see `defineTool`. */
  readonly tools?: readonly Tool[];
  /** Where log lines go if there is no `logFile`; standard output by default. */
  readonly logStream?: LogStream;
}

/**
 * Opens the log, puts the pieces together and listens. Rejects with a `HubError` whose sentence says what is wrong with
 * the log, a `ConfigError` about its log file, a `ToolError` about a tool, or with the error of the system if the
 * address cannot be had. `extras` are MCP definitions beside the tools, for tests of the protocol.
 */
export async function createServer(options: ServerOptions = {}, extras: Extras = {}): Promise<Server> {
  const { tools: ownTools, logStream = process.stdout, ...given } = options;
  const config: Config = { ...defaults(), ...given, tools: [] };
  const tools = new ToolSet(ownTools);
  const { log, output, ...logging } = openLogging(config, logStream);
  let audit = auditTo(log);
  const openAuth = await prepareAuth(config, (event) => audit(event));
  const tls = Tls.open(config, log);
  const { hub, nodes, shared, found, appends, deliveries, ...hubParts } = await openHub(config, log);
  // What stays open would keep a process alive that does not serve.
  const undo = async (error: unknown): Promise<never> => {
    await hubParts.close(0);
    await hubParts.release();
    throw error;
  };
  const auth = await openAuth(shared).catch(undo);
  const rateLimits = new RateLimits(config, shared);
  const connections = new Connections(config.maxConnections, config.maxConnectionsPerAddress, ignoreRest);
  const state = { address: hostname(), draining: false };
  const source = new ServerInfoSource(fixedInfo(config), { hub, connections, deliveries, nodes }, state);
  const info = (): ServerInfo => source.info();
  const hubChannels = new HubChannels(hub, nodes.node, info);
  logging.onLine((line) => hubChannels.log(line));
  audit = auditTo(log, hubChannels);
  const limits = limitsOf(config);
  const mcp = await openMcp({
    hub,
    limits,
    info,
    catalog: hubCatalog(tools, extras),
    serverInfo: { name: NAME, title: "SSE MCP Server", version },
    shared,
    file: openSessionFile(config.data, (sentence) => log.warn(sentence)),
    maxSessions: config.maxSessions,
    idle: config.sessionTimeout * 1000,
    onKey: (key) => auth.keepKey(key),
    report: (error) => log.error(error, "an MCP method failed"),
  }).catch(undo);
  const summaries = new LogSummaries(log, hub, connections, mcp.sessions);
  const callers = callerRules(config);
  let draining: Promise<void> | undefined;
  const context: HttpContext = {
    hub,
    tools,
    connections,
    limits,
    callers,
    version,
    info,
    heartbeat: config.heartbeat,
    // Visitors need not know the folder, nor where a Redis is and its password.
    logName: config.data.replace(/^file:.*\//, "file:").replace(/^(redis).*$/s, "$1:"),
    ...auth,
    publicUrl: config.publicUrl,
    tls,
    addresses: new ClientAddresses(config.trustedProxies),
    rateLimits,
    isDraining: () => state.draining,
  };
  let app: FastifyInstance | undefined;
  // Whoever stops the server reads it on the terminal; a file gets a line.
  const say = (msg: string): void => (config.logFile === "" ? hubChannels.log({ level: "info", msg }) : log.info(msg));
  const drain = (skip?: AbortSignal): Promise<void> => {
    if (draining === undefined && config.drainWait > 0) say(`draining: readers are ended in ${config.drainWait} s`);
    state.draining = true;
    nodes.tellStatus();
    return (draining ??= wait(config.drainWait * 1000, undefined, { signal: skip, ref: false }).catch(() => {}));
  };
  const end = async (spread: number): Promise<void> => {
    draining ??= Promise.resolve();
    state.draining = true;
    nodes.tellStatus();
    summaries.close();
    say(`stopping: ${hub.size === 1 ? "1 reader is" : `${hub.size} readers are`} ended within ${spread / 1000} s`);
    connections.drain();
    mcp.sessions.drain();
    await hubChannels.close();
    await hubParts.close(spread);
    mcp.close();
    // Calls that waited for a message are answered in this turn, before their connections are closed.
    await new Promise<void>((resolve) => setImmediate(resolve));
    source.close();
    auth.close();
    await app?.close();
    await hubParts.release();
    await output.close(LAST_LINES);
  };
  let ended: Promise<void> | undefined;
  const close = (spread: number): Promise<void> => (ended ??= end(spread));
  try {
    app = await createApp({
      context,
      mcp: { ...mcp, legacySse: config.legacySse },
      latency: appends,
      log: frameworkLog(log),
      output,
    });
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await close(0);
    throw error;
  }
  callers.loopback = (app.addresses() as AddressInfo[]).every(({ address }) => isLoopback(address));
  rateLimits.isOn = isLimited(config, callers.loopback);
  state.address += `:${(app.server.address() as AddressInfo).port}`;
  nodes.start({ index: hub.index, status: () => source.status() });
  const url = urlOf(tls === undefined ? "http" : "https", config.host, app.server.address() as AddressInfo);
  // The command line prints the address itself; a file gets a line.
  if (config.logFile !== "") log.info(`Server listening at ${url}`);
  return {
    url,
    hub,
    loopback: callers.loopback,
    found,
    drain,
    close: async () => {
      await drain();
      await close(config.drain * 1000);
    },
    [Symbol.asyncDispose]: () => close(0),
  };
}

/** Opens the log and the hub on it, with its heartbeat and its metrics. */
async function openHub(
  config: Config,
  log: Logger,
): Promise<{
  hub: Hub;
  nodes: Nodes;
  shared: SharedStore;
  found: LogSize;
  appends: LogLatency;
  deliveries: DeliveryTimes;
  close: (spread: number) => Promise<void>;
  release: () => Promise<void>;
}> {
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
    ...opened
  } = await openData({
    data,
    durability,
    mirror,
    redis: { ca: config.redisCa, cert: config.redisCert, key: config.redisKey },
    retention,
    report: (sentence) => log.warn(sentence),
  });
  const found = kept.size();
  const appends = new LogLatency();
  const deliveries = new DeliveryTimes();
  const nodes = new Nodes(shared, (sentence) => log.warn(sentence));
  const hub = await Hub.open(kept, {
    peers: nodes.peers,
    maxPending: config.maxPendingBytes,
    maxPendingTotal: config.maxPendingTotalBytes,
    page: PAGE,
    endOfTurn: setImmediate,
    // Microtasks all run before the next tick of Node, which comes before the event loop goes on.
    afterReceipts: (write) => queueMicrotask(() => process.nextTick(write)),
    writesPerMessage: WRITES_PER_MESSAGE,
    onAppended: (milliseconds) => appends.observe(milliseconds),
    onDelivered: (milliseconds) => deliveries.record(milliseconds),
    onReadFailed: (error) => log.error(error, "a reader was ended: the log could not be read"),
  });
  let part = 0;
  const heart = setInterval(
    () => hub.heartbeat(part++ % BEAT_PARTS, BEAT_PARTS),
    (config.heartbeat * 1000) / BEAT_PARTS,
  ).unref();
  const close = async (spread: number): Promise<void> => {
    await hub.close(spread);
    await nodes.close();
    clearInterval(heart);
  };
  return { hub, nodes, shared, found, appends, deliveries, close, release: () => opened.close() };
}

/** Events of the audit go to the log, and to `hub.audit` once there is one. */
function auditTo(log: Logger, hubChannels?: HubChannels): Audit {
  return (event) => {
    const { level, reason, ...fields } = event;
    log[level](fields, reason ?? fields.action);
    hubChannels?.audit(event);
  };
}

/** The part of `get_server_info` that does not change. */
function fixedInfo(config: Config): FixedInfo {
  return {
    name: NAME,
    version,
    protocolVersions: [...MODERN_VERSIONS, ...LEGACY_VERSIONS],
    limits: {
      connections: config.maxConnections,
      messageBytes: config.maxMessageBytes,
      bodyBytes: config.maxBodyBytes,
      channelsPerReader: config.maxChannelsPerReader,
      pendingBytes: config.maxPendingBytes,
    },
  };
}

function urlOf(scheme: string, host: string, { port, address: bound }: AddressInfo): string {
  const address = bound.replace(/^::ffff:(?=\d+\.)/, "");
  const shown = host === "localhost" ? host : address.includes(":") ? `[${address}]` : address;
  return `${scheme}://${shown}:${port}`;
}

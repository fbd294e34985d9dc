import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { AddressInfo } from "node:net";
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
import type { McpDoor } from "./http/mcp/route.ts";
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
import { hubCatalog, type McpContext } from "./mcp/catalog.ts";
import type { Extras } from "./mcp/definitions.ts";
import { LEGACY_VERSIONS, MODERN_VERSIONS } from "./mcp/errors.ts";
import { SessionStore } from "./mcp/legacy/session-store.ts";
import { RequestStates } from "./mcp/request-state.ts";
import { Sealer } from "./core/seal.ts";
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
  /** Refuses new work, ends the readers spread over the drain time, and closes the log. */
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
  const auth = await openAuth(shared);
  const rateLimits = new RateLimits(config, shared);
  const connections = new Connections(config.maxConnections, config.maxConnectionsPerAddress, ignoreRest);
  const state = { address: hostname(), draining: false };
  const source = new ServerInfoSource(fixedInfo(config), { hub, connections, deliveries, nodes }, state);
  const info = (): ServerInfo => source.info();
  const hubChannels = new HubChannels(hub, nodes.node, info);
  logging.onLine((line) => hubChannels.log(line));
  audit = auditTo(log, hubChannels);
  const limits = limitsOf(config);
  const mcp = openMcp(config, { hub, limits, info }, hubCatalog(tools, extras), log);
  if (mcp.key !== undefined) auth.keepKey(mcp.key);
  const summaries = new LogSummaries(log, hub, connections, mcp.sessions);
  const callers = callerRules(config);
  const context: HttpContext = {
    hub,
    tools,
    connections,
    limits,
    callers,
    version,
    info,
    heartbeat: config.heartbeat,
    // Visitors need not know the folder.
    logName: config.data.replace(/^file:.*\//, "file:"),
    ...auth,
    publicUrl: config.publicUrl,
    tls,
    addresses: new ClientAddresses(config.trustedProxies),
    rateLimits,
    isDraining: () => state.draining,
  };
  let app: FastifyInstance | undefined;
  const end = async (spread: number): Promise<void> => {
    state.draining = true;
    nodes.tellStatus();
    summaries.close();
    const stopping = `stopping: ${hub.size === 1 ? "1 reader is" : `${hub.size} readers are`} ended within ${spread / 1000} s`;
    // Whoever stops the server reads it on the terminal; a file gets a line.
    if (config.logFile === "") hubChannels.log({ level: "info", msg: stopping });
    else log.info(stopping);
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
    await output.close(LAST_LINES);
  };
  let ended: Promise<void> | undefined;
  const close = (spread: number): Promise<void> => (ended ??= end(spread));
  try {
    app = await createApp({ context, mcp, latency: appends, log: frameworkLog(log), output });
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
    close: () => close(config.drain * 1000),
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
    await opened.close();
  };
  return { hub, nodes, shared, found, appends, deliveries, close };
}

/** Makes what `/mcp` needs: the catalog, and the sessions of the legacy era. */
function openMcp(
  config: Config,
  { hub, limits, info }: Pick<McpContext, "hub" | "limits" | "info">,
  catalog: McpContext["catalog"],
  log: Logger,
): McpDoor & { readonly key: Uint8Array | undefined; close: () => void } {
  const records = openSessionFile(config.data, (sentence) => log.warn(sentence));
  const sealer = new Sealer(records?.key);
  const context: McpContext = {
    hub,
    limits,
    info,
    catalog,
    states: new RequestStates(sealer),
    serverInfo: { name: NAME, title: "SSE MCP Server", version },
  };
  const sessions = new SessionStore(context, {
    most: config.maxSessions,
    idle: config.sessionTimeout * 1000,
    sealer,
    records,
    report: (error) => log.error(error, "an MCP method failed"),
  });
  const close = (): void => {
    sessions.close();
    records?.close();
  };
  return { context, sessions, legacySse: config.legacySse, key: records?.key, close };
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

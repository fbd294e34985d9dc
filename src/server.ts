import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { ConfigError, type Config } from "./config.ts";
import { Hub } from "./core/hub.ts";
import type { LogSize } from "./core/log.ts";
import { ANYONE } from "./core/principal.ts";
import { createApp } from "./http/app.ts";
import type { HttpContext } from "./http/context.ts";
import { Connections } from "./ops/connections.ts";
import { LOG_FILE_FLAGS, LogOutput, type LogStream } from "./ops/log-output.ts";
import { LogLatency } from "./http/metrics.ts";
import { callerRules } from "./http/host-and-origin.ts";
import { Notices } from "./ops/log-summaries.ts";
import { OwnChannels, type LogLine } from "./ops/hub-channels.ts";
import { Vitals } from "./ops/server-info.ts";
import { ignoreRest } from "./http/pipelines.ts";
import { openLog } from "./logs/open.ts";
import {
  hubCatalog,
  LEGACY_VERSIONS,
  MODERN_VERSIONS,
  RequestStates,
  SessionStore,
  type Extras,
  type McpContext,
} from "./mcp/index.ts";
import { isLoopback } from "./protocol/address.ts";

/** A hub that listens. */
export interface Server {
  /** Where it listens, such as `http://127.0.0.1:8000`. */
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
/** Readers are told how far they have got in so many parts, one after the other. */
const BEAT_PARTS = 15;

/** Milliseconds for the last log lines to be written. */
const LAST_LINES = 500;

/** The version of this package. */
export const version: string = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;

/**
 * Opens the log, puts the pieces together and listens; `extras` are offered on `/mcp` beside the hub's own, and
 * `stream` is logged to instead of standard output. Rejects with a `HubError` whose sentence says what is wrong with
 * the log, or a `ConfigError` about its log file, or with the error of the system when the address cannot be had.
 */
export async function createServer(
  config: Config,
  extras: Extras = {},
  stream: LogStream = process.stdout,
): Promise<Server> {
  if (config.logFile !== "") checkLogFile(config.logFile);
  const { retentionAge, retentionMessages, retentionBytes, maxChannels, maxPendingBytes } = config;
  const retention = {
    age: retentionAge * 1000,
    messages: retentionMessages,
    bytes: retentionBytes,
    channels: maxChannels,
  };
  // The log may report something before there is a logger.
  const early: string[] = [];
  let report = (sentence: string): void => void early.push(sentence);
  const { data, durability } = config;
  const log = await openLog({ data, durability, retention, report: (sentence) => report(sentence) });
  const found = log.size();
  const latency = new LogLatency();
  const hub = await Hub.open(log, {
    maxPending: maxPendingBytes,
    maxPendingTotal: config.maxPendingTotalBytes,
    page: PAGE,
    endOfTurn: setImmediate,
    // Microtasks all run before the next tick of Node, which comes before the event loop goes on.
    afterReceipts: (write) => queueMicrotask(() => process.nextTick(write)),
    writesPerMessage: WRITES_PER_MESSAGE,
    onAppended: (milliseconds) => latency.observe(milliseconds),
    onDelivered: (milliseconds) => vitals.delivered(milliseconds),
    onReadFailed: (error) => app.log.error(error, "a reader was ended: the log could not be read"),
  });
  const connections = new Connections(config.maxConnections, config.maxConnectionsPerAddress, ignoreRest);
  let draining = false;
  const limits = {
    message: config.maxMessageBytes,
    body: config.maxBodyBytes,
    channels: config.maxChannelsPerReader,
    pending: maxPendingBytes,
    request: config.requestTimeout * 1000,
  };
  const vitals = new Vitals(
    {
      name: NAME,
      version,
      protocolVersions: [...MODERN_VERSIONS, ...LEGACY_VERSIONS],
      limits: infoLimits(config),
    },
    hub,
    connections,
  );
  const own = new OwnChannels(hub, () => vitals.info());
  const callers = callerRules(config);
  const context: HttpContext = {
    hub,
    connections,
    limits,
    callers,
    version,
    heartbeat: config.heartbeat,
    // Visitors need not know where on the machine it lies.
    logName: config.data.replace(/^file:.*\//, "file:"),
    info: () => vitals.info(),
    principal: () => ANYONE,
    isDraining: () => draining,
  };
  const mcpContext: McpContext = {
    hub,
    limits,
    info: context.info,
    catalog: hubCatalog(extras),
    states: new RequestStates(),
    serverInfo: { name: NAME, title: "SSE MCP Server", version },
  };
  const sessions = new SessionStore(mcpContext, {
    most: config.maxSessions,
    idle: config.sessionTimeout * 1000,
    report: (error) => app.log.error(error, "an MCP method failed"),
  });
  const { logLevel, logFile } = config;
  const mcp = { context: mcpContext, sessions, legacySse: config.legacySse };
  const output = logFile === "" ? LogOutput.toStream(stream) : LogOutput.toFile(logFile);
  const logger = { logLevel, output, onLog: (line: LogLine) => own.log(line) };
  const app = await createApp({ context, mcp, latency, logger }).catch(async (error: unknown) => {
    await own.close();
    vitals.close();
    sessions.close();
    await hub.close();
    throw error;
  });
  // Not through the logger, whose lines are just what is dropped.
  output.onTrouble = (reason) =>
    own.log({ level: "error", msg: `log lines are dropped (${reason}) until they can be written` });
  output.onRecovered = (lost) =>
    app.log.warn(
      { lost },
      `${lost === 1 ? "1 log line was" : `${lost} log lines were`} dropped: they could not be written`,
    );
  report = (sentence) => app.log.warn(sentence);
  early.forEach(report);
  const notices = new Notices(app.log, hub, connections, sessions);
  let part = 0;
  const heart = setInterval(
    () => hub.beat(part++ % BEAT_PARTS, BEAT_PARTS),
    (config.heartbeat * 1000) / BEAT_PARTS,
  ).unref();
  const end = async (spread: number): Promise<void> => {
    draining = true;
    notices.close();
    const stopping = `stopping: ${hub.size === 1 ? "1 reader is" : `${hub.size} readers are`} ended within ${spread / 1000} s`;
    // As at the start, whoever stops the server says so; the framework's logger does for a file.
    if (logFile === "") own.log({ level: "info", msg: stopping });
    else app.log.info(stopping);
    connections.drain();
    sessions.drain();
    await own.close();
    await hub.close(spread);
    sessions.close();
    // Whoever waited for a message is answered in this turn; the connections are closed behind that.
    await new Promise<void>((resolve) => setImmediate(resolve));
    clearInterval(heart);
    vitals.close();
    await app.close();
    await output.close(LAST_LINES);
  };
  let stopped: Promise<void> | undefined;
  const stop = (spread: number): Promise<void> => (stopped ??= end(spread));
  try {
    // Whoever starts the server says where it listens; the framework's own line is for a file.
    if (logFile === "") app.log.level = "warn";
    await app.listen({ host: config.host, port: config.port });
    callers.loopback = (app.addresses() as AddressInfo[]).every(({ address }) => isLoopback(address));
    app.log.level = logLevel;
  } catch (error) {
    await stop(0);
    throw error;
  }
  const close = (): Promise<void> => stop(config.drain * 1000);
  return {
    url: urlOf(config.host, app.server.address() as AddressInfo),
    hub,
    loopback: callers.loopback,
    found,
    close,
    [Symbol.asyncDispose]: () => stop(0),
  };
}

/** Opens it once: where the logger cannot, nobody is told in a way that can be caught. */
function checkLogFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, LOG_FILE_FLAGS));
  } catch (cause) {
    throw new ConfigError(`LOG_FILE is ${JSON.stringify(path)}, which cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function infoLimits(config: Config): {
  connections: number;
  messageBytes: number;
  bodyBytes: number;
  channelsPerReader: number;
  pendingBytes: number;
} {
  return {
    connections: config.maxConnections,
    messageBytes: config.maxMessageBytes,
    bodyBytes: config.maxBodyBytes,
    channelsPerReader: config.maxChannelsPerReader,
    pendingBytes: config.maxPendingBytes,
  };
}

function urlOf(host: string, { port, address: bound }: AddressInfo): string {
  const address = bound.replace(/^::ffff:(?=\d+\.)/, "");
  const shown = host === "localhost" ? host : address.includes(":") ? `[${address}]` : address;
  return `http://${shown}:${port}`;
}

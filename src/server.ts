import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { AddressInfo } from "node:net";
import { defaults, type Config } from "./config.ts";
import type { Hub } from "./core/hub.ts";
import type { LogSize } from "./core/log.ts";
import { hubIdIn } from "./core/records.ts";
import { Questions } from "./core/questions.ts";
import { Schedule } from "./core/schedule.ts";
import { droppedMessage, type Audit } from "./auth/audit.ts";
import { prepareAuth } from "./auth/open.ts";
import { createApp } from "./http/app.ts";
import { limitsOf, type HttpContext } from "./http/context.ts";
import { ClientAddresses } from "./ops/client-address.ts";
import { isLimited, RateLimits } from "./limits/rate-limits.ts";
import { Connections } from "./ops/connections.ts";
import { OpenConnections } from "./ops/open-connections.ts";
import type { Logger } from "pino";
import { HubChannels } from "./ops/hub-channels.ts";
import { createMetrics } from "./ops/metrics.ts";
import { LogSummaries } from "./ops/log-summaries.ts";
import { fixedInfo, ServerInfoSource } from "./ops/server-info.ts";
import type { ServerInfo } from "./protocol/server-info.ts";
import type { LogStream } from "./ops/log-output.ts";
import { frameworkLog, openLogging } from "./ops/open-logging.ts";
import { callerRules } from "./http/host-and-origin.ts";
import { Tls } from "./http/tls.ts";
import { DeliveryProof } from "./http/delivery-proof.ts";
import { ignoreRest } from "./http/pipelines.ts";
import { viewHtml } from "./http/view-html.ts";
import { logFields, RequestIds } from "./http/request-id.ts";
import { openFiles } from "./logs/files.ts";
import { openSessionFile } from "./logs/open.ts";
import { hubCatalog } from "./mcp/catalog.ts";
import type { Extras } from "./mcp/definitions.ts";
import { hubEvents } from "./mcp/events/event-catalog.ts";
import { LEGACY_VERSIONS, MODERN_VERSIONS } from "./mcp/errors.ts";
import { openMcp } from "./mcp/open.ts";
import { openHub } from "./open-hub.ts";
import { isSharedFile, sharedFileSentence } from "./private-file.ts";
import { Shutdown, type ServerParts } from "./shutdown.ts";
import { ToolSet, type Tool } from "./tools/index.ts";
import { isLoopback, listeningUrl } from "./protocol/address.ts";
import type { Hooks } from "./webhooks/in/hooks.ts";
import { EventSubscriptions } from "./webhooks/out/event-subscriptions.ts";
import { prepareWebhooks } from "./webhooks/out/open.ts";

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
  /** What `${env:NAME}` means in the secrets of bridges and hooks. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Exports traces and metrics by OpenTelemetry, as its `OTEL_…` variables in the environment of the process say. */
  readonly telemetry?: boolean;
}

/**
 * Opens the log, puts the pieces together and listens. Rejects with a `HubError` whose sentence says what is wrong with
 * the log, a `ConfigError` about its log file, a `ToolError` about a tool, or with the error of the system if the
 * address cannot be had. `extras` are MCP definitions beside the tools, for tests of the protocol.
 */
export async function createServer(options: ServerOptions = {}, extras: Extras = {}): Promise<Server> {
  const { tools: ownTools, logStream = process.stdout, telemetry: isExported = false, environment, ...given } = options;
  const config: Config = { ...defaults(), ...given, tools: [] };
  const tools = new ToolSet(ownTools);
  const logging = openLogging(config, logStream);
  const { log, output } = logging;
  let audit = auditTo(log);
  const openAuth = await prepareAuth(config, (event) => audit(event));
  const tls = Tls.open(config, log);
  const hooks = await (config.hooksFile === "" ? undefined : hooksIn(config.hooksFile, environment, log));
  const openWebhooks = prepareWebhooks(config, environment);
  const openNotify =
    config.notifyFile === "" ? undefined : (await import("./notify/open.ts")).prepareNotify(config, environment);
  const registration = await (config.discovery === ""
    ? undefined
    : (await import("./discovery/open.ts")).prepareDiscovery(config, log));
  const bridgesOf = await (config.bridges.length === 0 && config.bridgesFile === ""
    ? undefined
    : (await import("./bridges/open.ts")).prepareBridges(config, environment ?? {}));
  const files = { WEBHOOKS_FILE: config.webhooksFile, BRIDGES_FILE: config.bridgesFile };
  for (const [setting, path] of Object.entries(files))
    if (path !== "" && isSharedFile(path)) log.warn(sharedFileSentence(path, setting));
  const { shared, records, participants, found, appends, deliveries, ...hubParts } = await openHub(
    config,
    log,
    isExported ? { name: NAME, version } : undefined,
  );
  const parts: ServerParts = { ...hubParts, output, hooks, discovery: registration?.discovery };
  // Whoever stops the server reads it on the terminal; a file gets a line.
  const say = (msg: string): void =>
    config.logFile === "" ? parts.hubChannels?.log({ level: "info", msg }) : log.info(msg);
  const shutdown = new Shutdown(parts, config.drainWait, say);
  try {
    const { hub, nodes } = parts;
    const auth = await openAuth(shared);
    parts.auth = auth;
    const rateLimits = new RateLimits(config, shared);
    const connections = new Connections(config.maxConnections, config.maxConnectionsPerAddress, ignoreRest);
    parts.connections = connections;
    const open = new OpenConnections(shared.node);
    const state = {
      address: hostname(),
      get draining() {
        return shutdown.isDraining;
      },
    };
    const identity = { name: NAME, version, protocolVersions: [...MODERN_VERSIONS, ...LEGACY_VERSIONS] };
    const source = new ServerInfoSource(
      fixedInfo(config, identity),
      { hub, connections, open, deliveries, nodes },
      state,
    );
    parts.source = source;
    const info = (): ServerInfo => source.info();
    const hubChannels = new HubChannels(hub, nodes.node, info);
    hubChannels.participants = participants;
    parts.hubChannels = hubChannels;
    logging.onLine((line) => hubChannels.log(line));
    hooks?.deliveries.listen((delivery) => hubChannels.delivery(delivery));
    audit = auditTo(log, hubChannels);
    const limits = limitsOf(config);
    const hubId = await hubIdIn(records);
    const bridges = bridgesOf?.({
      hub,
      shared,
      records,
      hubId,
      publicUrl: config.publicUrl + config.basePath,
      maxBytes: config.maxMessageBytes,
      log,
    });
    parts.bridges = bridges;
    hubChannels.bridges = bridges;
    const schedule = new Schedule({
      records,
      shared,
      publish: (draft) => hub.publish(draft),
      isRevoked: (by, { message }) => auth.isRevoked(by, message.channel),
      onDropped: (due) => audit(droppedMessage(due)),
      report: (sentence) => log.warn(sentence),
    });
    parts.schedule = schedule;
    const { eventsDialect } = config;
    const webhooks = await openWebhooks({ hub, shared, records, hubId, version, auth, log });
    parts.webhooks = webhooks;
    const events =
      eventsDialect === "off"
        ? undefined
        : hubEvents(eventsDialect, config.heartbeat * 1000, new EventSubscriptions(webhooks));
    const questions = new Questions({
      records,
      shared,
      publish: (draft) => hub.publish(draft),
      report: (sentence) => log.warn(sentence),
    });
    parts.questions = questions;
    // Sessions go on with what they subscribed to, which may be questions.
    await questions.ready().catch(() => {});
    const notify = await openNotify?.({ questions, records, shared, auth, report: (sentence) => log.warn(sentence) });
    parts.notifier = notify?.notifier;
    const callers = callerRules(config);
    let url = "";
    // Without a proxy in front, people on this machine find the pages where the server listens.
    const isOwnAddress = (): boolean => callers.loopback && config.trustedProxies.length === 0;
    const pageUrl = (): string =>
      config.publicUrl === "" ? (isOwnAddress() ? url : "") : config.publicUrl + config.basePath;
    const mcp = await openMcp({
      pageUrl,
      hub,
      questions,
      participants,
      limits,
      info,
      catalog: hubCatalog(tools, extras, { events, viewHtml }),
      serverInfo: { name: NAME, title: "SSE MCP Server", version },
      shared,
      file: openSessionFile(config.data, (sentence) => log.warn(sentence)),
      maxSessions: config.maxSessions,
      idle: config.sessionTimeout * 1000,
      onKey: (key) => auth.keepKey(key),
      report: (error, correlation) => log.error(logFields(error, correlation), "an MCP method failed"),
    });
    parts.mcp = mcp;
    parts.summaries = new LogSummaries(log, hub, connections, mcp.sessions);
    const context: HttpContext = {
      hub,
      hubId,
      schedule,
      questions,
      participants,
      tools,
      connections,
      open,
      audit: (event) => audit(event),
      limits,
      callers,
      version,
      proof: new DeliveryProof(() => hub.probe()),
      requestIds: new RequestIds(shared.node),
      tracer: parts.telemetry?.tracer,
      info,
      recent: hubChannels.recent,
      heartbeat: config.heartbeat,
      compressStreams: config.compressStreams,
      // As DATA is set; but visitors need not know folders of the machine, nor where a Redis is and its password.
      logName: config.data
        .replace(/^file:\/.*\//, "file:…/")
        .replace(/^(redis).*$/s, "$1:")
        .replace(/^memory:$/, "memory"),
      ...auth,
      publicUrl: config.publicUrl,
      basePath: config.basePath,
      tls,
      hooks,
      addresses: new ClientAddresses(config.trustedProxies),
      rateLimits,
      webhooks,
      files: (parts.files = await openFiles(config, records)),
      notify,
      isDraining: () => shutdown.isDraining,
      discovery: registration?.discovery,
      bridges,
    };
    const metricsRegistry = createMetrics(context, appends, output, config);
    parts.telemetry?.exportMetrics(() => metricsRegistry.getMetricsAsJSON());
    const app = await createApp({
      context,
      mcp: { ...mcp, legacySse: config.legacySse },
      log: frameworkLog(log),
      metricsRegistry,
    });
    parts.app = app;
    await app.listen({ host: config.host, port: config.port });
    callers.loopback = (app.addresses() as AddressInfo[]).every(({ address }) => isLoopback(address));
    rateLimits.isOn = isLimited(config, callers.loopback);
    const bound = app.server.address() as AddressInfo;
    state.address += `:${bound.port}`;
    bridges?.start();
    nodes.start({ index: hub.index, status: () => source.status(), participants });
    registration?.start({ address: bound.address, port: bound.port, version });
    url = listeningUrl(tls === undefined ? "http" : "https", config.host, bound);
    // The command line prints the address itself; a file gets a line.
    if (config.logFile !== "") log.info(`Server listening at ${url}`);
    return {
      url,
      hub,
      loopback: callers.loopback,
      found,
      drain: (skip) => shutdown.drain(skip),
      close: () => shutdown.stop(config.drain * 1000),
      [Symbol.asyncDispose]: () => shutdown.close(0),
    };
  } catch (error) {
    await shutdown.close(0);
    throw error;
  }
}

/** Not loaded unless there are any. */
async function hooksIn(path: string, environment: ServerOptions["environment"], log: Logger): Promise<Hooks> {
  return new (await import("./webhooks/in/hooks.ts")).Hooks(path, environment ?? {}, log);
}

/** Events of the audit go to the log, and to `hub.audit` once there is one. */
function auditTo(log: Logger, hubChannels?: HubChannels): Audit {
  return (event) => {
    const { level, reason, ...fields } = event;
    log[level](fields, reason ?? fields.action);
    hubChannels?.audit(event);
  };
}

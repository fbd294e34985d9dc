import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BridgeStatus } from "../protocol/bridge-status.ts";
import type { Hub } from "../core/hub.ts";
import type { Questions } from "../core/questions.ts";
import type { Schedule } from "../core/schedule.ts";
import type { ServerInfo } from "../protocol/server-info.ts";
import { measureBridges } from "./bridge-metrics.ts";
import type { Connections } from "./connections.ts";
import type { LogOutput } from "./log-output.ts";

const PREFIX = "sse_mcp_";

/** Seconds that the log took for a message, or for several that were published together. */
export class LogLatency {
  readonly histogram: Histogram = new Histogram({
    name: `${PREFIX}log_append_seconds`,
    help: "From publishing to the message being kept and offered to readers",
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5],
    registers: [],
  });

  observe(milliseconds: number): void {
    this.histogram.observe(milliseconds / 1000);
  }
}

/** What is measured. */
interface MetricSources {
  readonly hub: Hub;
  readonly schedule: Pick<Schedule, "size" | "late" | "sent" | "dropped">;
  readonly questions: Pick<Questions, "open" | "waiting" | "asked" | "answered" | "timedOut">;
  /** What people were told of questions beside their channels; undefined without `NOTIFY_FILE`. */
  readonly notify: { readonly notifier: { readonly sent: number; readonly failed: number } } | undefined;
  readonly connections: Connections;
  readonly info: () => ServerInfo;
  /** Whether messages are delivered: `ok`, or why not. */
  readonly proof: { readonly state: () => Promise<string> };
  /** Requests refused so far, by the limit that refused them. */
  readonly rateLimits: { readonly refused: ReadonlyMap<string, number> };
  /** Deliveries to webhooks so far; undefined without `HOOKS_FILE`. */
  readonly hooks: { readonly deliveries: { counts(): Iterable<HookCount> } } | undefined;
  /** Undefined without bridges. */
  readonly bridges: { readonly status: () => readonly BridgeStatus[] } | undefined;
  /** The registration with Consul or Eureka; undefined without `DISCOVERY`. */
  readonly discovery: { readonly isRegistered: boolean; readonly failures: number } | undefined;
  readonly webhooks: {
    readonly counters: { readonly delivered: number; readonly failed: number; readonly givenUp: number };
    readonly inFlight: number;
    readonly suspended: number;
  };
}

interface HookCount {
  readonly hook: string;
  readonly verdict: string;
  readonly count: number;
}

/** Limits that figures are compared with. */
interface MetricLimits {
  readonly retentionMessages: number;
  readonly retentionBytes: number;
  readonly maxPendingTotalBytes: number;
}

/** All metrics there are. Counters are read from their sources when they are asked for. */
export function createMetrics(
  {
    hub,
    schedule,
    questions,
    notify,
    connections,
    info,
    proof,
    rateLimits,
    hooks,
    discovery,
    bridges,
    webhooks,
  }: MetricSources,
  latency: LogLatency,
  output: LogOutput,
  limits: MetricLimits,
): Registry {
  const registry = Registry.merge([ofProcess(), new Registry()]);
  registry.registerMetric(latency.histogram);
  const { stats } = hub;
  counter(registry, "messages_published_total", "Messages published through this node", () => stats.published);
  counter(
    registry,
    "messages_delivered_total",
    "Messages handed to live readers, one per reader; not to those that only look on",
    () => stats.delivered,
  );
  counter(
    registry,
    "messages_replayed_total",
    "Messages handed to readers that were catching up",
    () => stats.replayed,
  );
  counter(registry, "sent_bytes_total", "Bytes of messages handed to readers, as they are sent", () => stats.bytes);
  counter(registry, "gaps_total", "Readers told that messages are missing", () => stats.gaps);
  counter(
    registry,
    "slow_readers_cut_total",
    "Readers cut because they did not take what they were sent",
    () => stats.slow,
  );
  counter(
    registry,
    "connections_refused_total",
    "Readers refused because as many were connected as may be",
    () => connections.refused,
  );
  counter(registry, "log_lines_dropped_total", "Log lines that could not be written", () => output.lost);
  gauge(registry, "log_messages", "Messages kept", () => hub.log.size().messages);
  gauge(registry, "log_bytes", "Bytes of messages kept", () => hub.log.size().bytes);
  gauge(registry, "log_channels", "Channels that hold or held messages", () => hub.log.size().channels);
  gauge(registry, "log_messages_limit", "RETENTION_MESSAGES", () => limits.retentionMessages);
  gauge(registry, "log_bytes_limit", "RETENTION_BYTES", () => limits.retentionBytes);
  gauge(registry, "connections_limit", "MAX_CONNECTIONS", () => connections.limit);
  gauge(registry, "pending_bytes", "Bytes that readers have not taken", () => hub.backlog.held);
  gauge(registry, "pending_bytes_limit", "MAX_PENDING_TOTAL_BYTES", () => limits.maxPendingTotalBytes);
  gauge(registry, "delivering", "1 if a message just went through the log and came back, 0 if not", async () =>
    (await proof.state()) === "ok" ? 1 : 0,
  );
  gauge(registry, "subscriptions", "Readers live or catching up, waiting tool calls among them", () => hub.size);
  gauge(registry, "scheduled_messages", "Messages that are scheduled on the hub", () => schedule.size);
  gauge(
    registry,
    "scheduled_late_seconds",
    "Seconds since the first scheduled message that is not published was due; 0 if none is",
    () => schedule.late / 1000,
  );
  counter(registry, "scheduled_published_total", "Scheduled messages that this node published", () => schedule.sent);
  counter(
    registry,
    "scheduled_dropped_total",
    "Scheduled messages not published because who scheduled them may not any more",
    () => schedule.dropped,
  );
  gauge(registry, "questions_open", "Open questions of the hub", () => questions.open);
  gauge(registry, "questions_waiting", "Callers that wait for answers on this node", () => questions.waiting);
  counter(registry, "questions_asked_total", "Questions asked through this node", () => questions.asked);
  counter(
    registry,
    "questions_answered_total",
    "Questions that people answered through this node",
    () => questions.answered,
  );
  counter(
    registry,
    "questions_timed_out_total",
    "Questions that this node closed at their deadline",
    () => questions.timedOut,
  );
  if (notify !== undefined) {
    const { notifier } = notify;
    counter(registry, "notices_sent_total", "Steps in which this node told people of a question", () => notifier.sent);
    counter(registry, "notices_failed_total", "Steps that this node gave up", () => notifier.failed);
  }
  gauge(registry, "hub_nodes", "Nodes of the hub that are heard of, this one included", () => info().nodes.length);
  if (discovery !== undefined) {
    gauge(
      registry,
      "discovery_registered",
      "1 while Consul or Eureka lists the server as in service, 0 otherwise",
      () => Number(discovery.isRegistered),
    );
    counter(registry, "discovery_failures_total", "Requests to Consul or Eureka that failed", () => discovery.failures);
  }
  if (bridges !== undefined) measureBridges(registry, PREFIX, bridges);
  const { counters } = webhooks;
  counter(registry, "webhook_deliveries_total", "Messages that a webhook took", () => counters.delivered);
  counter(registry, "webhook_failures_total", "Tries to deliver to a webhook that failed", () => counters.failed);
  counter(registry, "webhook_given_up_total", "Messages that a webhook refused for a day", () => counters.givenUp);
  gauge(registry, "webhook_deliveries_in_flight", "Deliveries to webhooks in progress", () => webhooks.inFlight);
  gauge(registry, "webhooks_suspended", "Webhooks to which nothing is sent", () => webhooks.suspended);
  const open = new Gauge({
    name: `${PREFIX}connections`,
    help: "Open readers by door",
    labelNames: ["door"],
    registers: [registry],
    collect() {
      for (const door of ["sse", "websocket", "mcp", "waiting"] as const) open.set({ door }, connections.by(door));
    },
  });

  const refusals = new Counter({
    name: `${PREFIX}rate_limited_total`,
    help: "Requests refused because a credential or an address did too much",
    labelNames: ["limit"],
    registers: [registry],
    collect() {
      refusals.reset();
      for (const [limit, count] of rateLimits.refused) refusals.inc({ limit }, count);
    },
  });

  if (hooks !== undefined) {
    const deliveries = new Counter({
      name: `${PREFIX}hook_deliveries_total`,
      help: "Deliveries to each hook at this node, by what became of them",
      labelNames: ["hook", "verdict"],
      registers: [registry],
      collect() {
        deliveries.reset();
        for (const { hook, verdict, count } of hooks.deliveries.counts()) deliveries.inc({ hook, verdict }, count);
      },
    });
  }
  return registry;
}

let ofThisProcess: Registry | undefined;

/** What is measured of the process: once, because its probes cannot be taken back when a server ends. */
function ofProcess(): Registry {
  if (ofThisProcess === undefined) {
    ofThisProcess = new Registry();
    collectDefaultMetrics({ register: ofThisProcess });
  }
  return ofThisProcess;
}

/** A counter whose value is counted elsewhere. */
function counter(registry: Registry, name: string, help: string, value: () => number): void {
  let last = 0;
  const metric = new Counter({
    name: PREFIX + name,
    help,
    registers: [registry],
    collect() {
      const now = value();
      metric.inc(now - last);
      last = now;
    },
  });
}

function gauge(registry: Registry, name: string, help: string, value: () => number | Promise<number>): void {
  const metric: Gauge = new Gauge({
    name: PREFIX + name,
    help,
    registers: [registry],
    async collect() {
      metric.set(await value());
    },
  });
}

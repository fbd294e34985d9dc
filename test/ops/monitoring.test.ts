import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { deliver, githubHook, HooksFile } from "../support/hooks.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/free-port.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const ALERTS = join(DEPLOY, "prometheus/alerts.yaml");
const INSTALL = "apt-get install prometheus";

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
}

const dashboard = JSON.parse(readFileSync(join(DEPLOY, "grafana/sse-mcp-server.json"), "utf8")) as Dashboard;

/** A Prometheus that scrapes one hub five times a second and knows the alert rules. */
class Prometheus implements AsyncDisposable {
  readonly #folder = new TemporaryFolder();
  readonly #child: ReturnType<typeof spawn>;
  readonly #url: string;

  constructor(port: number, target: number) {
    this.#url = `http://127.0.0.1:${port}`;
    const config = this.#folder.file("prometheus.yml");
    const scrape = { job_name: "sse-mcp-server", static_configs: [{ targets: [`127.0.0.1:${target}`] }] };
    const global = { scrape_interval: "200ms", scrape_timeout: "200ms", evaluation_interval: "1s" };
    writeFileSync(config, JSON.stringify({ global, rule_files: [ALERTS], scrape_configs: [scrape] }));
    const flags = [`--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${this.#folder.file("data")}`];
    this.#child = spawn("prometheus", [`--config.file=${config}`, ...flags], { stdio: "ignore" });
  }

  /** What a query gives now. */
  async values(query: string): Promise<readonly number[]> {
    const result = (await this.ask(`query?query=${encodeURIComponent(query)}`)) as {
      readonly result: readonly { readonly value: readonly [number, string] }[];
    };
    return result.result.map(({ value }) => Number(value[1]));
  }

  async ask(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const { data, error } = (await response.json()) as { data: unknown; error?: string };
    if (!response.ok) throw new Error(`${path}: ${error}`);
    return data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await ended;
    this.#folder[Symbol.dispose]();
  }
}

const HUBS = ["a", "b"].map((instance) => `job="sse-mcp-server",instance="${instance}"`);
const [A = "", B = ""] = HUBS;
/** Two hubs that do well, for two hours: values by minute, as promtool writes them. */
const WELL: Readonly<Record<string, string>> = Object.fromEntries(
  HUBS.flatMap((hub) => [
    [`up{${hub}}`, "1x120"],
    [`sse_mcp_delivering{${hub}}`, "1x120"],
    [`sse_mcp_hub_nodes{${hub}}`, "2x120"],
    [`sse_mcp_log_append_seconds_bucket{${hub},le="0.001"}`, "0+100x120"],
    [`sse_mcp_log_append_seconds_bucket{${hub},le="1"}`, "0+100x120"],
    [`sse_mcp_log_append_seconds_bucket{${hub},le="+Inf"}`, "0+100x120"],
    [`sse_mcp_slow_readers_cut_total{${hub}}`, "0x120"],
    [`sse_mcp_gaps_total{${hub}}`, "0x120"],
    [`sse_mcp_connections_refused_total{${hub}}`, "0x120"],
    [`sse_mcp_log_lines_dropped_total{${hub}}`, "0x120"],
    [`sse_mcp_connections{${hub},door="sse"}`, "300x120"],
    [`sse_mcp_connections{${hub},door="websocket"}`, "300x120"],
    [`sse_mcp_connections_limit{${hub}}`, "1000x120"],
    [`sse_mcp_pending_bytes{${hub}}`, "10x120"],
    [`sse_mcp_pending_bytes_limit{${hub}}`, "100x120"],
    [`sse_mcp_log_bytes{${hub}}`, "50x120"],
    [`sse_mcp_log_bytes_limit{${hub}}`, "100x120"],
    [`sse_mcp_log_messages{${hub}}`, "50x120"],
    [`sse_mcp_log_messages_limit{${hub}}`, "100x120"],
    [`nodejs_eventloop_lag_p99_seconds{${hub}}`, "0.01x120"],
    [`sse_mcp_bridge_up{${hub},bridge="orders"}`, "1x120"],
    [`sse_mcp_bridge_messages_total{${hub},bridge="orders",outcome="received"}`, "0+100x120"],
    [`sse_mcp_bridge_messages_total{${hub},bridge="orders",outcome="rejected"}`, "1x120"],
    [`sse_mcp_scheduled_late_seconds{${hub}}`, "0x120"],
  ]),
);

/** For each alert, what happens to hub `a` after an hour of doing well. */
const TROUBLE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  HubDown: { [`up{${A}}`]: "1x60 0x60" },
  HubAbsent: { [`up{${A}}`]: "1x60 stale", [`up{${B}}`]: "1x60 stale" },
  HubNotDelivering: { [`sse_mcp_delivering{${A}}`]: "1x60 0x60" },
  HubSlowLog: { [`sse_mcp_log_append_seconds_bucket{${A},le="0.001"}`]: "0+100x60 6000+0x60" },
  HubReadersCut: { [`sse_mcp_slow_readers_cut_total{${A}}`]: "0x60 0+5x60" },
  HubReadersMissMessages: { [`sse_mcp_gaps_total{${A}}`]: "0x60 0+5x60" },
  HubNearMaxConnections: { [`sse_mcp_connections{${A},door="sse"}`]: "300x60 600x60" },
  HubRefusesReaders: { [`sse_mcp_connections_refused_total{${A}}`]: "0x60 0+1x60" },
  HubPendingBytes: { [`sse_mcp_pending_bytes{${A}}`]: "10x60 90x60" },
  // They have not heard of each other since they started.
  HubNodesDisagree: { [`sse_mcp_hub_nodes{${A}}`]: "1x120" },
  HubNodeLost: {
    [`up{${B}}`]: "1x60 stale",
    [`sse_mcp_hub_nodes{${A}}`]: "2x60 1x60",
    [`sse_mcp_hub_nodes{${B}}`]: "2x60 stale",
  },
  HubEventLoopDelayed: { [`nodejs_eventloop_lag_p99_seconds{${A}}`]: "0.01x60 0.5x60" },
  HubRetentionFull: { [`sse_mcp_log_bytes{${A}}`]: "50x60 99x60" },
  HubBridgeDown: { [`sse_mcp_bridge_up{${A},bridge="orders"}`]: "1x60 0x60" },
  HubBridgeDropsMessages: {
    [`sse_mcp_bridge_messages_total{${A},bridge="orders",outcome="rejected"}`]: "1x60 1+1x60",
  },
  HubScheduledLate: { [`sse_mcp_scheduled_late_seconds{${A}}`]: "0x60 60+60x60" },
  HubWebhookSuspended: { [`sse_mcp_webhooks_suspended{${A}}`]: "0x60 1x60" },
  HubLogLinesDropped: { [`sse_mcp_log_lines_dropped_total{${A}}`]: "0x60 0+1x60" },
};

const FIRING = 'group by (alertname) (ALERTS{alertstate="firing"})';

function scenario(
  series: Readonly<Record<string, string>>,
  alerts: readonly string[],
  early: readonly string[],
): object {
  const at = (time: string, names: readonly string[]): object => ({
    expr: FIRING,
    eval_time: time,
    exp_samples: names.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
  });
  const input = Object.entries({ ...WELL, ...series }).map(([name, values]) => ({ series: name, values }));
  return { interval: "1m", input_series: input, promql_expr_test: [at("55m", early), at("80m", alerts)] };
}

describe("the alert rules", () => {
  it("fire one at a time, each for its own fault, and not while two hubs are healthy", (test) => {
    const isThere = spawnSync("promtool", ["--version"]).status === 0;
    if (!needs(test, "promtool", isThere, INSTALL)) return;
    const named = [...readFileSync(ALERTS, "utf8").matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name);
    assert.deepEqual(Object.keys(TROUBLE).sort(), named.sort());
    using folder = new TemporaryFolder();
    const file = folder.file("tests.yaml");
    const tests = Object.entries(TROUBLE).map(([name, series]) =>
      scenario(series, [name], name === "HubNodesDisagree" ? [name] : []),
    );
    writeFileSync(
      file,
      JSON.stringify({ rule_files: [ALERTS], evaluation_interval: "1m", tests: [scenario({}, [], []), ...tests] }),
    );
    const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", file], { encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  });
});

describe("the dashboard and the rules", () => {
  it("ask a real Prometheus that scrapes a hub only for what it has", async (test) => {
    const isThere = spawnSync("prometheus", ["--version"]).status === 0;
    if (!needs(test, "prometheus", isThere, INSTALL)) return;
    if (!needsEngine(test)) return;
    await using bus = await startEngine();
    await bus.cli("XADD", "orders", "*", "data", "1");
    using hooks = new HooksFile(githubHook());
    using folder = new TemporaryFolder();
    const notifyFile = folder.file("notify.json");
    writeFileSync(notifyFile, '{"steps":[{"name":"browsers","channels":["*"],"webPush":{}}]}');
    await using server = await startServer({
      notifyFile,
      publicUrl: "https://hub.example",
      auth: "none",
      rateLimits: "on",
      limitToolCalls: 1,
      hooksFile: hooks.path,
      bridges: [{ name: "orders", kind: "redis", connection: bus.url, in: [{ stream: "orders", channel: "orders" }] }],
    });
    await using prometheus = new Prometheus(await freePort(), server.port);
    using reader = await server.events("?channel=a");
    const calls = Array.from({ length: 20 }, () => server.request("/mcp/tools/call", { method: "POST", body: CALL }));
    assert.ok((await Promise.all(calls)).some(({ status }) => status === 429));
    const exprs = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    assert.ok(exprs.length > 20);
    const names = [...readFileSync(ALERTS, "utf8").matchAll(/\b(?:sse_mcp|nodejs)_\w+\b/g)].map(([name]) => name);
    const queries = [...exprs.map(filledIn), ...new Set(names)];
    let left = queries;
    await until("each query has data", async () => {
      await server.publish("a", 1).catch(() => {});
      await deliver(server, { n: 1 });
      const found = await Promise.all(left.map((query) => prometheus.values(query).catch(() => [])));
      left = left.filter((_, index) => !found[index]?.some((value) => !Number.isNaN(value)));
      return left.length === 0;
    }).catch((error: unknown) => assert.fail(`${String(error)}: ${left.join("\n")}`));
    const { groups } = (await prometheus.ask("rules?type=alert")) as { groups: readonly { rules: readonly Rule[] }[] };
    const rules = groups.flatMap((group) => group.rules);
    assert.equal(rules.length, Object.keys(TROUBLE).length);
    await until("all rules were evaluated", async () => {
      const again = (await prometheus.ask("rules?type=alert")) as { groups: readonly { rules: readonly Rule[] }[] };
      return again.groups.flatMap((group) => group.rules).every(({ health }) => health === "ok");
    });
    for (const { definition = "" } of dashboard.templating.list) {
      const [, selector] = /^label_values\((.+), (?:job|instance)\)$/.exec(definition) ?? [];
      if (definition !== "") assert.equal((await prometheus.values(filledIn(selector ?? ""))).length, 1, definition);
    }
    reader.close();
  });

  it("show each metric of ours that a hub has", async () => {
    const bridge = { name: "orders", kind: "redis", connection: "redis://127.0.0.1:1" };
    await using server = await startServer({ bridges: [{ ...bridge, in: [{ stream: "orders", channel: "a" }] }] });
    const { text } = await server.request("/metrics");
    const shown = JSON.stringify(dashboard) + readFileSync(ALERTS, "utf8");
    const names = [...text.matchAll(/^# TYPE (sse_mcp_\w+) /gm)].map(([, name = ""]) => name);
    assert.deepEqual(
      names.filter((name) => !shown.includes(name)),
      [],
    );
    const documented = readFileSync(join(DEPLOY, "../docs/observability.md"), "utf8");
    for (const name of names) assert.ok(documented.includes(name), `${name} is not in docs/observability.md`);
  });
});

interface Rule {
  readonly health: string;
}

const CALL = '{"params":{"name":"list_channels"}}';

/** A query as Grafana would send it. */
function filledIn(expr: string): string {
  return expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*").replaceAll("$job", "sse-mcp-server");
}

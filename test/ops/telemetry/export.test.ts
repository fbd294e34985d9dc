import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cli, runCli } from "../../support/cli.ts";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { needs } from "../../support/needs.ts";
import { canDecode, OtlpReceiver, record } from "../../support/otlp-receiver.ts";
import { request } from "../../support/request.ts";
import { startServer } from "../../support/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const PYTHON = ".cache/python/bin/pip install opentelemetry-proto (see .ci/run)";

/** A hub as a process of its own. */
class Hub implements AsyncDisposable {
  readonly folder = new TemporaryFolder();
  readonly cli: Cli;

  constructor(env: Readonly<Record<string, string>>) {
    const words = ["--port=0", "--data=memory:", `--log-file=${this.logFile}`, "--drain=0"];
    this.cli = new Cli(["serve", ...words], { env, open: true });
  }

  get logFile(): string {
    return this.folder.file("hub.log");
  }

  get lines(): readonly { readonly level: number; readonly msg: string }[] {
    const text = readFileSync(this.logFile, "utf8").split("\n").slice(0, -1);
    return text.map((line) => JSON.parse(line) as { level: number; msg: string });
  }

  url(): Promise<string> {
    return this.cli.url();
  }

  async publish(channel: string, headers: object = {}): Promise<number> {
    const url = `${await this.url()}/channels/${channel}/messages`;
    return (await request(url, { method: "POST", headers: { ...headers, "content-type": "text/plain" }, body: "x" }))
      .status;
  }

  async stop(): Promise<number> {
    this.cli.child.kill("SIGTERM");
    return this.cli.exit();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cli.child.kill("SIGKILL");
    await this.cli.exit();
    this.folder[Symbol.dispose]();
  }
}

describe("OpenTelemetry", () => {
  it("is not loaded unless an endpoint is set, nor if it is disabled", async () => {
    using folder = new TemporaryFolder();
    const hook = folder.file("hook.mjs");
    // The metrics of Prometheus need the interfaces of OpenTelemetry; everything else of it counts.
    const listing = `
      import { registerHooks } from "node:module";
      const OURS = new RegExp("opentelemetry/(?!api/)|ops/telemetry");
      const load = (url, context, next) => {
        if (OURS.test(url)) process.stderr.write("loaded " + url + "\\n");
        return next(url, context);
      };
      registerHooks({ load });
    `;
    writeFileSync(hook, listing);
    const loaded = async (env: Readonly<Record<string, string>>): Promise<number> => {
      await using hub = new Hub({ NODE_OPTIONS: `--import=${hook}`, ...env });
      await hub.publish("a");
      return hub.cli.stderr.match(/^loaded /gm)?.length ?? 0;
    };
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
    assert.equal(await loaded({}), 0);
    assert.equal(await loaded({ OTEL_SERVICE_NAME: "hub", OTEL_TRACES_SAMPLER: "always_on" }), 0);
    assert.equal(await loaded({ ...endpoint, OTEL_SDK_DISABLED: "true" }), 0);
    assert.ok((await loaded(endpoint)) > 10);
  });

  it("exports traces and metrics in protobuf by default, with names, headers and attributes as asked", async (test) => {
    if (!needs(test, "the Python package opentelemetry-proto", canDecode(), PYTHON)) return;
    await using receiver = await OtlpReceiver.open();
    await using hub = new Hub({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20secret",
      OTEL_SERVICE_NAME: "orders-hub",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,service.instance.id=one",
    });
    assert.equal(await hub.publish("a"), 201);
    // The schedules are those of OpenTelemetry, five seconds and a minute: the end brings what is left.
    assert.equal(await hub.stop(), 0);
    const [published] = await receiver.named("publish a");
    assert.equal(published?.kind, 4);
    assert.equal(published?.resource["service.name"], "orders-hub");
    assert.equal(published?.resource["service.instance.id"], "one");
    assert.equal(published?.resource["deployment.environment.name"], "test");
    assert.match(String(published?.resource["service.version"]), /^\d+\.\d+\.\d+/);
    assert.deepEqual([...receiver.paths].sort(), ["/v1/metrics", "/v1/traces"]);
    for (const headers of receiver.headers) {
      assert.equal(headers.authorization, "Bearer secret");
      assert.equal(headers["content-type"], "application/x-protobuf");
    }
    assert.ok(receiver.metrics.has("sse_mcp_messages_published_total"));
    assert.doesNotMatch(readFileSync(hub.logFile, "utf8"), /secret/);
  });

  it("exports the metrics of /metrics, all of them, with the same names and values", async () => {
    await using receiver = await OtlpReceiver.open();
    await using hub = new Hub({
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${receiver.url}/v1/metrics`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "200",
    });
    for (let count = 0; count < 3; count++) await hub.publish("a");
    const point = (name: string) => receiver.metrics.get(name);
    const published = () => point("sse_mcp_messages_published_total")?.sum;
    await until("it is exported", () => published()?.dataPoints[0]?.asDouble === 3);
    assert.equal(published()?.isMonotonic, true);
    const { text } = await request(`${await hub.url()}/metrics`);
    const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name);
    assert.deepEqual([...receiver.metrics.keys()].sort(), names.sort());
    for (const [name, { description }] of receiver.metrics) {
      assert.ok(text.includes(`# HELP ${name} ${description}\n`), name);
    }
    assert.deepEqual(
      point("sse_mcp_connections")?.gauge?.dataPoints.map(({ attributes }) => record(attributes)),
      ["sse", "websocket", "mcp", "waiting"].map((door) => ({ door })),
    );
    const [seconds] = point("sse_mcp_log_append_seconds")?.histogram?.dataPoints ?? [];
    assert.equal(Number(seconds?.count), 3);
    assert.equal(
      seconds?.bucketCounts?.reduce((sum: number, count) => sum + Number(count), 0),
      3,
    );
    assert.equal(seconds?.bucketCounts?.length, (seconds?.explicitBounds?.length ?? 0) + 1);
    assert.equal(point("sse_mcp_log_append_seconds")?.unit, "s");
    assert.deepEqual([...receiver.paths], ["/v1/metrics"]);
    assert.deepEqual(receiver.spans, []);
  });

  it("does not stop or slow the hub while its endpoint is away: one line says so, and one that it is back", async () => {
    const before = await OtlpReceiver.open();
    const { port } = before;
    await before[Symbol.asyncDispose]();
    await using hub = new Hub({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:secret@127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_TIMEOUT: "300",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_BSP_SCHEDULE_DELAY: "50",
    });
    const failures = () => hub.lines.filter(({ msg }) => msg.startsWith("traces are not exported"));
    assert.equal(await hub.publish("a"), 201);
    await until("it says so", () => failures().length === 1);
    assert.match(
      failures()[0]?.msg ?? "",
      /^traces are not exported to http:\/\/\S*127\.0\.0\.1:\d+: .+; they are dropped$/,
    );
    assert.doesNotMatch(failures()[0]?.msg ?? "", /secret/);
    for (let count = 0; count < 20; count++) assert.equal(await hub.publish("a"), 201);
    await using receiver = await OtlpReceiver.open(port);
    await until("it is back", async () => {
      await hub.publish("a");
      return hub.lines.some(({ msg }) => msg === "traces are exported again");
    });
    assert.equal(failures().length, 1);
    assert.ok((await receiver.named("publish a")).length > 0);
  });

  for (const [endpoint, shown] of [
    ["us:secret@127.0.0.1:1", "***@127.0.0.1:1"],
    ["http://secret@127.0.0.1:1", "http://***@127.0.0.1:1"],
    ["http://127.0.0.1:1/v1/traces?key=secret", "http://127.0.0.1:1/v1/traces?***"],
  ] as const) {
    it(`says that ${shown} does not take traces, and no secret`, async () => {
      await using hub = new Hub({
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint,
        OTEL_EXPORTER_OTLP_TIMEOUT: "300",
        OTEL_BSP_SCHEDULE_DELAY: "50",
      });
      const failure = () => hub.lines.find(({ msg }) => msg.startsWith("traces are not exported"))?.msg ?? "";
      assert.equal(await hub.publish("a"), 201);
      await until("it says so", () => failure() !== "");
      assert.ok(failure().startsWith(`traces are not exported to ${shown}: `), failure());
      assert.doesNotMatch(failure(), /secret/);
    });
  }

  it("ends with the hub in a bounded time while its endpoint takes what it is sent and never answers", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    try {
      await using hub = new Hub({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
      await hub.publish("a");
      const start = performance.now();
      assert.equal(await hub.stop(), 0);
      assert.ok(performance.now() - start < 10_000);
    } finally {
      silent.close();
    }
  });

  it("samples as asked, and what is not sampled leaves no place in the log", async () => {
    await using receiver = await OtlpReceiver.open();
    await using hub = new Hub({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_TRACES_SAMPLER: "parentbased_always_off",
      OTEL_BSP_SCHEDULE_DELAY: "20",
    });
    await hub.publish("unsampled");
    await hub.publish("sampled", { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` });
    await receiver.named("deliver sampled");
    assert.deepEqual(receiver.spans.map(({ name }) => name).sort(), [
      "POST /channels/:channel/messages",
      "deliver sampled",
      "publish sampled",
    ]);
  });

  it("says which of its variables it cannot follow, and the hub goes on", async () => {
    const wrong: readonly [Record<string, string>, RegExp][] = [
      [
        { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
        /^OTEL_EXPORTER_OTLP_PROTOCOL is "grpc", so traces are not exported; use http\/protobuf or http\/json/,
      ],
      [{ OTEL_TRACES_EXPORTER: "zipkin" }, /^OTEL_TRACES_EXPORTER is "zipkin", so traces are not exported; use otlp/],
      [{ OTEL_TRACES_SAMPLER: "some" }, /^OTEL_TRACES_SAMPLER is "some", so all traces are sampled; use always_on/],
      [
        { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" },
        /^OTEL_TRACES_SAMPLER_ARG is "2", so all traces are sampled; use a number from 0 to 1$/,
      ],
    ];
    for (const [variables, sentence] of wrong) {
      using folder = new TemporaryFolder();
      const logFile = folder.file("hub.log");
      Object.assign(process.env, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", ...variables });
      await using server = await startServer({ telemetry: true, logLevel: "warn", logFile });
      for (const name of Object.keys(variables)) delete process.env[name];
      await server.publish("a", 1);
      await until("it says so", () =>
        readFileSync(logFile, "utf8")
          .split("\n")
          .slice(0, -1)
          .some((line) => sentence.test((JSON.parse(line) as { msg: string }).msg)),
      );
    }
  });

  it("goes on with the trace of the program that publishes from the command line", async () => {
    await using receiver = await OtlpReceiver.open();
    await using hub = new Hub({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "20",
    });
    const trace = "c".repeat(32);
    const env = { TRACEPARENT: `00-${trace}-${"d".repeat(16)}-01` };
    await runCli(["publish", "a", "x", "--url", await hub.url()], { env });
    assert.equal((await receiver.named("deliver a"))[0]?.traceId, trace);
    await runCli(["publish", "b", "x", "--url", await hub.url()], { env: { TRACEPARENT: "a\nb" } });
    assert.notEqual((await receiver.named("deliver b"))[0]?.traceId, trace);
  });
});

import { ExportResultCode, type ExportResult } from "@opentelemetry/core";
import { OTLPMetricExporter as JsonMetrics } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtobufMetrics } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Tracer } from "../../core/trace.ts";
import { oneLine } from "../../protocol/text.ts";
import { batchOptions, protocolOf, readerOptions, samplerOf, shownEndpoint, type Signal } from "./environment.ts";
import { MetricsSource, type MetricReading } from "./metrics.ts";
import { Spans } from "./spans.ts";

/** What the server exports of itself. */
export interface Telemetry {
  /** Undefined if traces are not exported. */
  readonly tracer: Tracer | undefined;
  /** Exports what `read` returns, at the interval of the environment. */
  exportMetrics(read: () => Promise<readonly MetricReading[]>): void;
  /** Exports what is left, and ends; resolves after `timeout` milliseconds at the latest. */
  close(timeout: number): Promise<void>;
}

export interface TelemetryOptions {
  readonly name: string;
  readonly version: string;
  /** The name of this process among the nodes of the hub. */
  readonly node: string;
  readonly report: (sentence: string) => void;
}

const MAX_REASON = 200;

/** Exports traces and metrics by OTLP, as the `OTEL_…` variables of the process say. Import this file only if they ask for it: it loads the SDK. */
export function openTelemetry({ name, version, node, report }: TelemetryOptions): Telemetry {
  const own = { "service.name": name, "service.version": version, "service.instance.id": node };
  const resource = defaultResource()
    .merge(resourceFromAttributes(own))
    .merge(detectResources({ detectors: [envDetector] }));
  const traces = protocolOf("traces", report);
  const metrics = protocolOf("metrics", report);
  const open: { forceFlush(): Promise<void>; shutdown(): Promise<void> }[] = [];
  let tracer: Tracer | undefined;
  if (traces !== undefined) {
    const exporter = watched(traces === "json" ? new JsonTraces() : new ProtobufTraces(), "traces", report);
    const provider = new TracerProvider({
      resource,
      sampler: samplerOf(report),
      spanProcessors: [new BatchSpanProcessor({ exporter, ...batchOptions() })],
    });
    open.push(provider);
    tracer = new Spans(provider.getTracer(name, version));
  }
  return {
    tracer,
    exportMetrics(read) {
      if (metrics === undefined) return;
      const exporter = watched(metrics === "json" ? new JsonMetrics() : new ProtobufMetrics(), "metrics", report);
      const source = new MetricsSource({ name, version }, read);
      const reader = new PeriodicExportingMetricReader({ exporter, metricProducers: [source], ...readerOptions() });
      open.push(new MeterProvider({ resource, readers: [reader] }));
    },
    async close(timeout) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeout)));
      const closed = open.map((provider) => provider.shutdown().catch(() => {}));
      await Promise.race([Promise.all(closed), late]);
      clearTimeout(timer);
    },
  };
}

interface Exporter<Item> {
  export(items: Item, callback: (result: ExportResult) => void): void;
}

/** Reports when an exporter begins to fail, and when it works again: the SDK reports neither. */
function watched<Item, Wrapped extends Exporter<Item>>(
  exporter: Wrapped & Exporter<Item>,
  signal: Signal,
  report: (sentence: string) => void,
): Wrapped {
  const send = exporter.export.bind(exporter);
  let isFailing = false;
  exporter.export = (items, callback) =>
    send(items, (result) => {
      const fails = result.code !== ExportResultCode.SUCCESS;
      if (fails && !isFailing) {
        const reason = oneLine((result.error?.message ?? "").slice(0, MAX_REASON));
        report(`${signal} are not exported to ${shownEndpoint(signal)}: ${reason}; they are dropped`);
      } else if (!fails && isFailing) report(`${signal} are exported again`);
      isFailing = fails;
      callback(result);
    });
  return exporter;
}

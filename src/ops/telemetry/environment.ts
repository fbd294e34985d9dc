import { getNumberFromEnv, getStringFromEnv } from "@opentelemetry/core";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from "@opentelemetry/sdk-trace";

export type Signal = "traces" | "metrics";

/** The protocol in which a signal is exported; undefined if it is not exported. Reports wrong values of the environment. */
export function protocolOf(signal: Signal, report: (sentence: string) => void): "json" | "protobuf" | undefined {
  const name = signal.toUpperCase();
  if (endpointOf(signal) === undefined) return undefined;
  const exporter = getStringFromEnv(`OTEL_${name}_EXPORTER`) ?? "otlp";
  if (exporter === "none") return undefined;
  if (exporter !== "otlp") {
    report(`OTEL_${name}_EXPORTER is ${JSON.stringify(exporter)}, so ${signal} are not exported; use otlp or none`);
    return undefined;
  }
  const variables = [`OTEL_EXPORTER_OTLP_${name}_PROTOCOL`, "OTEL_EXPORTER_OTLP_PROTOCOL"];
  const variable = variables.find((candidate) => getStringFromEnv(candidate) !== undefined);
  const protocol = variable === undefined ? "http/protobuf" : getStringFromEnv(variable);
  if (protocol === "http/protobuf") return "protobuf";
  if (protocol === "http/json") return "json";
  report(
    `${variable} is ${JSON.stringify(protocol)}, so ${signal} are not exported; use http/protobuf or http/json, and the port of OTLP over HTTP, often 4318`,
  );
  return undefined;
}

/** The endpoint for log lines, without what may be a credential, however it is written. */
export function shownEndpoint(signal: Signal): string {
  const endpoint = endpointOf(signal) ?? "";
  return endpoint.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1***@").replace(/\?.*/s, "?***");
}

/** What `OTEL_EXPORTER_OTLP_ENDPOINT` or that of the signal says. */
function endpointOf(signal: Signal): string | undefined {
  return (
    getStringFromEnv(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`) ??
    getStringFromEnv("OTEL_EXPORTER_OTLP_ENDPOINT")
  );
}

/** `OTEL_TRACES_SAMPLER` with its argument. */
export function samplerOf(report: (sentence: string) => void): Sampler {
  const name = getStringFromEnv("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on";
  const [, parentBased, kind] = /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name) ?? [];
  if (kind === undefined) {
    report(
      `OTEL_TRACES_SAMPLER is ${JSON.stringify(name)}, so all traces are sampled; use always_on, always_off, traceidratio, or one of these after parentbased_`,
    );
  }
  const root =
    kind === "always_off"
      ? new AlwaysOffSampler()
      : kind === "traceidratio"
        ? new TraceIdRatioBasedSampler(ratio(report))
        : new AlwaysOnSampler();
  return kind !== undefined && parentBased === undefined ? root : new ParentBasedSampler({ root });
}

/** The options of the batches of spans that the environment sets. */
export function batchOptions(): Record<string, number> {
  return {
    ...numberFrom("OTEL_BSP_SCHEDULE_DELAY", "scheduledDelayMillis"),
    ...numberFrom("OTEL_BSP_EXPORT_TIMEOUT", "exportTimeoutMillis"),
    ...numberFrom("OTEL_BSP_MAX_QUEUE_SIZE", "maxQueueSize"),
    ...numberFrom("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "maxExportBatchSize"),
  };
}

/** The options of the export of metrics; the SDK refuses a time-out that is longer than the interval. */
export function readerOptions(): Record<string, number> {
  const interval = numberFrom("OTEL_METRIC_EXPORT_INTERVAL", "exportIntervalMillis");
  const timeout = numberFrom("OTEL_METRIC_EXPORT_TIMEOUT", "exportTimeoutMillis");
  const { exportIntervalMillis: maxTimeout = 60_000 } = interval;
  return { ...interval, exportTimeoutMillis: Math.min(timeout["exportTimeoutMillis"] ?? 30_000, maxTimeout) };
}

function ratio(report: (sentence: string) => void): number {
  const text = getStringFromEnv("OTEL_TRACES_SAMPLER_ARG");
  const value = Number(text ?? 1);
  if (value >= 0 && value <= 1) return value;
  report(`OTEL_TRACES_SAMPLER_ARG is ${JSON.stringify(text)}, so all traces are sampled; use a number from 0 to 1`);
  return 1;
}

function numberFrom(variable: string, option: string): Record<string, number> {
  const value = getNumberFromEnv(variable);
  return value === undefined || value <= 0 ? {} : { [option]: value };
}

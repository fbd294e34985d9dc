import { millisToHrTime, type InstrumentationScope } from "@opentelemetry/core";
import type { Attributes, HrTime } from "@opentelemetry/api";
import { ValueType } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type MetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";

/** A metric as prom-client gives it. */
export interface MetricReading {
  readonly name: string;
  readonly help: string;
  readonly type: unknown;
  readonly values: readonly Sample[];
}

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Partial<Record<string, string | number>>>;
  /** The name of the sample, if it differs from that of the metric. */
  readonly metricName?: string;
}

/** Produces the metrics of `/metrics` for OpenTelemetry, under the same names. */
export class MetricsSource implements MetricProducer {
  readonly #scope: InstrumentationScope;
  readonly #read: () => Promise<readonly MetricReading[]>;
  readonly #start: HrTime = millisToHrTime(performance.timeOrigin);

  constructor(scope: InstrumentationScope, read: () => Promise<readonly MetricReading[]>) {
    this.#scope = scope;
    this.#read = read;
  }

  async collect(): Promise<CollectionResult> {
    const readings = await this.#read();
    const now = millisToHrTime(Date.now());
    const metrics = readings.map((reading) => this.#metric(reading, now)).filter((metric) => metric !== undefined);
    return {
      resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope: this.#scope, metrics }] },
      errors: [],
    };
  }

  #metric({ name, help, type, values }: MetricReading, endTime: HrTime): MetricData | undefined {
    const common = {
      descriptor: { name, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
    };
    const times = { startTime: this.#start, endTime };
    const points = values.map(({ value, labels }) => ({ ...times, attributes: attributesOf(labels), value }));
    switch (type) {
      case "counter":
        return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: points };
      case "gauge":
        return { ...common, dataPointType: DataPointType.GAUGE, dataPoints: points };
      case "histogram":
        return {
          ...common,
          dataPointType: DataPointType.HISTOGRAM,
          dataPoints: histograms(values).map(({ attributes, value }) => ({ ...times, attributes, value })),
        };
      default:
        return undefined;
    }
  }
}

interface Histogram {
  readonly buckets: { readonly boundaries: number[]; readonly counts: number[] };
  count: number;
  sum: number;
}

/** The histograms of a metric, from their samples: the buckets, which are cumulative here, the sum and the count. */
function histograms(values: readonly Sample[]): readonly { attributes: Attributes; value: Histogram }[] {
  const found = new Map<string, { attributes: Attributes; value: Histogram; before: number }>();
  for (const { value, labels, metricName = "" } of values) {
    const { le, ...rest } = labels;
    const attributes = attributesOf(rest);
    const key = JSON.stringify(attributes);
    let one = found.get(key);
    if (one === undefined) {
      one = { attributes, value: { buckets: { boundaries: [], counts: [] }, count: 0, sum: 0 }, before: 0 };
      found.set(key, one);
    }
    if (le !== undefined) {
      if (le !== "+Inf") one.value.buckets.boundaries.push(Number(le));
      one.value.buckets.counts.push(value - one.before);
      one.before = value;
    } else if (metricName.endsWith("_sum")) one.value.sum = value;
    else if (metricName.endsWith("_count")) one.value.count = value;
  }
  return [...found.values()];
}

function attributesOf(labels: Sample["labels"]): Attributes {
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== undefined));
}

/** The unit at the end of a Prometheus name, as OpenTelemetry writes it (UCUM). */
function unitOf(name: string): string {
  const [, unit = ""] = /_(seconds|bytes)(?:_total)?$/.exec(name) ?? [];
  return unit === "seconds" ? "s" : unit === "bytes" ? "By" : "";
}

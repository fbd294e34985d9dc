import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { until } from "./until.ts";

const PYTHON = join(import.meta.dirname, "../../.cache/python/bin/python");
/** Reads an export as the definitions that OpenTelemetry publishes say it, and writes it as JSON. */
const DECODE = `
import sys
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
kind = ExportTraceServiceRequest if sys.argv[1] == "traces" else ExportMetricsServiceRequest
print(MessageToJson(kind.FromString(sys.stdin.buffer.read())))
`;

/** Whether exports in protobuf can be read. */
export function canDecode(): boolean {
  return existsSync(PYTHON) && spawnSync(PYTHON, ["-c", "import opentelemetry.proto.trace"]).status === 0;
}

type Value = string | number | boolean;

/** A span as it was exported. */
export interface SeenSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly links: readonly string[];
  /** In nanoseconds. */
  readonly start: bigint;
  readonly end: bigint;
  readonly resource: Readonly<Record<string, Value>>;
}

/** One point of a metric as it was exported. */
export interface SeenPoint {
  readonly value: number;
  readonly attributes: Readonly<Record<string, Value>>;
}

interface KeyValue {
  readonly key: string;
  readonly value: { stringValue?: string; intValue?: string | number; doubleValue?: number; boolValue?: boolean };
}

interface Point {
  readonly asDouble?: number;
  readonly asInt?: string;
  readonly count?: string | number;
  readonly sum?: number;
  readonly bucketCounts?: readonly (string | number)[];
  readonly explicitBounds?: readonly number[];
  readonly attributes?: readonly KeyValue[];
}

export interface SeenMetric {
  readonly name: string;
  readonly description: string;
  readonly unit?: string;
  readonly sum?: { readonly dataPoints: readonly Point[]; readonly isMonotonic: boolean };
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly histogram?: { readonly dataPoints: readonly Point[] };
}

/** A receiver of OTLP over HTTP, such as a Collector. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: SeenSpan[] = [];
  /** The last that was exported of each metric. */
  readonly metrics: Map<string, SeenMetric> = new Map();
  readonly headers: IncomingHttpHeaders[] = [];
  readonly paths: Set<string> = new Set();
  /** The status of its answers. */
  status = 200;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(port = 0): Promise<OtlpReceiver> {
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = await buffer(request);
      const { url = "", headers } = request;
      receiver.paths.add(url);
      receiver.headers.push(headers);
      if (receiver.status === 200) receiver.#take(url.endsWith("traces") ? "traces" : "metrics", headers, body);
      response.writeHead(receiver.status, { "content-type": headers["content-type"] ?? "" }).end();
    };
    const server = createServer((request, response) => void answer(request, response));
    const receiver = new OtlpReceiver(server);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The spans of a name, once there are so many. */
  async named(name: string, count = 1): Promise<readonly SeenSpan[]> {
    const found = (): readonly SeenSpan[] => this.spans.filter((span) => span.name === name);
    await until(`${count} spans ${name}`, () => found().length >= count);
    return found();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(signal: "traces" | "metrics", headers: IncomingHttpHeaders, body: Buffer): void {
    const isJson = headers["content-type"] === "application/json";
    const text = isJson ? body.toString() : decoded(signal, body);
    const { resourceSpans = [], resourceMetrics = [] } = JSON.parse(text) as Exported;
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) {
        for (const span of spans) this.spans.push(seen(span, resource.attributes, isJson));
      }
    }
    for (const { scopeMetrics } of resourceMetrics) {
      for (const { metrics } of scopeMetrics) for (const metric of metrics) this.metrics.set(metric.name, metric);
    }
  }
}

interface Exported {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly RawSpan[] }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly SeenMetric[] }[];
  }[];
}

interface RawSpan {
  readonly name: string;
  readonly kind: number | string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly KeyValue[];
  readonly links?: readonly { readonly spanId: string }[];
}

const KINDS = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

function seen(span: RawSpan, resource: readonly KeyValue[], isJson: boolean): SeenSpan {
  // JSON of protobuf has bytes in base64, that of OTLP ids in hexadecimal.
  const id = (text: string): string => (isJson ? text : Buffer.from(text, "base64").toString("hex"));
  const kind = typeof span.kind === "number" ? span.kind : KINDS.indexOf(span.kind.replace("SPAN_KIND_", ""));
  return {
    name: span.name,
    kind,
    traceId: id(span.traceId),
    spanId: id(span.spanId),
    parentSpanId: id(span.parentSpanId ?? ""),
    attributes: record(span.attributes),
    links: (span.links ?? []).map((link) => id(link.spanId)),
    start: BigInt(span.startTimeUnixNano),
    end: BigInt(span.endTimeUnixNano),
    resource: record(resource),
  };
}

export function record(attributes: readonly KeyValue[] = []): Record<string, Value> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = value;
      return [key, stringValue ?? boolValue ?? doubleValue ?? Number(intValue)];
    }),
  );
}

function decoded(signal: string, body: Buffer): string {
  const { stdout, stderr, status } = spawnSync(PYTHON, ["-c", DECODE, signal], { input: body });
  if (status !== 0) throw new Error(`not decoded: ${stderr.toString()}`);
  return stdout.toString();
}

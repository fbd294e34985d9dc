import type { Delivery, Draft, Message, Published } from "./message.ts";

/** What log lines and spans of one request have in common: its id, and its trace context if it is traced. */
export interface Correlation {
  /** Its `X-Request-Id`. */
  readonly id: string;
  readonly trace?: TraceContext | undefined;
}

/** A place in a trace: spans are made as children of its span. */
export interface TraceContext {
  /** Both in hexadecimal, as in `traceparent` (W3C Trace Context); undefined if no trace has begun. */
  readonly ids: { readonly traceId: string; readonly spanId: string } | undefined;
  /** The context in fields `traceparent` and `tracestate`, which callers may send beside the headers; else this one. */
  extract(fields: Readonly<Record<string, unknown>>): TraceContext;
  /** Runs a tool call in a span. */
  call<Answer extends { readonly isError?: true }>(
    tool: string,
    run: (inside: TraceContext) => Promise<Answer>,
  ): Promise<Answer>;
  /** Publishes in a span; `run` gets the draft with the context of that span. */
  publish(draft: Draft, run: (draft: Draft) => Promise<Published>): Promise<Published>;
}

/** Makes the spans of deliveries, of messages that have a `traceparent`. */
export interface DeliveryTracer {
  /** A message is about to be offered to the live readers of this node. */
  deliver(message: Message, id: string | undefined): Delivery;
  /** A page was written to a reader that catches up; some of its messages may have no `traceparent`. */
  replayed(messages: readonly Message[]): void;
}

/** Makes spans; absent if nothing is traced. */
export interface Tracer extends DeliveryTracer {
  /** The context outside of any trace. */
  readonly root: TraceContext;
  /** A request has come in. */
  begin(request: TracedRequest): RequestSpan;
}

/** What the span of a request is made from. */
export interface TracedRequest {
  readonly method: string;
  /** The pattern of its path. */
  readonly route: string;
  readonly path: string;
  readonly scheme: "http" | "https";
  readonly headers: Readonly<Record<string, unknown>>;
}

/** The span of a request. */
export interface RequestSpan {
  readonly trace: TraceContext;
  /** It was answered with this status, or its answer has begun as a stream. */
  end(status: number): void;
}

/** The same request with the trace context that one of its messages has in its own fields, such as `_meta`. */
export function extractTrace(correlation: Correlation | undefined, fields: unknown): Correlation | undefined {
  if (correlation?.trace === undefined || typeof fields !== "object" || fields === null) return correlation;
  return { id: correlation.id, trace: correlation.trace.extract(fields as Readonly<Record<string, unknown>>) };
}

import type { Delivery, Draft, Message, Published } from "./message.ts";

/** A request as what it causes knows it: by its id, and by its place in a trace if it is traced. */
export interface Incoming {
  /** Its `X-Request-Id`. */
  readonly id: string;
  readonly trace?: Trace | undefined;
}

/** A place in a trace, under which spans are made. */
export interface Trace {
  /** Both in hexadecimal, as in `traceparent` (W3C Trace Context); undefined if no trace has begun. */
  readonly ids: { readonly traceId: string; readonly spanId: string } | undefined;
  /** The place that a caller names by `traceparent` and `tracestate` beside its headers; this one if it names none. */
  named(fields: Readonly<Record<string, unknown>>): Trace;
  /** Runs a call of a tool in a span. */
  call<Answer extends { readonly isError?: true }>(
    tool: string,
    run: (inside: Trace) => Promise<Answer>,
  ): Promise<Answer>;
  /** Publishes in a span; the draft that is run has its place. */
  publish(draft: Draft, run: (draft: Draft) => Promise<Published>): Promise<Published>;
}

/** Is told of the deliveries of messages that have a place in a trace. */
export interface DeliveryTracer {
  /** A message is about to be offered to the live readers of this node. */
  deliver(message: Message, id: string | undefined): Delivery;
  /** A page was written to a reader that catches up; not each of its messages need have a place in a trace. */
  replayed(messages: readonly Message[]): void;
}

/** Makes spans. There is none if nothing is traced. */
export interface Tracer extends DeliveryTracer {
  /** A place outside of any trace. */
  readonly root: Trace;
  /** A request has come in. */
  begin(request: TracedRequest): RequestSpan;
}

/** What is told of a request. */
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
  readonly trace: Trace;
  /** It was answered with this status, or its answer has begun as a stream. */
  end(status: number): void;
}

/** A request at the place that one of its messages names in fields of its own. */
export function namedIn(incoming: Incoming | undefined, fields: unknown): Incoming | undefined {
  if (incoming?.trace === undefined || typeof fields !== "object" || fields === null) return incoming;
  return { id: incoming.id, trace: incoming.trace.named(fields as Readonly<Record<string, unknown>>) };
}

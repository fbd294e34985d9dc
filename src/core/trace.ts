import type { Draft, Published } from "./message.ts";

/** A request as what it causes knows it: by its id, and by its place in a trace if it is traced. */
export interface Incoming {
  /** Its `X-Request-Id`. */
  readonly id: string;
  readonly trace?: Trace | undefined;
}

/** A place in a trace, under which spans are made. */
export interface Trace {
  /** Both in hexadecimal, as in `traceparent` (W3C Trace Context). */
  readonly traceId: string;
  readonly spanId: string;
  /** The place that a caller names beside its headers, by `traceparent` and `tracestate`; this one if there is none. */
  named(fields: Readonly<Record<string, unknown>>): Trace;
  /** Runs a call of a tool in a span. */
  call<Answer extends { readonly isError?: true }>(
    tool: string,
    run: (inside: Trace) => Promise<Answer>,
  ): Promise<Answer>;
  /** Publishes in a span; the draft that is run has the place of that span. */
  publish(draft: Draft, run: (draft: Draft) => Promise<Published>): Promise<Published>;
}

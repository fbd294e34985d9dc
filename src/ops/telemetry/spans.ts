import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type Tracer as OtelTracer,
} from "@opentelemetry/api";
import { parseTraceParent, TraceState } from "@opentelemetry/core";
import { HubError } from "../../core/errors.ts";
import type { Delivery, Draft, Message, Published } from "../../core/message.ts";
import type { RequestSpan, TraceContext, TracedRequest, Tracer } from "../../core/trace.ts";

const SYSTEM = "sse-mcp-server";
/** Characters of what a caller chose; thousands of spans may wait at once. */
const MAX_ATTRIBUTE = 256;
/** The attribute with the number of readers that a message was offered to. */
const RECEIVERS = "sse_mcp.receivers";
/** Characters of a `tracestate` that have to be passed on (W3C Trace Context). */
const MAX_TRACESTATE = 512;
/** Links of a span that the SDK keeps. */
const MAX_LINKS = 128;

/** Makes the spans of the hub, by the semantic conventions of OpenTelemetry for HTTP, messaging and MCP. */
export class Spans implements Tracer {
  readonly root: TraceContext;
  readonly #tracer: OtelTracer;

  constructor(tracer: OtelTracer) {
    this.#tracer = tracer;
    this.root = new OtelTraceContext(tracer, ROOT_CONTEXT);
  }

  begin({ method, route, path, scheme, headers }: TracedRequest): RequestSpan {
    const agent = headers["user-agent"];
    const attributes: Attributes = {
      "http.request.method": method,
      "http.route": route,
      "url.path": path.slice(0, MAX_ATTRIBUTE),
      "url.scheme": scheme,
      ...(typeof agent === "string" ? { "user_agent.original": agent.slice(0, MAX_ATTRIBUTE) } : {}),
    };
    const { traceparent, tracestate } = headers;
    const parent = contextOf(traceparent, tracestate) ?? ROOT_CONTEXT;
    const span = this.#tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
    return {
      trace: new OtelTraceContext(this.#tracer, trace.setSpan(parent, span)),
      end(status) {
        span.setAttribute("http.response.status_code", status);
        if (status >= 500) setError(span, String(status));
        span.end();
      },
    };
  }

  deliver({ channel, traceparent }: Message, id: string | undefined): Delivery {
    const attributes = messageAttributes("process", "deliver", channel, id);
    const options = { kind: SpanKind.CONSUMER, attributes };
    return new DeliverySpan(this.#tracer.startSpan(`deliver ${channel}`, options, contextOf(traceparent)));
  }

  replayed(messages: readonly Message[]): void {
    const links: Link[] = [];
    for (const { traceparent } of messages) {
      const link = links.length < MAX_LINKS ? linkTo(contextOf(traceparent)) : undefined;
      if (link !== undefined) links.push(link);
    }
    if (links.length === 0) return;
    const attributes = {
      ...messageAttributes("process", "replay"),
      "messaging.batch.message_count": messages.length,
    };
    this.#tracer.startSpan("replay", { kind: SpanKind.CONSUMER, attributes, links }, ROOT_CONTEXT).end();
  }
}

class OtelTraceContext implements TraceContext {
  readonly #tracer: OtelTracer;
  readonly #context: Context;
  /** For the next span. */
  readonly #links: Link[];

  constructor(tracer: OtelTracer, context: Context, links: Link[] = []) {
    this.#tracer = tracer;
    this.#context = context;
    this.#links = links;
  }

  get ids(): TraceContext["ids"] {
    return trace.getSpanContext(this.#context);
  }

  extract({ traceparent, tracestate }: Readonly<Record<string, unknown>>): TraceContext {
    const context = contextOf(traceparent, tracestate);
    if (context === undefined) return this;
    const here = linkTo(this.#context);
    return new OtelTraceContext(this.#tracer, context, here === undefined ? [] : [here]);
  }

  call<Answer extends { readonly isError?: true }>(
    tool: string,
    run: (inside: TraceContext) => Promise<Answer>,
  ): Promise<Answer> {
    const attributes = {
      "mcp.method.name": "tools/call",
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": tool,
    };
    return this.#within(`tools/call ${tool}`, SpanKind.SERVER, attributes, async (span, context) => {
      const answer = await run(new OtelTraceContext(this.#tracer, context));
      if (answer.isError === true) setError(span, "tool_error");
      return answer;
    });
  }

  publish(draft: Draft, run: (draft: Draft) => Promise<Published>): Promise<Published> {
    const attributes = messageAttributes("send", "publish", draft.channel);
    return this.#within(`publish ${draft.channel}`, SpanKind.PRODUCER, attributes, async (span) => {
      const published = await run(withTraceparent(draft, span));
      span.setAttribute(RECEIVERS, published.receivers);
      if (published.id !== undefined) span.setAttribute("messaging.message.id", published.id);
      return published;
    });
  }

  async #within<Result>(
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    run: (span: Span, context: Context) => Promise<Result>,
  ): Promise<Result> {
    const span = this.#tracer.startSpan(name, { kind, attributes, links: this.#links }, this.#context);
    try {
      return await run(span, trace.setSpan(this.#context, span));
    } catch (error) {
      setError(span, error instanceof HubError ? error.code : "INTERNAL");
      throw error;
    } finally {
      span.end();
    }
  }
}

class DeliverySpan implements Delivery {
  readonly #span: Span;
  #missing = 0;

  constructor(span: Span) {
    this.#span = span;
  }

  offered(groups: number, receivers: number): void {
    this.#span.setAttribute(RECEIVERS, receivers);
    this.#missing = groups;
    if (groups === 0) this.#span.end();
  }

  given(): void {
    if (--this.#missing === 0) this.#span.end();
  }
}

function messageAttributes(type: "send" | "process", name: string, channel?: string, id?: string): Attributes {
  return {
    "messaging.system": SYSTEM,
    "messaging.operation.type": type,
    "messaging.operation.name": name,
    ...(channel === undefined ? {} : { "messaging.destination.name": channel }),
    ...(id === undefined ? {} : { "messaging.message.id": id }),
  };
}

/** A draft with the context of a span; without it if the span is not sampled, since its delivery is not either. */
function withTraceparent(draft: Draft, span: Span): Draft {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if ((traceFlags & TraceFlags.SAMPLED) === 0) return draft;
  return { ...draft, traceparent: `00-${traceId}-${spanId}-01` };
}

/** The context in a `traceparent`; undefined if there is none or it is not well formed (W3C Trace Context). */
function contextOf(traceparent: unknown, tracestate?: unknown): Context | undefined {
  const parent = typeof traceparent === "string" ? parseTraceParent(traceparent) : null;
  if (parent === null) return undefined;
  const hasState = typeof tracestate === "string" && tracestate !== "" && tracestate.length <= MAX_TRACESTATE;
  const state = hasState ? { traceState: new TraceState(tracestate) } : {};
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, ...state, isRemote: true });
}

function linkTo(context: Context | undefined): Link | undefined {
  const spanContext = context && trace.getSpanContext(context);
  return spanContext && { context: spanContext };
}

function setError(span: Span, type: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute("error.type", type);
}

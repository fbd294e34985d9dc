import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OtlpReceiver, type SeenSpan } from "../../support/otlp-receiver.ts";
import { needsEngine, startEngine } from "../../support/redis.ts";
import { startServer, type TestServer } from "../../support/server.ts";

const SERVER = 2;
const PRODUCER = 4;
const CONSUMER = 5;
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const traceparent = `00-${TRACE}-${CALLER}-01`;

/** A receiver that what this process exports goes to, as JSON, soon. */
async function receiver(): Promise<OtlpReceiver> {
  const opened = await OtlpReceiver.open();
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: opened.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_BSP_SCHEDULE_DELAY: "20",
    OTEL_METRICS_EXPORTER: "none",
  });
  return opened;
}

function traced(): Promise<TestServer> {
  return startServer({ telemetry: true });
}

const post = (server: TestServer, path: string, body: unknown, headers: object = {}) =>
  server.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body: JSON.stringify(body),
  });

/** The spans that belong together, by their names. */
async function spansOf(opened: OtlpReceiver, names: readonly string[]): Promise<Record<string, SeenSpan>> {
  const found: Record<string, SeenSpan> = {};
  for (const name of names) found[name] = (await opened.named(name))[0] as SeenSpan;
  return found;
}

describe("a publication that is traced [OPS-22]", () => {
  it("goes on with the caller's trace over plain HTTP, and through the log to the delivery", async () => {
    await using opened = await receiver();
    await using server = await traced();
    using first = await server.events("?channel=orders.eu");
    using second = await server.events("?channel=orders.*");
    const headers = { traceparent, tracestate: "vendor=1", "user-agent": "a".repeat(1000) };
    const answer = await post(server, "/channels/orders.eu/messages?sender=shop", { secret: 1 }, headers);
    await first.data(1);
    await second.data(1);
    const { id } = answer.json() as { id: string };
    const route = "POST /channels/:channel/messages";
    const spans = await spansOf(opened, [route, "publish orders.eu", "deliver orders.eu"]);
    const { [route]: request, "publish orders.eu": published, "deliver orders.eu": delivered } = spans;
    assert.ok(request !== undefined && published !== undefined && delivered !== undefined);
    assert.deepEqual(
      [request, published, delivered].map(({ kind, traceId, parentSpanId }) => [kind, traceId, parentSpanId]),
      [
        [SERVER, TRACE, CALLER],
        [PRODUCER, TRACE, request.spanId],
        [CONSUMER, TRACE, published.spanId],
      ],
    );
    assert.deepEqual(request.attributes, {
      "http.request.method": "POST",
      "http.route": "/channels/:channel/messages",
      "url.path": "/channels/orders.eu/messages",
      "url.scheme": "http",
      "user_agent.original": "a".repeat(256),
      "http.response.status_code": 201,
    });
    const message = {
      "messaging.system": "sse-mcp-server",
      "messaging.destination.name": "orders.eu",
      "messaging.message.id": id,
      "sse_mcp.receivers": 2,
    };
    assert.deepEqual(published.attributes, {
      ...message,
      "messaging.operation.type": "send",
      "messaging.operation.name": "publish",
    });
    assert.deepEqual(delivered.attributes, {
      ...message,
      "messaging.operation.type": "process",
      "messaging.operation.name": "deliver",
    });
    assert.ok(delivered.start >= published.start && delivered.end >= delivered.start);
    assert.doesNotMatch(
      JSON.stringify(opened.spans, (_, value: unknown) => String(value)),
      /secret|shop/,
    );
  });

  it("goes on with the trace that a call of a tool names in _meta, in both eras and without", async () => {
    await using opened = await receiver();
    await using server = await traced();
    const params = (channel: string, meta: object = {}): object => ({
      name: "send_sse_message",
      arguments: { channel, message: "x" },
      _meta: { traceparent, ...meta },
    });
    await post(server, "/mcp/tools/call", { params: params("plain") });
    const client = { "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" } };
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      ...client,
    };
    const modern = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "send_sse_message" };
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call" };
    const answer = await post(server, "/mcp", { ...call, params: params("modern", meta) }, modern);
    assert.equal(answer.status, 200, answer.text);
    const initialize = {
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
    };
    const { headers } = await post(server, "/mcp", initialize);
    const session = { "mcp-session-id": String(headers["mcp-session-id"]), "mcp-protocol-version": "2025-11-25" };
    await post(server, "/mcp", { jsonrpc: "2.0", method: "notifications/initialized" }, session);
    await post(server, "/mcp", { ...call, id: 2, params: params("legacy") }, session);
    for (const channel of ["plain", "modern", "legacy"]) {
      const [published] = await opened.named(`publish ${channel}`);
      const [delivered] = await opened.named(`deliver ${channel}`);
      const called = opened.spans.find(({ spanId }) => spanId === published?.parentSpanId);
      assert.deepEqual([called?.name, called?.kind], ["tools/call send_sse_message", SERVER], channel);
      assert.deepEqual([called?.traceId, called?.parentSpanId], [TRACE, CALLER], channel);
      assert.deepEqual([delivered?.traceId, delivered?.parentSpanId], [TRACE, published?.spanId], channel);
      // The request that brought it is another trace, which the call is linked to.
      const [link] = called?.links ?? [];
      assert.match(opened.spans.find(({ spanId }) => spanId === link)?.name ?? "", /^POST \/mcp/, channel);
      assert.deepEqual(called?.attributes, {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "send_sse_message",
      });
    }
  });

  it("goes on with the trace that a frame names, for publications and calls", async () => {
    await using opened = await receiver();
    await using server = await traced();
    using frames = await server.frames("?channel=");
    await frames.next();
    await frames.ask({ type: "publish", channel: "frame", data: 1, id: 1, traceparent });
    const call = { tool: "send_sse_message", arguments: { channel: "called", message: "x" } };
    await frames.ask({ type: "mcp_call", ...call, id: 2, traceparent });
    await frames.ask({ type: "publish", channel: "alone", data: 1, id: 3, traceparent: "00-nonsense" });
    const [framed] = await opened.named("publish frame");
    assert.deepEqual([framed?.traceId, framed?.parentSpanId], [TRACE, CALLER]);
    const [called] = await opened.named("tools/call send_sse_message");
    assert.deepEqual([called?.traceId, called?.parentSpanId], [TRACE, CALLER]);
    assert.equal((await opened.named("deliver called"))[0]?.traceId, TRACE);
    const [alone] = await opened.named("publish alone");
    assert.equal(alone?.parentSpanId, "");
    assert.notEqual(alone?.traceId, TRACE);
  });

  it("has one delivery span for each message, however many readers there are, and none of them gets its traceparent", async () => {
    await using opened = await receiver();
    await using server = await traced();
    using text = await server.events("?channel=a");
    using json = await server.events("?channel=*&format=json");
    using frames = await server.frames("?channel=a");
    await frames.next();
    for (let count = 0; count < 3; count++) await post(server, "/channels/a/messages", count, { traceparent });
    const seen = [await text.data(3), await json.data(3), await frames.nextOf("message")];
    const page = await server.request("/channels/a/messages");
    assert.doesNotMatch(JSON.stringify(seen) + page.text, new RegExp(`${TRACE}|traceparent`));
    await opened.named("deliver a", 3);
    await server.close();
    assert.equal(opened.spans.filter(({ name }) => name === "deliver a").length, 3);
    assert.equal(new Set(opened.spans.map(({ spanId }) => spanId)).size, opened.spans.length);
  });

  it("is linked to by the replay that brings it to a reader later", async () => {
    await using opened = await receiver();
    await using server = await traced();
    for (let count = 0; count < 3; count++) await post(server, "/channels/a/messages", count, { traceparent });
    const published = await opened.named("publish a", 3);
    using late = await server.events("?channel=a&last_event_id=earliest");
    await late.data(3);
    const [replay] = await opened.named("replay");
    assert.deepEqual([replay?.kind, replay?.parentSpanId], [CONSUMER, ""]);
    assert.equal(replay?.attributes["messaging.batch.message_count"], 3);
    assert.deepEqual([...(replay?.links ?? [])].sort(), published.map(({ spanId }) => spanId).sort());
  });

  it("is delivered in its trace on every node that shares the log, also on one that comes later", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using opened = await receiver();
    await using here = await startServer({ telemetry: true, data: engine.url });
    await using there = await startServer({ telemetry: true, data: engine.url });
    using reader = await there.events("?channel=a");
    await post(here, "/channels/a/messages", 1, { traceparent });
    await reader.data(1);
    const [published] = await opened.named("publish a");
    const delivered = await opened.named("deliver a", 2);
    for (const { traceId, parentSpanId } of delivered) {
      assert.deepEqual([traceId, parentSpanId], [TRACE, published?.spanId]);
    }
    assert.deepEqual(new Set(delivered.map(({ attributes }) => attributes["sse_mcp.receivers"])), new Set([0, 1]));
    assert.equal(new Set(delivered.map(({ resource }) => resource["service.instance.id"])).size, 2);
    await using late = await startServer({ telemetry: true, data: engine.url });
    using again = await late.events("?channel=a&last_event_id=earliest");
    await again.data(1);
    assert.deepEqual((await opened.named("replay"))[0]?.links, [published?.spanId]);
  });

  it("has spans that say why something failed, and that a tool refused its input", async () => {
    await using opened = await receiver();
    await using server = await traced();
    server.hub.publish = () => Promise.reject(new Error("broken"));
    await post(server, "/channels/a/messages", 1);
    await post(server, "/mcp/tools/call", { params: { name: "send_sse_message", arguments: { channel: "a" } } });
    const [published] = await opened.named("publish a");
    const [request] = await opened.named("POST /channels/:channel/messages");
    const [called] = await opened.named("tools/call send_sse_message");
    assert.deepEqual(
      [published, request, called].map((span) => span?.attributes["error.type"]),
      ["INTERNAL", "500", "tool_error"],
    );
  });

  it("is exported without requests for pages, health and metrics; a stream is traced until it has opened", async () => {
    await using opened = await receiver();
    await using server = await traced();
    using _ = await server.events("?channel=quiet");
    for (const path of ["/", "/health", "/health/live", "/metrics", "/docs", "/nothing"]) await server.request(path);
    await opened.named("GET /events");
    await server.request("/channels");
    await opened.named("GET /channels");
    assert.deepEqual(
      opened.spans.map(({ name }) => name),
      ["GET /events", "GET /channels"],
    );
  });
});

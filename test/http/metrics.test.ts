import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

describe("GET /metrics", () => {
  it("is Prometheus text with the process and everything of ours, each with a help line", async () => {
    await using server = await startServer();
    const { text, headers } = await server.request("/metrics");
    assert.match(headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
    const ours = [...text.matchAll(/^# TYPE (sse_mcp_\w+) (\w+)$/gm)].map(
      ([, name = "", type]) => [name, type] as const,
    );
    assert.deepEqual(
      ours.sort(([a], [b]) => (a < b ? -1 : 1)),
      [
        ["sse_mcp_connections", "gauge"],
        ["sse_mcp_connections_limit", "gauge"],
        ["sse_mcp_connections_refused_total", "counter"],
        ["sse_mcp_delivering", "gauge"],
        ["sse_mcp_gaps_total", "counter"],
        ["sse_mcp_hub_nodes", "gauge"],
        ["sse_mcp_log_append_seconds", "histogram"],
        ["sse_mcp_log_bytes", "gauge"],
        ["sse_mcp_log_bytes_limit", "gauge"],
        ["sse_mcp_log_channels", "gauge"],
        ["sse_mcp_log_lines_dropped_total", "counter"],
        ["sse_mcp_log_messages", "gauge"],
        ["sse_mcp_log_messages_limit", "gauge"],
        ["sse_mcp_messages_delivered_total", "counter"],
        ["sse_mcp_messages_published_total", "counter"],
        ["sse_mcp_messages_replayed_total", "counter"],
        ["sse_mcp_pending_bytes", "gauge"],
        ["sse_mcp_pending_bytes_limit", "gauge"],
        ["sse_mcp_questions_answered_total", "counter"],
        ["sse_mcp_questions_asked_total", "counter"],
        ["sse_mcp_questions_open", "gauge"],
        ["sse_mcp_questions_timed_out_total", "counter"],
        ["sse_mcp_questions_waiting", "gauge"],
        ["sse_mcp_rate_limited_total", "counter"],
        ["sse_mcp_scheduled_dropped_total", "counter"],
        ["sse_mcp_scheduled_late_seconds", "gauge"],
        ["sse_mcp_scheduled_messages", "gauge"],
        ["sse_mcp_scheduled_published_total", "counter"],
        ["sse_mcp_sent_bytes_total", "counter"],
        ["sse_mcp_slow_readers_cut_total", "counter"],
        ["sse_mcp_subscriptions", "gauge"],
        ["sse_mcp_webhook_deliveries_in_flight", "gauge"],
        ["sse_mcp_webhook_deliveries_total", "counter"],
        ["sse_mcp_webhook_failures_total", "counter"],
        ["sse_mcp_webhook_given_up_total", "counter"],
        ["sse_mcp_webhooks_suspended", "gauge"],
      ],
    );
    for (const [name] of ours) assert.match(text, new RegExp(`^# HELP ${name} .`, "m"));
    assert.match(text, /^process_cpu_seconds_total /m);
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
  });

  it("counts what is published, delivered, replayed and kept, and who is connected", async () => {
    await using server = await startServer();
    using one = await server.events("?channel=a");
    using two = await server.frames("?channel=*");
    await two.next();
    await server.publish("a", "12345");
    await server.publish("b", "12345");
    await one.next();
    using late = await server.events("?channel=*&last_event_id=earliest");
    await late.data(2);
    const values: Record<string, number> = {};
    for (const name of [
      "messages_published_total",
      "messages_delivered_total",
      "messages_replayed_total",
      "log_messages",
      "log_channels",
      "subscriptions",
      "gaps_total",
      "hub_nodes",
      "log_append_seconds_count",
    ]) {
      values[name] = await server.metric(`sse_mcp_${name}`);
    }
    assert.deepEqual(values, {
      messages_published_total: 2,
      messages_delivered_total: 3,
      messages_replayed_total: 2,
      log_messages: 2,
      log_channels: 2,
      subscriptions: 3,
      gaps_total: 0,
      hub_nodes: 1,
      log_append_seconds_count: 2,
    });
    assert.ok((await server.metric("sse_mcp_sent_bytes_total")) > 100);
    assert.deepEqual(
      [
        await server.metric('sse_mcp_connections{door="sse"}'),
        await server.metric('sse_mcp_connections{door="websocket"}'),
      ],
      [2, 1],
    );
    one.close();
    await until("it is counted out", async () => (await server.metric('sse_mcp_connections{door="sse"}')) === 1);
  });

  it("counts for each server of a process by itself, and measures the process once", async () => {
    await using first = await startServer();
    await using second = await startServer();
    await first.publish("a", 1);
    assert.deepEqual(
      [await first.metric("sse_mcp_messages_published_total"), await second.metric("sse_mcp_messages_published_total")],
      [1, 0],
    );
    const { text } = await second.request("/metrics");
    assert.equal(text.match(/^# TYPE process_cpu_seconds_total counter$/gm)?.length, 1);
  });
});

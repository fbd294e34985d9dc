import type { Schema } from "../support/json-schema.ts";

const text: Schema = { type: "string" };
const seconds: Schema = { type: "number", minimum: 0, maximum: 65_535 };
const count: Schema = { type: "integer", minimum: 0, maximum: 255 };
const milliseconds: Schema = { type: "integer", minimum: 1, maximum: 2_147_483_646 };

const target: Schema = only({ target: { type: "string", pattern: "^[\\w.-]+:\\d+$" }, weight: count }, "target");

const active: Schema = only({
  type: { type: "string", enum: ["tcp", "http", "https", "grpc", "grpcs"] },
  http_path: { type: "string", pattern: "^/" },
  headers: { type: "object", additionalProperties: listOf(text) },
  timeout: seconds,
  concurrency: { type: "integer", minimum: 1 },
  healthy: only({ interval: seconds, successes: count, http_statuses: listOf({ type: "integer" }) }),
  unhealthy: only({
    interval: seconds,
    http_failures: count,
    tcp_failures: count,
    timeouts: count,
    http_statuses: listOf({ type: "integer" }),
  }),
});

const upstream: Schema = only(
  {
    name: text,
    algorithm: { type: "string", enum: ["consistent-hashing", "least-connections", "round-robin", "latency"] },
    healthchecks: only({ active, threshold: { type: "number", minimum: 0, maximum: 100 } }),
    targets: listOf(target),
  },
  "name",
);

const plugin: Schema = only({ name: text, config: { type: "object" }, enabled: { type: "boolean" } }, "name");

const route: Schema = only(
  {
    name: text,
    hosts: listOf(text),
    paths: listOf({ type: "string", pattern: "^[/~]" }),
    protocols: listOf({ type: "string", enum: ["http", "https", "grpc", "grpcs", "tcp", "tls", "ws", "wss"] }),
    strip_path: { type: "boolean" },
    preserve_host: { type: "boolean" },
    request_buffering: { type: "boolean" },
    response_buffering: { type: "boolean" },
    plugins: listOf(plugin),
  },
  "name",
);

const service: Schema = only(
  {
    name: text,
    host: text,
    port: { type: "integer", minimum: 0, maximum: 65_535 },
    protocol: { type: "string", enum: ["http", "https", "grpc", "grpcs", "tcp", "tls", "ws", "wss"] },
    retries: { type: "integer", minimum: 0, maximum: 32_767 },
    connect_timeout: milliseconds,
    read_timeout: milliseconds,
    write_timeout: milliseconds,
    routes: listOf(route),
    plugins: listOf(plugin),
  },
  "name",
);

/** As much of Kong's declarative format 3.0 as a hub needs, as its documentation of each entity describes it. */
export const KONG_SCHEMA: Schema = only(
  {
    _format_version: { type: "string", enum: ["3.0"] },
    upstreams: listOf(upstream),
    services: listOf(service),
    routes: listOf(route),
    plugins: listOf(plugin),
  },
  "_format_version",
);

/** An object that has these properties and no others. */
function only(properties: Readonly<Record<string, Schema>>, ...required: readonly string[]): Schema {
  return { type: "object", properties, required, additionalProperties: false };
}

function listOf(items: Schema): Schema {
  return { type: "array", items };
}

import type { IncomingHttpHeaders } from "node:http";

/** What a proxy can do wrong. */
export type ProxyFault =
  | "buffering"
  | "idle"
  | "upgrade"
  | "host"
  | "scheme"
  | "compression"
  | "resume"
  | "cors"
  | "sessions"
  | "http2";

const PROXIES = ["nginx", "HAProxy", "Caddy", "Traefik", "Envoy"] as const;
type ProxyName = (typeof PROXIES)[number];

/** A proxy that an answer has come through. */
export interface DetectedProxy {
  /** Undefined if it is not one that there are remedies for. */
  readonly name: ProxyName | undefined;
  /** As it names itself. */
  readonly text: string;
}

/** What to change for each fault in the configuration of each proxy. */
const REMEDIES: Readonly<Record<ProxyFault, Readonly<Record<ProxyName, string>>>> = {
  buffering: {
    nginx: "proxy_http_version 1.1; proxy_buffering off; and no proxy_ignore_headers X-Accel-Buffering",
    HAProxy: "remove filters that hold answers back; option http-no-delay",
    Caddy: "in reverse_proxy: flush_interval -1, and no response_buffers",
    Traefik: "take the buffering middleware off the router",
    Envoy: "take envoy.filters.http.buffer and other filters that read bodies off the route",
  },
  idle: {
    nginx: "proxy_read_timeout 75s; proxy_send_timeout 75s;",
    HAProxy: "timeout client 75s, timeout server 75s, and no shorter timeout tunnel",
    Caddy: "in reverse_proxy: no read_timeout or write_timeout in transport http; stream_timeout 0",
    Traefik: "entryPoints.NAME.transport.respondingTimeouts: readTimeout: 0s, writeTimeout: 0s",
    Envoy: "stream_idle_timeout: 75s in the connection manager, timeout: 0s in the route",
  },
  upgrade: {
    nginx:
      "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; with map $http_upgrade $connection_upgrade { default upgrade; '' ''; }",
    HAProxy: "mode http passes upgrades: remove http-request del-header Upgrade or Connection",
    Caddy: "reverse_proxy passes upgrades: remove header_up -Upgrade or -Connection",
    Traefik: "the router passes upgrades: remove middlewares that set Upgrade or Connection",
    Envoy: "upgrade_configs: [{ upgrade_type: websocket }] in the connection manager",
  },
  host: {
    nginx: "proxy_set_header Host $http_host;",
    HAProxy: "remove http-request set-header Host",
    Caddy: "in reverse_proxy: remove header_up Host",
    Traefik: "loadBalancer.passHostHeader: true",
    Envoy: "remove host_rewrite_literal and auto_host_rewrite from the route",
  },
  scheme: {
    nginx: "proxy_set_header X-Forwarded-Proto $scheme;",
    HAProxy: "http-request set-header X-Forwarded-Proto https if { ssl_fc }",
    Caddy: "in reverse_proxy: remove header_up X-Forwarded-Proto",
    Traefik: "it sends X-Forwarded-Proto by itself: remove middlewares that set it",
    Envoy: "use_remote_address: true in the connection manager",
  },
  compression: {
    nginx: "take text/event-stream (or *) out of gzip_types",
    HAProxy: "take text/event-stream out of compression type",
    Caddy: "encode with match not header Content-Type text/event-stream*",
    Traefik: "in the compress middleware: excludedContentTypes: [text/event-stream]",
    Envoy: "take text/event-stream out of content_type of the compressor",
  },
  resume: {
    nginx: "remove proxy_set_header Last-Event-ID and proxy_pass_request_headers off",
    HAProxy: "remove http-request del-header Last-Event-ID",
    Caddy: "in reverse_proxy: remove header_up -Last-Event-ID",
    Traefik: "remove Last-Event-ID from customRequestHeaders",
    Envoy: "remove last-event-id from request_headers_to_remove",
  },
  cors: {
    nginx: "remove add_header Access-Control-… and answers to OPTIONS: the hub does both",
    HAProxy: "remove http-response set-header Access-Control-… and answers to OPTIONS",
    Caddy: "remove header Access-Control-… and respond to OPTIONS",
    Traefik: "take headers with accessControl… off the router",
    Envoy: "take envoy.filters.http.cors off the route",
  },
  sessions: {
    nginx:
      "sticky learn create=$upstream_http_mcp_session_id lookup=$http_mcp_session_id zone=mcp:1m timeout=35m; (1.29.6 or later)",
    HAProxy:
      "stick-table type string len 1024 size 100k expire 35m; stick match req.hdr(Mcp-Session-Id); stick store-response res.hdr(Mcp-Session-Id)",
    Caddy: "lb_policy header Mcp-Session-Id does not do: let the nodes share a Redis",
    Traefik: "its affinity is by cookie, which these clients do not keep: let the nodes share a Redis",
    Envoy: "its affinity needs a header of its own: let the nodes share a Redis",
  },
  http2: {
    nginx: "http2 on; beside listen 443 ssl; (listen 443 ssl http2; before 1.25.1)",
    HAProxy: "bind :443 ssl crt FILE alpn h2,http/1.1",
    Caddy: "remove protocols h1 from servers",
    Traefik: "it offers HTTP/2 by itself: remove alpnProtocols from the TLS options",
    Envoy: "alpn_protocols: [h2, http/1.1] in common_tls_context",
  },
};

/** The proxy that an answer names; undefined if it names none. */
export function proxyOf({ server, via, ...headers }: IncomingHttpHeaders): DetectedProxy | undefined {
  const words = [server, via].filter((text) => text !== undefined && text !== "");
  if (Object.keys(headers).some((name) => name.startsWith("x-envoy-"))) words.push("envoy");
  const text = [...new Set(words)].join(", ").slice(0, 100);
  if (text === "") return undefined;
  const name = PROXIES.find((proxy) => text.toLowerCase().includes(proxy.toLowerCase()));
  // OpenResty and Tengine are nginx inside.
  return { name: name ?? (/openresty|tengine|angie/i.test(text) ? "nginx" : undefined), text };
}

/** The lines to change: of this proxy, or of each if it is not known. */
export function remedyFor(fault: ProxyFault, proxy: DetectedProxy | undefined): Readonly<Record<string, string>> {
  const all = REMEDIES[fault];
  return proxy?.name === undefined ? all : { [proxy.name]: all[proxy.name] };
}

import { hostRule, originRule } from "./protocol/address.ts";
import { EVENT_DIALECTS, type EventDialect } from "./protocol/event-dialect.ts";
import {
  basePath,
  certificateGrants,
  hostAndPort,
  issuers,
  jsonList,
  names,
  networks,
  oneOf,
  origin,
  patterns,
  provider,
  registry,
  text,
  truth,
  whole,
  type Setting,
} from "./setting-kinds.ts";

/**
 * Every setting. `maxConnections` is `MAX_CONNECTIONS` in the environment and in the configuration file, and
 * `--max-connections` on the command line.
 */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly env: "development" | "production" | "test";
  /** `file:PATH`, `memory:`, or the URL of a Redis. */
  readonly data: string;
  /** Where this node has its copy of a log on Redis: `file:PATH`, or `temporary:` for one that is deleted when the process exits. */
  readonly mirror: string;
  /** Paths of PEM files for a Redis that is spoken to over TLS; empty for the system's authorities, and no certificate. */
  readonly redisCa: string;
  readonly redisCert: string;
  readonly redisKey: string;
  readonly durability: "normal" | "full";
  /** Seconds. */
  readonly retentionAge: number;
  readonly retentionMessages: number;
  readonly retentionBytes: number;
  readonly maxChannels: number;
  readonly maxConnections: number;
  /** 0: half of `maxConnections`, and all of them for loopback. */
  readonly maxConnectionsPerAddress: number;
  readonly maxMessageBytes: number;
  readonly maxBodyBytes: number;
  readonly maxFileBytes: number;
  readonly maxFilesBytes: number;
  readonly maxChannelsPerReader: number;
  readonly maxPendingBytes: number;
  readonly maxPendingTotalBytes: number;
  readonly maxSessions: number;
  /** Seconds. */
  readonly sessionTimeout: number;
  readonly legacySse: boolean;
  /** Which reading of MCP Events is spoken; `off` for no events. */
  readonly eventsDialect: EventDialect | "off";
  readonly compressStreams: boolean;
  /** Seconds. */
  readonly heartbeat: number;
  /** Seconds. */
  readonly drain: number;
  /** Seconds. */
  readonly drainWait: number;
  /** Seconds. */
  readonly requestTimeout: number;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** `none`: whoever reaches the server may do everything. Empty: everyone needs a credential if one is configured. */
  readonly auth: "" | "none";
  /** The origin that clients know the server by, such as `https://hub.example`. */
  readonly publicUrl: string;
  /** The path below which clients find it there, such as `/hub`; empty for none. */
  readonly basePath: string;
  /** A path; empty for none. */
  readonly apiKeysFile: string;
  /** A path; empty for no webhooks. */
  readonly hooksFile: string;
  /** Issuers of JWTs by their URL, each with `=` and the URL of its keys if it does not announce them. */
  readonly jwtIssuers: readonly string[];
  /** Signs JWTs with HS256; empty for none. */
  readonly jwtSecret: string;
  /** Audiences of JWTs beside `publicUrl` and what is below it. */
  readonly jwtAudience: readonly string[];
  readonly jwtAlgorithms: readonly string[];
  /** The claim with the grants of a JWT. */
  readonly jwtClaim: string;
  /** What a JWT without that claim grants, within its scopes. */
  readonly jwtChannels: readonly string[];
  /** What someone without a credential may publish and read. */
  readonly anonymousPublish: readonly string[];
  readonly anonymousSubscribe: readonly string[];
  /** Seals the sessions of browsers; several for a change of secret, the one in use first. */
  readonly authSecret: readonly string[];
  /** Seconds. */
  readonly browserSessionAge: number;
  /** The identity provider that people log in with; empty for none. */
  readonly loginIssuer: string;
  readonly loginClientId: string;
  readonly loginClientSecret: string;
  readonly loginScopes: readonly string[];
  /** What someone who logged in may publish and read, unless a claim says so. */
  readonly loginPublish: readonly string[];
  readonly loginSubscribe: readonly string[];
  /** Seconds; 0 for no bound. */
  readonly maxConnectionAge: number;
  /** Paths of PEM files; empty for no TLS. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** The path of a PEM file with who may sign certificates of clients; empty if they need none. */
  readonly tlsClientCa: string;
  /** What a client's certificate grants: patterns for all of them, `NAME=PATTERN` for the one with that name. */
  readonly certificatePublish: readonly string[];
  readonly certificateSubscribe: readonly string[];
  /** Addresses and networks whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Whether the rate limits count; empty: unless the server is bound to loopback outside production. */
  readonly rateLimits: "" | "on" | "off";
  /** A second; of one principal, or of one address without a credential, as all that follow. 0: no limit. */
  readonly limitConnects: number;
  readonly limitPublishes: number;
  readonly limitPublishBytes: number;
  readonly limitToolCalls: number;
  readonly limitHistoryPages: number;
  /** To one hook from one address. */
  readonly limitHookDeliveries: number;
  /** A minute, of one address. */
  readonly limitFailedCredentials: number;
  /** An hour. */
  readonly limitNewChannels: number;
  /** At once. */
  readonly limitWaitingCalls: number;
  /** `consul:URL`, or `eureka:URL` with more URLs after commas; empty for none. */
  readonly discovery: string;
  /** The name by which others find the server in a registry. */
  readonly serviceName: string;
  /** `HOST:PORT` where others reach the server; empty for where it listens. */
  readonly advertise: string;
  /** Empty if Consul needs none. */
  readonly consulToken: string;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** A path; empty for standard output. */
  readonly logFile: string;
  /** Connections of channels to other buses; see `bridges/config.ts`. */
  readonly bridges: readonly unknown[];
  /** The path of a JSON file with more of them; empty for none. */
  readonly bridgesFile: string;
  /** Paths of JSON files: webhooks that messages are sent to, and how people are told of questions; empty for none. */
  readonly webhooksFile: string;
  readonly notifyFile: string;
  /** Addresses and networks that are not public, and that webhooks may go to. */
  readonly webhookAllow: readonly string[];
  /** Paths of modules that export tools. */
  readonly tools: readonly string[];
}

const KB = 1024;
const MB = 1024 * KB;
const DAY = 86_400;
/** Signatures of JWTs with public keys (RFC 7518, RFC 8037); HS256 is for `JWT_SECRET` alone. */
const ALGORITHMS: readonly string[] = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];

/** Every setting there is, in the order they are printed. */
export const SETTINGS: { readonly [Name in keyof Config]: Setting<Config[Name]> } = {
  host: text(/./, "127.0.0.1", "an address or host name", "address to listen on"),
  port: whole(0, 65_535, 8000, "port to listen on; 0 takes a free one"),
  env: oneOf(["development", "production", "test"], "production allows no loopback origin by default"),
  data: text(
    /^(?:memory:|file:.+|rediss?(?:\+sentinel|\+cluster)?:\/\/.+)$/,
    "file:./data/hub.db",
    "file:PATH, memory:, redis://HOST:PORT, rediss://, redis+sentinel://HOST,HOST/NAME or redis+cluster://HOST,HOST",
    "where messages are kept",
  ),
  mirror: text(
    /^(?:temporary:|file:.+)$/,
    "temporary:",
    "temporary: or file:PATH",
    "where a node keeps its copy of a log on Redis",
  ),
  redisCa: text(/^/, "", "a path", "PEM file of the authorities that a rediss:// server is trusted by"),
  redisCert: text(/^/, "", "a path", "PEM file of the certificate to show a rediss:// server"),
  redisKey: text(/^/, "", "a path", "PEM file of the key of REDIS_CERT"),
  durability: oneOf(["normal", "full"], "full: each commit reaches the disk before it is confirmed"),
  retentionAge: whole(1, 3650 * DAY, 7 * DAY, "seconds that messages are kept"),
  retentionMessages: whole(1, 1e9, 1_000_000, "messages that are kept"),
  retentionBytes: whole(64 * KB, 1e12, 1024 * MB, "bytes of messages that are kept"),
  maxChannels: whole(1, 1e7, 100_000, "channels the log knows; one without messages makes room for another"),
  maxConnections: whole(1, 1e6, 10_000, "readers at once: SSE, WebSocket, streams of MCP and calls that wait"),
  maxConnectionsPerAddress: whole(0, 1e6, 0, "readers of one address; 0: half of all, and all for loopback"),
  maxMessageBytes: whole(1, 16 * MB, 64 * KB, "bytes of one message"),
  maxBodyBytes: whole(KB, 64 * MB, MB, "bytes of one request body or WebSocket frame"),
  maxFileBytes: whole(1, 1024 * MB, 10 * MB, "bytes of one file that messages refer to"),
  maxFilesBytes: whole(1, 1e12, 1024 * MB, "bytes of all such files; the oldest make room"),
  maxChannelsPerReader: whole(1, 10_000, 100, "channels and patterns one reader may name"),
  maxPendingBytes: whole(64 * KB, 1024 * MB, MB, "bytes one reader may lag before it is cut"),
  maxPendingTotalBytes: whole(MB, 1e12, 256 * MB, "bytes all readers together may lag; the slowest are cut"),
  maxSessions: whole(1, 1e6, 1000, "MCP sessions (legacy era) at once; an idle one makes room for another"),
  sessionTimeout: whole(1, 30 * DAY, 1800, "seconds without a request or stream after which a session ends"),
  legacySse: truth("true: MCP over HTTP+SSE (2024-11-05) at /sse and /messages, too"),
  eventsDialect: oneOf([...EVENT_DIALECTS, "off"], "MCP Events: sketch is what ChatGPT and the AI SDK speak"),
  compressStreams: truth("true: streams of /events are compressed for readers that accept gzip"),
  heartbeat: whole(1, 300, 15, "seconds between heartbeats"),
  drain: whole(0, 300, 5, "seconds over which a stopping server ends its readers"),
  drainWait: whole(0, 300, 0, "seconds a stopping server goes on, while /health tells balancers to send no one more"),
  requestTimeout: whole(1, 3600, 30, "seconds a request may take to arrive"),
  allowedOrigins: names(
    (item) => item === "*" || originRule(item) !== undefined,
    "origins such as https://app.example, http://localhost:*, tauri://localhost or null, or * for any",
    "other origins that may call, separated by commas; * for any",
  ),
  allowedHosts: names(
    (item) => item === "*" || hostRule(item) !== undefined,
    "host names such as hub.example, hub.example:8000 or *.hub.example, or * for any",
    "other hosts it answers to; * for any; off loopback, empty means any",
  ),
  auth: {
    ...oneOf(["", "none"], "none: no credentials, everyone may do everything"),
    allowed: "none, or leave it out",
  },
  publicUrl: origin("address that clients know it by"),
  basePath: basePath("path below which a proxy has the hub"),
  apiKeysFile: text(/^/, "", "a path", "JSON file of API keys, which `key create` writes"),
  hooksFile: text(/^/, "", "a path", "JSON file of webhooks to take, which `hook new` writes"),
  jwtIssuers: issuers("issuers of JWTs to trust"),
  jwtSecret: {
    ...text(/^(?:.{32,})?$/s, "", "32 characters or more", "shared secret of JWTs signed with HS256"),
    isSecret: true,
  },
  jwtAudience: names(() => true, "names", "audiences of JWTs besides PUBLIC_URL with BASE_PATH, and /mcp below"),
  jwtAlgorithms: {
    ...names((item) => ALGORITHMS.includes(item), ALGORITHMS.join(", "), "signatures of JWTs to take"),
    fallback: ALGORITHMS,
  },
  jwtClaim: text(/^\S+$/, "hub", "the name of a claim", "claim of a JWT with its grants"),
  jwtChannels: patterns("channels that a JWT without that claim may use, within its scopes", ["*"]),
  anonymousPublish: patterns("channels that someone without a credential may publish on"),
  anonymousSubscribe: patterns("channels that someone without a credential may read"),
  authSecret: {
    ...names((item) => item.length >= 32, "32 characters or more", "seals browser sessions; the first one in use"),
    isSecret: true,
  },
  browserSessionAge: whole(60, 30 * DAY, DAY / 2, "seconds that a browser's session lasts at most"),
  loginIssuer: provider("identity provider that people log in with"),
  loginClientId: text(/^/, "", "the id of a client", "this server's client id at LOGIN_ISSUER"),
  loginClientSecret: {
    ...text(/^/, "", "the secret of a client", "this server's client secret at LOGIN_ISSUER"),
    isSecret: true,
  },
  loginScopes: {
    ...names(() => true, "scopes", "scopes asked of LOGIN_ISSUER"),
    fallback: ["openid", "profile", "email"],
  },
  loginPublish: patterns("channels that people who log in may publish on, unless JWT_CLAIM says so"),
  loginSubscribe: patterns("channels that people who log in may read, unless JWT_CLAIM says so"),
  maxConnectionAge: whole(0, 30 * DAY, 0, "seconds after which a stream is ended and comes back; 0 for never"),
  tlsCert: text(/^/, "", "a path", "PEM file of the certificate, with its chain; TLS if it is set"),
  tlsKey: text(/^/, "", "a path", "PEM file of the key of TLS_CERT"),
  tlsClientCa: text(/^/, "", "a path", "PEM file of who may sign clients' certificates"),
  certificatePublish: certificateGrants("channels that clients with a certificate may publish on"),
  certificateSubscribe: certificateGrants("channels that clients with a certificate may read"),
  trustedProxies: networks("proxies whose X-Forwarded-For counts"),
  rateLimits: {
    ...oneOf(
      ["", "on", "off"],
      "whether rate limits count; on unless it is a development server on loopback, with no proxy",
    ),
    allowed: "on or off",
  },
  limitConnects: whole(0, 1e6, 50, "streams and sockets one caller may open a second; 0: any"),
  limitPublishes: whole(0, 1e6, 200, "messages one caller may publish a second; 0: any"),
  limitPublishBytes: whole(0, 1e9, 2 * MB, "bytes one caller may publish a second; 0: any"),
  limitToolCalls: whole(0, 1e6, 100, "tool calls of one caller a second; 0: any"),
  limitHistoryPages: whole(0, 1e6, 50, "pages of history one caller may read a second; 0: any"),
  limitHookDeliveries: whole(0, 1e6, 50, "webhooks to one hook from one address a second; 0: any"),
  limitFailedCredentials: whole(0, 1e6, 20, "bad credentials of one address a minute; 0: any"),
  limitNewChannels: whole(0, 1e6, 1000, "channels one caller may make an hour; 0: any"),
  limitWaitingCalls: whole(0, 1e6, 500, "calls of one caller that may wait at once; 0: any"),
  discovery: registry("registry to be found in, as consul:URL or eureka:URL,URL"),
  serviceName: text(
    /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i,
    "sse-mcp-server",
    "letters, digits and hyphens, at most 63",
    "name to be found by in the registry of DISCOVERY",
  ),
  advertise: hostAndPort("HOST:PORT where others reach this server, for DISCOVERY"),
  consulToken: { ...text(/^[\x21-\x7e]*$/, "", "an ACL token", "ACL token for Consul"), isSecret: true },
  logLevel: {
    ...oneOf(["trace", "debug", "info", "warn", "error", "silent"], "how much the server logs"),
    fallback: "info",
  },
  logFile: text(/^/, "", "a path", "file that log lines go to instead of standard output"),
  bridges: { ...jsonList("a list of bridges in JSON", "channels connected to other buses"), isSecret: true },
  bridgesFile: text(/^/, "", "a path", "JSON file with channels connected to other buses"),
  webhooksFile: text(/^/, "", "a path", "JSON file with webhooks that messages are sent to"),
  webhookAllow: networks("private networks that webhooks may go to, also by plain HTTP"),
  notifyFile: text(/^/, "", "a path", "JSON file with how people are told of questions, besides on their channels"),
  tools: names(() => true, "paths of modules", "modules that export tools of your own, separated by commas"),
};

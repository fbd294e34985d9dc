import { HubError } from "../core/errors.ts";
import { quoted } from "../protocol/text.ts";

export { isObject } from "../protocol/json.ts";

/** Revisions without a handshake: every request names its version. */
export const MODERN_VERSIONS: readonly string[] = ["2026-07-28"];

/** Revisions that open a session with `initialize`, newest first. */
export const LEGACY_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/** The only revision with JSON-RPC batches (2025-03-26, "Batching"). */
export const BATCH_VERSION = "2025-03-26";

/** Names in `_meta` that the protocol reserves (2026-07-28, "_meta"). */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;

/** JSON-RPC 2.0 error codes, and those of MCP (2026-07-28, "Error Codes"). */
export const CODES = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** Severities of a log message, the least first (RFC 5424). */
export const LOG_LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Characters of a client's text that an error sentence repeats. */
const MAX_SHOWN = 100;

export type JsonObject = Readonly<Record<string, unknown>>;

export interface McpErrorOptions extends Partial<Pick<HubError, "challenge" | "retryAfter" | "rateLimit">> {
  readonly data?: JsonObject;
  readonly status?: number;
  readonly cause?: unknown;
}

/** A JSON-RPC error. */
export class McpError extends Error {
  readonly code: number;
  readonly data: JsonObject | undefined;
  /**
   * HTTP status of the answer. It is 200 if the method itself failed, so that clients do not treat the JSON-RPC error
   * as a failure of the transport.
   */
  readonly status: number;
  readonly challenge: HubError["challenge"];
  readonly retryAfter: HubError["retryAfter"];
  readonly rateLimit: HubError["rateLimit"];

  constructor(code: number, sentence: string, more: McpErrorOptions = {}) {
    super(sentence, more.cause === undefined ? {} : { cause: more.cause });
    this.name = "McpError";
    this.code = code;
    this.data = more.data;
    this.challenge = more.challenge;
    this.retryAfter = more.retryAfter;
    this.rateLimit = more.rateLimit;
    this.status = more.status ?? 200;
  }
}

/** The error for wrong params of a method. */
export function invalidParams(sentence: string, data?: JsonObject): McpError {
  return new McpError(CODES.invalidParams, sentence, data === undefined ? {} : { data });
}

/** Maps any error to one that is safe to send; an internal error keeps its cause for the log. */
export function asMcpError(error: unknown): McpError {
  if (error instanceof McpError) return error;
  if (error instanceof HubError) {
    const { rpcCode, code, message, retry, challenge, retryAfter, rateLimit } = error;
    const data = { code, ...(retry ? { retry } : {}) };
    // Clients get another token for 401 and 403, and slow down for 429, only if HTTP says so.
    const isHttp = challenge !== undefined || code === "RATE_LIMITED";
    const status = isHttp ? { status: error.status } : {};
    return new McpError(rpcCode, message, { data, ...status, cause: error.cause, challenge, retryAfter, rateLimit });
  }
  return asMcpError(new HubError("INTERNAL", "Something failed on the server; its log says what", { cause: error }));
}

/** The beginning of a text that a client sent. */
export function beginning(text: string, length: number = MAX_SHOWN): string {
  return text.slice(0, length).toWellFormed();
}

/** The beginning of a text that a client sent, quoted and escaped for an error sentence. */
export function shown(text: string): string {
  return quoted(beginning(text));
}

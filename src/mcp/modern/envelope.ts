import { senderName } from "../../core/message.ts";
import { isId } from "../../protocol/jsonrpc.ts";
import { mismatch, type Headers } from "./headers.ts";
import {
  beginning,
  CODES,
  isObject,
  LOG_LEVELS,
  McpError,
  META,
  MODERN_VERSIONS,
  shown,
  type JsonObject,
  type LogLevel,
} from "../errors.ts";

/** The `_meta` of a modern request (2026-07-28, "_meta"). */
export interface Meta {
  /** The capabilities that the client declared. */
  readonly capabilities: JsonObject;
  /** The name of the client, as a sender. */
  readonly sender: string | undefined;
  /** Set if the caller asks for progress notifications. */
  readonly progressToken: string | number | undefined;
  /** Set if the caller asks for log messages. */
  readonly logLevel: LogLevel | undefined;
}

/** Parses the `_meta` of a request. Throws if a required field is missing, or the headers contradict it. */
export function metaOf(params: unknown, headers: Headers): Meta {
  const meta = isObject(params) ? params["_meta"] : undefined;
  checkVersion(isObject(meta) ? meta[META.protocolVersion] : undefined, headers("mcp-protocol-version"));
  if (!isObject(meta)) throw malformed("params._meta is missing; it must be an object with the protocol version");
  if (typeof meta[META.protocolVersion] !== "string")
    throw malformed(`params._meta["${META.protocolVersion}"] is missing; give a version`);
  const {
    [META.clientCapabilities]: capabilities,
    [META.clientInfo]: client,
    [META.logLevel]: logLevel,
    progressToken,
  } = meta;
  if (!isObject(capabilities))
    throw malformed(`params._meta["${META.clientCapabilities}"] is missing; give an object, {} for none`);
  if (progressToken !== undefined && !isId(progressToken))
    throw malformed("params._meta.progressToken must be a short text or a whole number that JSON carries exactly");
  if (logLevel !== undefined && !LOG_LEVELS.includes(logLevel as LogLevel))
    throw malformed(`params._meta["${META.logLevel}"] must be one of ${LOG_LEVELS.join(", ")}`);
  return { capabilities, sender: senderOf(client), progressToken, logLevel: logLevel as LogLevel | undefined };
}

/** The name of a client as the sender of its messages, cut to the allowed length; undefined if it has none. */
export function senderOf(client: unknown): string | undefined {
  const { name } = isObject(client) ? client : {};
  return typeof name === "string" ? senderName(name) : undefined;
}

/** The error for params that cannot be parsed, with HTTP status 400. */
export function malformed(sentence: string): McpError {
  return new McpError(CODES.invalidParams, sentence, { status: 400 });
}

/** Also checks a version that only the header names, because later revisions may have it only there. */
function checkVersion(version: unknown, header: string | undefined): void {
  if (header === undefined) {
    throw mismatch(`The MCP-Protocol-Version header is missing; send one of ${MODERN_VERSIONS.join(", ")}`);
  }
  if (typeof version === "string" && version !== header) {
    throw mismatch(`The MCP-Protocol-Version header says ${shown(header)}, params._meta says ${shown(version)}`);
  }
  if (MODERN_VERSIONS.includes(header)) return;
  throw new McpError(
    CODES.unsupportedVersion,
    `Unsupported protocol version: ${shown(header)}; there is ${MODERN_VERSIONS.join(", ")}`,
    { status: 400, data: { supported: MODERN_VERSIONS, requested: beginning(header) } },
  );
}

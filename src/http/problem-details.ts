import type { FastifyReply } from "fastify";
import { challengeHeader } from "../auth/challenge.ts";
import { HubError } from "../core/errors.ts";
import { REQUEST_ID } from "./request-id.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** RFC 9457 problem details, with our stable `code`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  /** Whether the same request may succeed later. */
  readonly retry: boolean;
  /** The id of the `X-Request-Id` header, if the log has a line about it. */
  readonly requestId?: string;
}

/** Seconds after which a caller may try again what failed for want of something. */
export const RETRY_AFTER = 2;

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** Maps any error to one that is safe to send: a `HubError` as it is, Fastify's by its code, the rest as `INTERNAL`. */
export function asHubError(error: unknown, bodyLimit: number): HubError {
  if (error instanceof HubError) return error;
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new HubError("BODY_TOO_LARGE", `The body is larger than ${bodyLimit} bytes`, { cause: error });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new HubError("UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json", { cause: error });
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return new HubError("INVALID_JSON", "The body is not JSON", { cause: error });
    case "FST_ERR_BAD_URL":
      return new HubError("INVALID_REQUEST", "The path is not percent-encoded UTF-8", { cause: error });
    default:
      if (statusCode === 404) return new HubError("NOT_FOUND", "There is nothing here", { cause: error });
      if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
        return new HubError("INVALID_REQUEST", "The request cannot be read as HTTP", { cause: error });
      }
      return new HubError("INTERNAL", "Something failed on the server; its log says what", { cause: error });
  }
}

/** What the headers of an error say beside its status: when to come back, and what credential to come back with. */
export function errorHeaders(
  error: HubError,
  { metadataUrl }: { readonly metadataUrl: string | undefined },
): Record<string, string> {
  const challenge = challengeHeader(error, metadataUrl);
  const retryAfter = error.retryAfter ?? (error.retry ? RETRY_AFTER : undefined);
  return {
    ...(challenge === undefined ? {} : { "www-authenticate": challenge }),
    ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
    ...rateLimitHeaders(error),
  };
}

export function rateLimitHeaders({ rateLimit }: Partial<Pick<HubError, "rateLimit">>): Record<string, string> {
  return rateLimit === undefined ? {} : { "ratelimit-policy": rateLimit.policy, ratelimit: rateLimit.state };
}

export function problem({ status, code, message, retry, details }: HubError, requestId?: string): Problem {
  const title = TITLES[status] ?? "Error";
  const named = requestId !== undefined && code === "INTERNAL" ? { requestId } : {};
  return { type: "about:blank", title, status, detail: message, code, retry, ...named, ...details };
}

/** The headers of a problem that is sent before any hook has run. */
export const PROBLEM_HEADERS: Readonly<Record<string, string>> = {
  ...SECURITY_HEADERS,
  "content-type": "application/problem+json",
};

/**
 * Undoes that the framework closes the connection of a request whose body it refuses: Node throws away what is still
 * to come of the body, and the next request is served.
 */
export function keepOpen(reply: FastifyReply): void {
  reply.removeHeader("connection");
}

/** A whole HTTP/1.1 response for a socket that no framework looks after. */
export function rawProblem(
  error: HubError,
  context: { readonly metadataUrl: string | undefined },
  requestId?: string,
): string {
  const body = JSON.stringify(problem(error, requestId));
  const lines = Object.entries({
    ...PROBLEM_HEADERS,
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
    ...(requestId === undefined ? {} : { [REQUEST_ID]: requestId }),
    ...errorHeaders(error, context),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${error.status} ${TITLES[error.status] ?? "Error"}\r\n${lines.join("")}\r\n${body}`;
}

/**
 * Every failure a caller can meet: the HTTP status, the JSON-RPC code, and whether the same call may succeed later.
 * JSON-RPC codes that the specification does not define are the HTTP status, which lies outside its reserved range.
 */
const FAILURES = {
  INVALID_CHANNEL: { status: 400, rpcCode: -32602, retry: false },
  INVALID_PATTERN: { status: 400, rpcCode: -32602, retry: false },
  TOO_MANY_CHANNELS: { status: 400, rpcCode: -32602, retry: false },
  INVALID_MESSAGE: { status: 400, rpcCode: -32602, retry: false },
  MESSAGE_TOO_LARGE: { status: 413, rpcCode: -32602, retry: false },
  INVALID_INPUT: { status: 400, rpcCode: -32602, retry: false },
  INVALID_JSON: { status: 400, rpcCode: -32700, retry: false },
  INVALID_REQUEST: { status: 400, rpcCode: -32600, retry: false },
  BODY_TOO_LARGE: { status: 413, rpcCode: -32600, retry: false },
  UNKNOWN_TOOL: { status: 400, rpcCode: -32602, retry: false },
  UNKNOWN_METHOD: { status: 404, rpcCode: -32601, retry: false },
  NOT_FOUND: { status: 404, rpcCode: -32601, retry: false },
  METHOD_NOT_ALLOWED: { status: 405, rpcCode: -32600, retry: false },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, rpcCode: -32600, retry: false },
  TOO_MANY_SCHEDULED: { status: 429, rpcCode: 429, retry: false },
  TOO_MANY_QUESTIONS: { status: 429, rpcCode: 429, retry: false },
  QUESTION_CLOSED: { status: 409, rpcCode: 409, retry: false },
  IDEMPOTENCY_KEY_REUSED: { status: 422, rpcCode: -32602, retry: false },
  INVALID_DELIVERY: { status: 422, rpcCode: -32602, retry: false },
  UNAUTHENTICATED: { status: 401, rpcCode: 401, retry: false },
  FORBIDDEN: { status: 403, rpcCode: 403, retry: false },
  HOST_NOT_ALLOWED: { status: 403, rpcCode: 403, retry: false },
  ORIGIN_NOT_ALLOWED: { status: 403, rpcCode: 403, retry: false },
  REQUEST_TIMEOUT: { status: 408, rpcCode: 408, retry: true },
  RATE_LIMITED: { status: 429, rpcCode: 429, retry: true },
  AUTH_UNAVAILABLE: { status: 503, rpcCode: 503, retry: true },
  TOO_MANY_CONNECTIONS: { status: 503, rpcCode: 503, retry: true },
  LOG_UNAVAILABLE: { status: 503, rpcCode: 503, retry: true },
  OVERLOADED: { status: 503, rpcCode: 503, retry: true },
  SHUTTING_DOWN: { status: 503, rpcCode: 503, retry: true },
  NOT_SUPPORTED: { status: 501, rpcCode: 501, retry: false },
  INTERNAL: { status: 500, rpcCode: -32603, retry: true },
} as const;

/** The stable name of a failure; each has a section in `docs/errors.md`. */
export type HubErrorCode = keyof typeof FAILURES;

/** All codes. */
export const hubErrorCodes: readonly HubErrorCode[] = Object.keys(FAILURES) as HubErrorCode[];

/** What a caller is told of the credential it would need, as `WWW-Authenticate` says it (RFC 6750 section 3). */
export interface Challenge {
  /** Absent if the caller presented no credential. */
  readonly error?: "invalid_request" | "invalid_token" | "insufficient_scope";
  /** Every scope that the request needs, separated by spaces. */
  readonly scope?: string;
}

/** The fields of a limit that is used up (draft-ietf-httpapi-ratelimit-headers-10). */
export interface RateLimitFields {
  readonly policy: string;
  readonly state: string;
}

interface HubErrorOptions extends ErrorOptions {
  readonly challenge?: Challenge;
  /** Seconds after which the same call may succeed. */
  readonly retryAfter?: number;
  readonly rateLimit?: RateLimitFields;
  /** Members that problem details have besides their own (RFC 9457 section 3.2). */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The only error that crosses a door; anything else is answered as an internal error. */
export class HubError extends Error {
  readonly code: HubErrorCode;
  /** Set if a credential, or another one, would make the difference. */
  readonly challenge: Challenge | undefined;
  /** Seconds after which the same call may succeed, if it is known. */
  readonly retryAfter: number | undefined;
  /** Set if a limit was used up. */
  readonly rateLimit: RateLimitFields | undefined;
  /** What else there is to say, as data. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  /** Also true for errors of another copy of this package: a program and the command that loads it may each have it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && "isHubError" in value;
  }

  constructor(code: HubErrorCode, sentence: string, options?: HubErrorOptions) {
    super(sentence, options);
    this.name = "HubError";
    this.code = code;
    this.challenge = options?.challenge;
    this.retryAfter = options?.retryAfter;
    this.rateLimit = options?.rateLimit;
    this.details = options?.details;
  }

  /** Marks it as a `HubError`, whichever copy of this package made it. */
  get isHubError(): true {
    return true;
  }

  /** HTTP status. */
  get status(): number {
    return FAILURES[this.code].status;
  }

  /** JSON-RPC 2.0 error code. */
  get rpcCode(): number {
    return FAILURES[this.code].rpcCode;
  }

  /** Whether the same call may succeed later, unchanged. */
  get retry(): boolean {
    return FAILURES[this.code].retry;
  }
}

/** The `limit` that the details of `OVERLOADED` name if the channel would be one too many. */
export const CHANNEL_LIMIT = "MAX_CHANNELS";

/** Whether an error says that there is no room for another channel, which says nothing of those that exist. */
export function isOfNewChannel({ details }: HubError): boolean {
  return details?.["limit"] === CHANNEL_LIMIT;
}

/** A setting that is wrong, or a file that one names; the sentence says which, and what would be right. */
export class ConfigError extends Error {}

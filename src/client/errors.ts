/** The codes that the library itself gives; the server's own are added as they are, such as `TOO_MANY_CHANNELS`. */
export type HubClientErrorCode =
  | "INVALID_URL"
  | "INVALID_PATTERN"
  | "INVALID_MESSAGE"
  | "INVALID_CHANNEL"
  | "NOT_A_HUB"
  | "TOO_LARGE"
  | "REDIRECTED"
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "REFUSED"
  | "RATE_LIMITED"
  | "UNAVAILABLE"
  | "UNREACHABLE"
  | "CONNECTION_LOST"
  | "SILENT"
  | "TIMEOUT"
  | "CLOSED"
  | (string & {});

export interface HubClientErrorOptions extends ErrorOptions {
  readonly final: boolean;
  readonly status?: number | undefined;
  readonly retryAfter?: number | undefined;
  readonly fromHub?: boolean | undefined;
}

/** What went wrong between this client and its hub; docs/client.md has every code. */
export class HubClientError extends Error {
  override readonly name = "HubClientError";
  /** Stays the same from version to version; the sentence may not. */
  readonly code: HubClientErrorCode;
  /** Whether trying the same again is of no use. A connection is tried again after all other failures. */
  readonly final: boolean;
  /** The HTTP status, if there was an answer. */
  readonly status: number | undefined;
  /** Milliseconds after which the server wants to be asked again, if it said so. */
  readonly retryAfter: number | undefined;

  /** Whether the hub itself said so, and not the library or something on the way. */
  readonly fromHub: boolean;

  constructor(
    code: HubClientErrorCode,
    sentence: string,
    { final, status, retryAfter, fromHub = false, ...rest }: HubClientErrorOptions,
  ) {
    super(sentence, rest);
    this.code = code;
    this.final = final;
    this.status = status;
    this.retryAfter = retryAfter;
    this.fromHub = fromHub;
  }

  /** As plain data: errors lose their fields on the way to another tab. */
  toJSON(): HubClientErrorData {
    const { code, message, final, status, retryAfter, fromHub } = this;
    return {
      code,
      message,
      final,
      ...(status && { status }),
      ...(retryAfter && { retryAfter }),
      ...(fromHub && { fromHub }),
    };
  }
}

export interface HubClientErrorData {
  readonly code: HubClientErrorCode;
  readonly message: string;
  readonly final: boolean;
  readonly status?: number;
  readonly retryAfter?: number;
  readonly fromHub?: boolean;
}

/** An error that came from another tab. */
export function errorFrom({ code, message, ...rest }: HubClientErrorData): HubClientError {
  return new HubClientError(code, message, rest);
}

/** A failure that trying again may mend. */
export function passingError(code: HubClientErrorCode, sentence: string, cause?: unknown): HubClientError {
  return new HubClientError(code, sentence, { final: false, cause });
}

/** A failure that trying again does not mend. */
export function finalError(code: HubClientErrorCode, sentence: string, cause?: unknown): HubClientError {
  return new HubClientError(code, sentence, { final: true, cause });
}

/** Final only until a hub has answered there: later it is a proxy's page, or a network that wants a login. */
export function notAHub(base: string, what: string, cause?: unknown): HubClientError {
  return finalError("NOT_A_HUB", `${base} ${what}; it is not a hub, or something stands between`, cause);
}

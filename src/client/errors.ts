import { textOf } from "./body.ts";

/** Bytes of an answer that says why something was refused. */
const MOST = 65_536;
/** Characters of the sentence in it. */
const LONGEST_SENTENCE = 1000;

/** The codes that the library itself gives; the server's own are added as they are, such as `TOO_MANY_CHANNELS`. */
export type HubClientErrorCode =
  | "INVALID_URL"
  | "INVALID_PATTERN"
  | "INVALID_MESSAGE"
  | "INVALID_CHANNEL"
  | "NOT_A_HUB"
  | "TOO_LARGE"
  | "REDIRECTED"
  | "UNAUTHORIZED"
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
}

/** What went wrong between this client and its hub; docs/client.md has every code. */
export class HubClientError extends Error {
  override readonly name = "HubClientError";
  /** Stays the same from version to version; the sentence may not. */
  readonly code: HubClientErrorCode;
  /** Whether trying the same again is of no use. A connection is tried again after all other failures. */
  readonly final: boolean;
  /** The HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** Milliseconds after which the server wants to be asked again, where it said so. */
  readonly retryAfter: number | undefined;

  constructor(
    code: HubClientErrorCode,
    sentence: string,
    { final, status, retryAfter, ...rest }: HubClientErrorOptions,
  ) {
    super(sentence, rest);
    this.code = code;
    this.final = final;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** As plain data: errors lose their fields on the way to another tab. */
  toJSON(): HubClientErrorData {
    const { code, message, final, status, retryAfter } = this;
    return { code, message, final, ...(status && { status }), ...(retryAfter && { retryAfter }) };
  }
}

export interface HubClientErrorData {
  readonly code: HubClientErrorCode;
  readonly message: string;
  readonly final: boolean;
  readonly status?: number;
  readonly retryAfter?: number;
}

/** An error that came from another tab. */
export function errorFrom({ code, message, ...rest }: HubClientErrorData): HubClientError {
  return new HubClientError(code, message, rest);
}

/** What it means that what was to be done at `url`, below `base`, is to be done elsewhere. Takes its body. */
export function redirection(response: Response, base: string, url: URL): HubClientError {
  void response.body?.cancel().catch(() => {});
  const location = response.headers.get("location");
  const there = location === null ? undefined : resolved(location, url.href)?.href;
  const path = url.href.slice(base.length);
  const moved = there?.endsWith(`/${path}`) ? there.slice(0, -path.length) : there;
  const where = moved === undefined ? "elsewhere, and the runtime does not tell where" : `to ${JSON.stringify(moved)}`;
  const sentence = `${base} redirects ${where}; only reading follows that, so connect to the new address`;
  return new HubClientError("REDIRECTED", sentence, { final: true, status: response.status || undefined });
}

/** What an answer means that is not the one hoped for. Takes its body. */
export async function refusal(response: Response): Promise<HubClientError> {
  const { status } = response;
  const { code, detail, retry } = reasonIn((await textOf(response, MOST).catch(() => "")) ?? "");
  const retryAfter = milliseconds(response.headers);
  // Unless a hub says so itself: a server that fails, or is asked too much, may do better later.
  const final = retry === undefined ? status < 500 && ![408, 425, 429].includes(status) : !retry;
  // There is no such route, so whatever code it gives is not one of ours.
  const known = status === 404 || status === 405 ? "NOT_A_HUB" : (code ?? codeOf(status));
  const sentence = detail ?? `The server answered ${status} ${response.statusText}`.trimEnd();
  return new HubClientError(known, sentence, { final, status, retryAfter });
}

function codeOf(status: number): HubClientErrorCode {
  if (status === 401) return "UNAUTHORIZED";
  if (status === 403) return "FORBIDDEN";
  if (status === 429) return "RATE_LIMITED";
  if (status >= 500 || status === 408 || status === 425) return "UNAVAILABLE";
  return status === 400 || status === 413 || status === 422 ? "REFUSED" : "NOT_A_HUB";
}

/** The code and the sentence of a problem (RFC 9457) or of a JSON-RPC error, and whether a hub says to try again. */
function reasonIn(text: string): { readonly code?: string; readonly detail?: string; readonly retry?: boolean } {
  try {
    const { code, detail, retry, error } = JSON.parse(text) as {
      code?: unknown;
      detail?: unknown;
      retry?: unknown;
      error?: { message?: unknown; data?: { code?: unknown; retry?: unknown } };
    };
    const found = code ?? error?.data?.code;
    const said = detail ?? error?.message;
    const again = retry ?? error?.data?.retry;
    const isOurs = typeof found === "string" && /^[A-Z_]{1,64}$/.test(found);
    return {
      ...(isOurs && { code: found }),
      ...(isOurs && typeof again === "boolean" && { retry: again }),
      ...(typeof said === "string" && { detail: said.slice(0, LONGEST_SENTENCE) }),
    };
  } catch {
    return {};
  }
}

/** An address, relative to another; undefined if it cannot be one. */
export function resolved(address: string, base?: string): URL | undefined {
  try {
    return new URL(address, base);
  } catch {
    return undefined;
  }
}

/** `Retry-After`: seconds, or a date, which is of the server's clock. Undefined if it is neither. */
function milliseconds(headers: Response["headers"]): number | undefined {
  const given = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(given)) return Math.min(Number(given) * 1000, Number.MAX_SAFE_INTEGER);
  // Parsers of dates take much else for one, such as -5.
  if (!/^[a-z]{3}/i.test(given)) return undefined;
  const sent = Date.parse(headers.get("date") ?? "");
  const wait = Date.parse(given) - (Number.isNaN(sent) ? Date.now() : sent);
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}

import { finalError, HubClientError, notAHub, passingError, type HubClientErrorCode } from "./errors.ts";

/** Headers as an object; a function is asked before every request, so that a token can be renewed. */
export type Headers =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

export interface HttpClientOptions {
  /**
   * An API key or token, or a promise of one, sent as `Authorization: Bearer` with every request, and in exchange for a
   * ticket with every WebSocket. It is asked for each time, so that it can be renewed. Default: none, which in a page
   * of the hub's own leaves it to the cookie of its session.
   */
  readonly token?: () => string | Promise<string>;
  /**
   * Headers of every request, or a function that is asked for them before each. Browsers send none with the handshake
   * of a WebSocket. Default: none.
   */
  readonly headers?: Headers;
  /** Only looks on, as a dashboard does: counts neither as a receiver nor as a reader. Default: false. */
  readonly watch?: boolean;
  /**
   * An id by which announcements on `hub.presence.*` name this reader: those whose `data.reader` is the same. At most 64
   * letters, digits, `_` and `-`. Default: none.
   */
  readonly reader?: string;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
  /** Opens a WebSocket, in place of the global constructor; Node's own takes headers as a second argument. */
  readonly webSocket?: (url: string) => WebSocket;
  /** Reads the JSON of each message, in place of `JSON.parse`: for numbers with more digits than a double holds. */
  readonly parse?: (json: string) => unknown;
}

export interface Request {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** A bare `EventSource` names only the first, and is answered with a stream where it would give up after a refusal. */
const ACCEPT = "text/event-stream, application/problem+json";
/** Bytes of an answer that says why something was refused. */
const MAX_REFUSAL = 65_536;
/** Characters of the sentence in it. */
const MAX_SENTENCE = 1000;

/** Where a hub is, and how it is asked. */
export class HttpClient {
  readonly base: string;
  /** The parameters that every reader's address has: whether it only looks on, and its id. */
  readonly reading: { readonly watch?: "true"; readonly reader?: string };
  readonly webSocket: NonNullable<HttpClientOptions["webSocket"]>;
  readonly parse: NonNullable<HttpClientOptions["parse"]>;
  /** Whether a hub has answered here. */
  hubAnswered = false;
  readonly token: HttpClientOptions["token"];
  readonly #headers: Headers;
  readonly #fetch: typeof fetch;

  /** Throws `INVALID_URL`. */
  constructor(url: string | URL, options: HttpClientOptions) {
    this.base = baseOf(url);
    this.webSocket = options.webSocket ?? ((address) => new WebSocket(address));
    const { watch, reader } = options;
    this.reading = { ...(watch && { watch: "true" }), ...(reader !== undefined && { reader }) };
    this.parse = options.parse ?? ((json) => JSON.parse(json) as unknown);
    this.token = options.token;
    this.#headers = options.headers ?? {};
    this.#fetch = options.fetch ?? ((...request) => fetch(...request));
  }

  url(path: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return url;
  }

  /**
   * An answer that is not a refusal. Rejects with `HubClientError`, with the reason of the signal, or with what the
   * functions for the token and the headers throw.
   */
  async request(url: URL, request: Request): Promise<Response> {
    let response = await this.#send(url, request);
    // What is asked for may be better when it is asked for again.
    if (response.status === 401 && (this.token !== undefined || typeof this.#headers === "function")) {
      discard(response.body);
      response = await this.#send(url, request);
    }
    if (isRedirect(response)) throw redirection(response, this.base, url);
    if (response.ok) return response;
    throw await refusal(response);
  }

  /** The body of a stream of events. Rejects like `request`. */
  async events(
    patterns: readonly string[],
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    // As a parameter: with its header, a page of another origin would have to ask beforehand each time.
    const query = { format: "json", channel: patterns.join(","), last_event_id: after, ...this.reading };
    const response = await this.request(this.url("events", query), { signal, headers: { accept: ACCEPT } });
    const type = response.headers.get("content-type") ?? "nothing";
    if (response.body !== null && type.startsWith("text/event-stream")) return response.body;
    discard(response.body);
    throw notAHub(this.base, `answers /events with ${type}`);
  }

  async #send(url: URL, { method = "GET", headers = {}, body, signal }: Request): Promise<Response> {
    signal.throwIfAborted();
    const given = typeof this.#headers === "function" ? await orAborted(this.#headers(), signal) : this.#headers;
    const all = new Headers(given);
    const hasHeaders = !all.keys().next().done;
    const token = this.token && (await orAborted(this.token(), signal));
    if (token) all.set("authorization", `Bearer ${token}`);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    const init = {
      method,
      // As an object: a `fetch` of the caller's may want to add some.
      headers: Object.fromEntries(all),
      signal,
      // A POST that is redirected becomes a GET, and what is redirected takes its headers to another origin.
      ...((method === "POST" || hasHeaders || token) && { redirect: "manual" as const }),
      ...(body !== undefined && { body }),
    };
    // A `fetch` of the caller's may not look at the signal.
    return orAborted(this.#fetch(url, init), signal).catch((cause: unknown) => {
      signal.throwIfAborted();
      // What caused it, if the runtime says so.
      const { code } = ((cause as Error).cause ?? {}) as { code?: unknown };
      const because = typeof code === "string" ? ` (${code})` : "";
      throw passingError("UNREACHABLE", `No hub answers at ${url.origin}${because}`, cause);
    });
  }
}

/** What a promise gives, unless a signal aborts first. */
export function orAborted<Result>(promise: Result | PromiseLike<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    const settled = (): void => signal.removeEventListener("abort", abort);
    Promise.resolve(promise).then(resolve, reject).finally(settled);
    if (signal.aborted) abort();
  });
}

/** The text of an answer; undefined if it is longer than so many bytes. Rejects if it breaks off. */
export async function textOf(response: Response, most: number): Promise<string | undefined> {
  const reader = response.body?.getReader();
  // A `fetch` of the caller's may give no stream.
  if (reader === undefined) return response.text();
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    length += value.length;
    if (length > most) {
      discard(reader);
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Lets go of a body that is not read. */
export function discard(body: Pick<ReadableStream, "cancel"> | null): void {
  body?.cancel().catch(() => {});
}

function baseOf(given: string | URL): string {
  // In a page, "/" is where the page came from.
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const url = resolved(String(given), page);
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    const sentence = `${JSON.stringify(String(given))} is not the address of a hub; use one such as http://localhost:8000`;
    throw finalError("INVALID_URL", sentence);
  }
  url.search = "";
  url.hash = "";
  return url.href.endsWith("/") ? url.href : `${url.href}/`;
}

/** An address, relative to another; undefined if it cannot be one. */
function resolved(address: string, base?: string): URL | undefined {
  try {
    return new URL(address, base);
  } catch {
    return undefined;
  }
}

/** Browsers only say that the request failed, not why. */
function isRedirect({ type, status }: Response): boolean {
  return type === "opaqueredirect" || [301, 302, 303, 307, 308].includes(status);
}

/** What it means that what was to be done at `url`, below `base`, is to be done elsewhere. Takes its body. */
function redirection(response: Response, base: string, url: URL): HubClientError {
  discard(response.body);
  const location = response.headers.get("location");
  const there = location === null ? undefined : resolved(location, url.href)?.href;
  const path = url.href.slice(base.length);
  const moved = there?.endsWith(`/${path}`) ? there.slice(0, -path.length) : there;
  const where = moved === undefined ? "elsewhere, and the runtime does not tell where" : `to ${JSON.stringify(moved)}`;
  const sentence = `${base} redirects ${where}; only reading without credentials or other headers follows that, so connect to the new address`;
  return new HubClientError("REDIRECTED", sentence, { final: true, status: response.status || undefined });
}

/** What an answer means that is not the one hoped for. Takes its body. */
async function refusal(response: Response): Promise<HubClientError> {
  const { status } = response;
  const { code, detail, retry } = reasonIn((await textOf(response, MAX_REFUSAL).catch(() => "")) ?? "");
  const retryAfter = retryAfterIn(response.headers);
  // Unless a hub says so itself: a server that fails, or is asked too much, may do better later.
  const final = retry === undefined ? status < 500 && ![408, 425, 429].includes(status) : !retry;
  // The route does not exist, so the code in the answer is not one of the hub's.
  const known = status === 404 || status === 405 ? "NOT_A_HUB" : (code ?? codeOf(status));
  const sentence = detail ?? `The server answered ${status} ${response.statusText}`.trimEnd();
  return new HubClientError(known, sentence, { final, status, retryAfter, fromHub: retry !== undefined });
}

function codeOf(status: number): HubClientErrorCode {
  if (status === 401) return "UNAUTHENTICATED";
  if (status === 403) return "FORBIDDEN";
  if (status === 429) return "RATE_LIMITED";
  if (status >= 500 || status === 408 || status === 425) return "UNAVAILABLE";
  return status === 400 || status === 413 || status === 422 ? "REFUSED" : "NOT_A_HUB";
}

/** The code and the sentence of a problem (RFC 9457) or of a JSON-RPC error, and whether a hub says to try again. */
function reasonIn(text: string): { readonly code?: string; readonly detail?: string; readonly retry?: boolean } {
  try {
    const problem = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const { message, data } = (problem["error"] ?? {}) as {
      message?: unknown;
      data?: Readonly<Record<string, unknown>>;
    };
    const code = problem["code"] ?? data?.["code"];
    const detail = problem["detail"] ?? message;
    const retry = problem["retry"] ?? data?.["retry"];
    const isOurs = typeof code === "string" && /^[A-Z_]{1,64}$/.test(code);
    return {
      ...(isOurs && { code }),
      ...(isOurs && typeof retry === "boolean" && { retry }),
      ...(typeof detail === "string" && { detail: detail.slice(0, MAX_SENTENCE) }),
    };
  } catch {
    return {};
  }
}

/** `Retry-After` in milliseconds: seconds, or a date of the server's clock. Undefined if it is neither. */
function retryAfterIn(headers: Response["headers"]): number | undefined {
  const given = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(given)) return Math.min(Number(given) * 1000, Number.MAX_SAFE_INTEGER);
  // Parsers of dates take much else for one, such as -5.
  if (!/^[a-z]{3}/i.test(given)) return undefined;
  const sent = Date.parse(headers.get("date") ?? "");
  const wait = Date.parse(given) - (Number.isNaN(sent) ? Date.now() : sent);
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}

import { HubClientError, redirection, refusal, resolved } from "./errors.ts";

/** Headers as an object; a function is asked before every request, so that a token can be renewed. */
export type Headers =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

export interface DoorOptions {
  readonly headers?: Headers;
  /** In place of the global one, and of the global constructor. */
  readonly fetch?: typeof fetch;
  readonly webSocket?: (url: string) => WebSocket;
  /** Whether who reads through it only looks on. */
  readonly watch?: boolean;
  readonly parse?: (json: string) => unknown;
}

export interface Asking {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** Where a hub is, and how it is asked. */
export class Door {
  readonly base: string;
  /** The parameters that every reader's address has: whether it only looks on. */
  readonly reading: { readonly watch?: "true" };
  readonly webSocket: NonNullable<DoorOptions["webSocket"]>;
  readonly parse: NonNullable<DoorOptions["parse"]>;
  /** Whether a hub has answered here; then what answers like something else is an accident on the way. */
  met = false;
  readonly #headers: Headers;
  readonly #fetch: typeof fetch;

  /** Throws `INVALID_URL`. */
  constructor(url: string | URL, options: DoorOptions) {
    this.base = baseOf(url);
    this.webSocket = options.webSocket ?? ((address) => new WebSocket(address));
    this.reading = options.watch ? { watch: "true" } : {};
    this.parse = options.parse ?? ((json) => JSON.parse(json) as unknown);
    this.#headers = options.headers ?? {};
    this.#fetch = options.fetch ?? ((...request) => fetch(...request));
  }

  /** Whether a request that was refused as unauthorised may be made with other headers. */
  get canRenew(): boolean {
    return typeof this.#headers === "function";
  }

  url(path: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return url;
  }

  /**
   * An answer that is not a refusal. Rejects with `HubClientError`, with the reason of the signal, or with what the
   * function for the headers throws.
   */
  async ask(url: URL, { method = "GET", headers = {}, body, signal }: Asking): Promise<Response> {
    signal.throwIfAborted();
    const given = typeof this.#headers === "function" ? await orAborted(this.#headers(), signal) : this.#headers;
    const all = new Headers(given);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    const init = {
      method,
      // As an object: a `fetch` of the caller's may want to add some.
      headers: Object.fromEntries(all),
      signal,
      // A POST that is redirected becomes a GET, or takes its headers to another origin.
      ...(method === "POST" && { redirect: "manual" as const }),
      ...(body !== undefined && { body }),
    };
    // A `fetch` of the caller's may not look at the signal.
    const response = await orAborted(this.#fetch(url, init), signal).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new HubClientError("UNREACHABLE", `No hub answers at ${url.origin}${because(cause)}`, {
        final: false,
        cause,
      });
    });
    if (method === "POST" && isRedirect(response)) throw redirection(response, this.base, url);
    if (!response.ok) throw await refusal(response);
    return response;
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

function baseOf(given: string | URL): string {
  // In a page, "/" is where the page came from.
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const url = resolved(String(given), page);
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    const shown = JSON.stringify(String(given));
    throw new HubClientError("INVALID_URL", `${shown} is no address of a hub; use one such as http://localhost:8000`, {
      final: true,
    });
  }
  url.search = "";
  url.hash = "";
  return url.href.endsWith("/") ? url.href : `${url.href}/`;
}

/** Browsers tell no more of it than that it is one. */
function isRedirect({ type, status }: Response): boolean {
  return type === "opaqueredirect" || [301, 302, 303, 307, 308].includes(status);
}

/** What lies behind a failed request, where the runtime tells. */
function because(cause: unknown): string {
  const { code } = ((cause as Error).cause ?? {}) as { code?: unknown };
  return typeof code === "string" ? ` (${code})` : "";
}

import { HubClientError, refusal } from "./error.ts";

/** Headers as an object; a function is asked before every request, so that a token can be renewed. */
export type Headers =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

export interface DoorOptions {
  readonly headers: Headers;
  readonly fetch: typeof fetch;
  readonly webSocket: (url: string) => WebSocket;
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
  readonly webSocket: DoorOptions["webSocket"];
  /** Whether a hub has answered here; then what answers like something else is an accident on the way. */
  met = false;
  readonly #headers: Headers;
  readonly #fetch: typeof fetch;

  /** Throws `INVALID_URL`. */
  constructor(url: string | URL, options: DoorOptions) {
    this.base = baseOf(url);
    this.webSocket = options.webSocket;
    this.#headers = options.headers;
    this.#fetch = options.fetch;
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

  /** An answer that is not a refusal. Rejects with `HubClientError`, or with the reason of the signal. */
  async ask(url: URL, { method = "GET", headers = {}, body, signal }: Asking): Promise<Response> {
    const own = typeof this.#headers === "function" ? await this.#headers() : this.#headers;
    signal.throwIfAborted();
    const init = { method, headers: { ...own, ...headers }, signal, ...(body !== undefined && { body }) };
    const response = await this.#fetch(url, init).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new HubClientError("UNREACHABLE", `No hub answers at ${url.origin}${because(cause)}`, {
        final: false,
        cause,
      });
    });
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

function baseOf(given: string | URL): string {
  // In a page, "/" is where the page came from.
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const url = URL.canParse(String(given), page) ? new URL(given, page) : undefined;
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

/** What lies behind a failed request, where the runtime tells. */
function because(cause: unknown): string {
  const { code } = ((cause as Error).cause ?? {}) as { code?: unknown };
  return typeof code === "string" ? ` (${code})` : "";
}

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { HubError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import type { RequestVerifier } from "./authenticator.ts";
import { CookieKeys, cookieIn, cookiePlace, setCookie, type CookiePlace } from "./cookie.ts";
import { invalidCredential } from "./credential.ts";
import { checkSameOrigin, isUnsafe } from "./same-origin.ts";

export interface BrowserSessionOptions {
  /** What cookies are sealed with, the one in use first; if there is none, `keepKey` gives one. */
  readonly secrets: readonly string[];
  /** Milliseconds that a session lasts at most. */
  readonly maxAge: number;
  /** The origin of the server's own pages, if it is not the host that they ask; empty if not known. */
  readonly publicUrl?: string;
  /** The path below which the server is found; empty for none. */
  readonly basePath?: string;
  /** Whether the credential that a session was made from is gone, or grants less. */
  readonly isGone?: (principal: Principal) => boolean;
  /** In milliseconds since 1970. */
  readonly now?: () => number;
}

/** A session that has begun. */
export interface BegunSession {
  readonly principal: Principal;
  /** The `Set-Cookie` that has the browser keep it. */
  readonly cookie: string;
}

const PURPOSE = "sse-mcp-server browser session 1";

/**
 * Sessions of browsers, each in a cookie that only this server can read: bare `EventSource` and WebSocket send it by
 * themselves. A session is as good as the credential it was made from, and ends with it.
 */
export class BrowserSessions implements RequestVerifier {
  readonly #maxAge: number;
  readonly #isGone: (principal: Principal) => boolean;
  readonly #publicUrl: string;
  readonly #cookie: CookiePlace;
  readonly #now: () => number;
  readonly #isConfigured: boolean;
  #keys: CookieKeys;

  constructor(options: BrowserSessionOptions) {
    const { secrets, maxAge, publicUrl = "", basePath = "", isGone = () => false, now = Date.now } = options;
    this.#maxAge = maxAge;
    this.#isGone = isGone;
    this.#publicUrl = publicUrl;
    this.#cookie = cookiePlace("hub", basePath);
    this.#now = now;
    this.#isConfigured = secrets.length > 0;
    this.#keys = new CookieKeys(this.#isConfigured ? secrets : [randomBytes(32)], PURPOSE);
  }

  /** Seals with a key that outlives a restart, unless the settings have secrets. */
  keepKey(key: Uint8Array): void {
    if (!this.#isConfigured) this.#keys = new CookieKeys([key], PURPOSE);
  }

  /** Begins a session of whoever presented a credential. Throws `INVALID_REQUEST` if a cookie cannot hold its grants. */
  begin({ subject, id, publish, subscribe, admin, sendAs, expires = Infinity }: Principal): BegunSession {
    const until = Math.min(expires, this.#now() + this.#maxAge);
    const principal: Principal = {
      subject,
      kind: "session",
      id,
      publish,
      subscribe,
      admin,
      sendAs,
      expires: until,
    };
    const age = Math.max(Math.floor((until - this.#now()) / 1000), 1);
    const cookie = setCookie(this.#cookie, this.#keys.seal(principal), "Strict", age);
    if (cookie !== undefined) return { principal, cookie };
    const sentence = "The grants of this credential are too long for a cookie; use one with fewer or shorter patterns";
    throw new HubError("INVALID_REQUEST", sentence);
  }

  /** The `Set-Cookie` that ends a session. */
  get end(): string {
    return setCookie(this.#cookie, "", "Strict") ?? "";
  }

  /** Whether a request comes with a session, good or not. */
  has(request: IncomingMessage): boolean {
    return cookieIn(request, this.#cookie.name) !== undefined;
  }

  /**
   * Whose session a request comes with; undefined if it comes with none. Throws `UNAUTHENTICATED` for one that is over
   * or was not made here, and `ORIGIN_NOT_ALLOWED` for a request that a page of another origin may have made.
   */
  verify(request: IncomingMessage): Principal | undefined {
    const cookie = cookieIn(request, this.#cookie.name);
    if (cookie === undefined) return undefined;
    const principal = this.#keys.open(cookie) as Principal | undefined;
    const isOver = principal === undefined || (principal.expires ?? 0) <= this.#now() || this.#isGone(principal);
    if (isOver) throw invalidCredential();
    if (isUnsafe(request)) checkSameOrigin(request, this.#publicUrl);
    return principal;
  }
}

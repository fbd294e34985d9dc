import type { RequestContext } from "./request-context.ts";
import { invalidParams, type JsonObject } from "./errors.ts";

/** Milliseconds in which a client has to come back. */
const LIFETIME = 600_000;
const MAX_LENGTH = 64 * 1024;
const utf8 = new TextEncoder();

/** What a state is for: it is worth nothing with another caller or another request. */
export interface StateScope {
  readonly subject: string;
  readonly method: string;
  /** Without `_meta`, `inputResponses` and `requestState`. */
  readonly params: JsonObject;
}

/**
 * Seals what a request must remember until the client comes back with the input it was asked for (2026-07-28, "Multi
 * Round-Trip Requests", server requirements 4 and 5). The client holds the state, so it is signed with HMAC-SHA-256
 * and bound to caller, method, params and time. It is not secret, and can be used again until its time is over.
 */
export class RequestStates {
  readonly #key: Promise<Awaited<ReturnType<typeof crypto.subtle.importKey>>>;
  readonly #now: () => number;

  /**
   * `secret` has at least 32 bytes; servers that share it, and then a clock as well, open each other's states. The
   * clock in milliseconds is one that cannot be set, unless another is given.
   */
  constructor(
    secret: Uint8Array<ArrayBuffer> = crypto.getRandomValues(new Uint8Array(32)),
    now: () => number = () => performance.now(),
  ) {
    this.#key = crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    this.#now = now;
  }

  /** `payload` is any JSON value. */
  async seal(payload: unknown, scope: StateScope): Promise<string> {
    const body = toBase64Url(utf8.encode(JSON.stringify({ payload, until: this.#now() + LIFETIME })));
    const signature = await crypto.subtle.sign("HMAC", await this.#key, signed(body, scope));
    return `${body}.${toBase64Url(new Uint8Array(signature))}`;
  }

  /** The payload. Throws `-32602`, always with the same sentence, where it was not sealed for this, or too long ago. */
  async open(state: unknown, scope: StateScope): Promise<unknown> {
    const refused = invalidParams("requestState is not one of this server's for this request, or too old; begin anew", {
      reason: "invalid_request_state",
    });
    if (typeof state !== "string" || state.length > MAX_LENGTH) throw refused;
    const [body = "", signature = "", ...rest] = state.split(".");
    const bytes = fromBase64Url(signature);
    if (rest.length > 0 || bytes === undefined) throw refused;
    if (!(await crypto.subtle.verify("HMAC", await this.#key, bytes, signed(body, scope)))) throw refused;
    const json = new TextDecoder().decode(fromBase64Url(body));
    const { payload, until } = JSON.parse(json) as { payload: unknown; until: number };
    if (this.#now() > until) throw refused;
    return payload;
  }
}

/** What a request and its retries have in common. */
export function scopeOf(method: string, params: JsonObject, call: Pick<RequestContext, "principal">): StateScope {
  const { _meta: _, inputResponses: __, requestState: ___, ...rest } = params;
  return { subject: call.principal.subject, method, params: rest };
}

function signed(body: string, { subject, method, params }: StateScope): Uint8Array<ArrayBuffer> {
  return utf8.encode(JSON.stringify([body, subject, method, sorted(params)]));
}

/** The same value with the names of its objects in order, so that equal params are equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ["[", ...value.map(sorted)];
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return ["{", ...entries.map(([name, inner]) => [name, sorted(inner)])];
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Undefined where `toBase64Url` would have written it otherwise: the last character has bits to spare. */
function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return toBase64Url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

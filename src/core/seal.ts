/** Characters of a sealed text at most: well below the limit of a request body. */
export const MAX_LENGTH: number = 512 * 1024;
const KEY_BYTES = 32;
const utf8 = new TextEncoder();

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/**
 * Seals values that clients keep: the text is signed with HMAC-SHA-256 and bound to a scope. It is not encrypted, and
 * can be used more than once until it expires.
 */
export class Sealer {
  #key: Promise<Key>;
  readonly #now: () => number;

  /** `secret` has 32 bytes; sealers that share it open each other's texts. `now` is in milliseconds since 1970. */
  constructor(
    secret: Uint8Array<ArrayBuffer> = crypto.getRandomValues(new Uint8Array(KEY_BYTES)),
    now: () => number = Date.now,
  ) {
    this.#key = keyOf(secret);
    this.#now = now;
  }

  /** Goes on with another secret: what was sealed before cannot be opened any more. */
  use(secret: Uint8Array<ArrayBuffer>): void {
    this.#key = keyOf(secret);
  }

  /** `payload` and `scope` are any JSON; `lifetime` is in milliseconds, unlimited by default. */
  async seal(payload: unknown, scope: unknown, lifetime?: number): Promise<string> {
    const until = lifetime === undefined ? [] : [this.#now() + lifetime];
    const body = toBase64Url(utf8.encode(JSON.stringify([payload, ...until])));
    const signature = await crypto.subtle.sign("HMAC", await this.#key, signed(body, scope));
    return `${body}.${toBase64Url(new Uint8Array(signature))}`;
  }

  /** What was sealed for this scope; undefined if the text has another key or scope, or has expired. */
  async open(text: unknown, scope: unknown): Promise<{ readonly payload: unknown } | undefined> {
    if (typeof text !== "string" || text.length > MAX_LENGTH) return undefined;
    const [body = "", signature = "", ...rest] = text.split(".");
    const bytes = fromBase64Url(signature);
    if (rest.length > 0 || bytes === undefined) return undefined;
    if (!(await crypto.subtle.verify("HMAC", await this.#key, bytes, signed(body, scope)))) return undefined;
    const json = new TextDecoder().decode(fromBase64Url(body));
    const [payload, until = Infinity] = JSON.parse(json) as [unknown, number?];
    return this.#now() > until ? undefined : { payload };
  }
}

function keyOf(secret: Uint8Array<ArrayBuffer>): Promise<Key> {
  return crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

function signed(body: string, scope: unknown): Uint8Array<ArrayBuffer> {
  return utf8.encode(JSON.stringify([body, scope]));
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Undefined if `toBase64Url` would not write exactly this text: the last character has unused bits. */
function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return toBase64Url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

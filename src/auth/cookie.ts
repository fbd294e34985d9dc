import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Characters of a cookie, with its name and attributes, that every browser keeps (RFC 6265 section 6.1). */
const MAX_COOKIE = 4000;

/** The keys that one kind of cookie is sealed with: derived from secrets, of which the first is in use. */
export class CookieKeys {
  readonly #keys: readonly Buffer[];

  /** `purpose` keeps a cookie of one kind from being taken for one of another. */
  constructor(secrets: readonly (string | Uint8Array)[], purpose: string) {
    this.#keys = secrets.map((secret) => Buffer.from(hkdfSync("sha256", secret, "", purpose, KEY_BYTES)));
  }

  /** JSON that no one else can read or change. */
  seal(value: unknown): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#keys[0] as Buffer, nonce);
    const sealed = [nonce, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString("base64url");
  }

  /** What was sealed; undefined if it was not with any of these keys. */
  open(text: string): unknown {
    if (text.length > MAX_COOKIE) return undefined;
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    for (const key of this.#keys) {
      const cipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      cipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const plain = [cipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), cipher.final()];
        return JSON.parse(Buffer.concat(plain).toString()) as unknown;
      } catch {
        // Sealed with another key, or changed.
      }
    }
    return undefined;
  }
}

/**
 * The value of a cookie; undefined if the request has none of this name. Of several, none can be told to be ours: empty,
 * which no key opens. Only spaces and tabs are no part of a name: a browser keeps another character from its `__Host-` rule.
 */
export function cookieIn({ headers }: Pick<IncomingMessage, "headers">, name: string): string | undefined {
  const pairs = headers.cookie?.split(";").map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, "")) ?? [];
  const [found, ...more] = pairs.filter((pair) => pair.startsWith(`${name}=`));
  return more.length > 0 ? "" : found?.slice(name.length + 1);
}

/** What a cookie is called, and the path below which browsers send it. */
export interface CookiePlace {
  readonly name: string;
  readonly path: string;
}

/**
 * Where a server below `basePath` has a cookie: there, so that what else is on its origin is not sent it. Only with the
 * path `/` can the name tell browsers that no other host may set it.
 */
export function cookiePlace(name: string, basePath: string): CookiePlace {
  return basePath === "" ? { name: `__Host-${name}`, path: "/" } : { name: `__Secure-${name}`, path: basePath };
}

/**
 * A `Set-Cookie` that no script can read and no other origin can set; undefined if it is longer than browsers keep. Without
 * an `age` in seconds, the cookie is removed.
 */
export function setCookie(
  { name, path }: CookiePlace,
  value: string,
  sameSite: "Strict" | "Lax",
  age = 0,
): string | undefined {
  const cookie = `${name}=${value}; Path=${path}; Max-Age=${age}; HttpOnly; Secure; SameSite=${sameSite}`;
  return cookie.length > MAX_COOKIE ? undefined : cookie;
}

/** The name of someone over all their credentials, of which nothing can be read. */
export function hashed(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

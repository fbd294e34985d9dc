import { exportJWK, generateKeyPair, importJWK, SignJWT, type CryptoKey, type JWK } from "jose";
import type { Records } from "../core/records.ts";

/** The key by which push services know this hub, as a JWK: kept with the log, since subscriptions are bound to it. */
const KEY = ["hub", "push-key"] as const;
/** Seconds for which a signature is good: at most a day (RFC 8292 section 2). */
const LIFETIME = 43_200;

/** Says to push services which hub sends (RFC 8292). */
export class Vapid {
  /** What browsers are given to subscribe with: a point of P-256 in base64url. */
  readonly publicKey: string;
  readonly #key: CryptoKey;
  readonly #contact: string;

  private constructor(key: CryptoKey, publicKey: string, contact: string) {
    this.#key = key;
    this.publicKey = publicKey;
    this.#contact = contact;
  }

  /** `contact` is where a push service reaches the operator: a `mailto:` or `https:` URL. */
  static async open(records: Records, contact: string): Promise<Vapid> {
    let text = await records.get(...KEY);
    if (text === undefined) {
      const { privateKey } = await generateKeyPair("ES256", { extractable: true });
      // Of several nodes that start together, one makes it.
      await records.replace(...KEY, undefined, JSON.stringify(await exportJWK(privateKey)));
      text = (await records.get(...KEY)) ?? "";
    }
    const jwk = JSON.parse(text) as JWK;
    const [x, y] = [jwk.x, jwk.y].map((part) => Buffer.from(part ?? "", "base64url"));
    const publicKey = Buffer.concat([Buffer.from([4]), x ?? Buffer.of(), y ?? Buffer.of()]).toString("base64url");
    return new Vapid((await importJWK(jwk, "ES256")) as CryptoKey, publicKey, contact);
  }

  /** The value of `Authorization` for a push service. */
  async authorization({ origin }: URL): Promise<string> {
    const token = await new SignJWT()
      .setProtectedHeader({ typ: "JWT", alg: "ES256" })
      .setAudience(origin)
      .setSubject(this.#contact)
      .setExpirationTime(Math.floor(Date.now() / 1000) + LIFETIME)
      .sign(this.#key);
    return `vapid t=${token}, k=${this.publicKey}`;
  }
}

import { hash, timingSafeEqual } from "node:crypto";
import { headerFault, headerOf, type Delivery, type Proof, type Scheme, type Secret } from "../delivery.ts";
import { keysOf, prove, type Key } from "./keys.ts";

/** Where a provider that signs nothing shows that it knows the secret. */
export interface TokenSettings {
  readonly scheme: "token";
  /** A header, the user and password of HTTP Basic, or what follows the name of the hook in its path. */
  readonly in: "header" | "basic" | "path";
  /** If it is in a header. */
  readonly header?: string | undefined;
  /** What comes before it in the header, such as `Bearer `. */
  readonly prefix?: string | undefined;
}

/** The secret itself: it proves who sends, and nothing about the body, which only TLS protects. */
export class Token implements Scheme {
  readonly #settings: TokenSettings;
  readonly #keys: readonly Key<Buffer>[];

  constructor(settings: TokenSettings, secrets: readonly Secret[]) {
    this.#settings = settings;
    this.#keys = keysOf(secrets, hashOf);
  }

  verify(delivery: Delivery): Proof {
    const { in: place, header = "authorization", prefix = "" } = this.#settings;
    let given: string | undefined;
    let fault: string | undefined;
    if (place === "path") {
      given = delivery.token;
      if (given === undefined) fault = "its path has no secret after the name of the hook";
    } else {
      const value = headerOf(delivery, header) ?? "";
      if (value === "") fault = headerFault(delivery, header);
      else if (place === "basic") given = basicOf(value);
      else if (value.startsWith(prefix)) given = value.slice(prefix.length);
      if (given === undefined)
        fault ??= `its ${header} does not begin with ${place === "basic" ? "Basic" : prefix.trim()}`;
    }
    const hashed = hashOf(given ?? "");
    return prove(this.#keys, delivery.time, fault, (expected) => timingSafeEqual(hashed, expected));
  }

  /** The headers that show the secret; none if it is in the path. */
  sign(secret: string): Readonly<Record<string, string>> {
    const { in: place, header = "authorization", prefix = "" } = this.#settings;
    if (place === "path") return {};
    return { [header]: place === "basic" ? `Basic ${Buffer.from(secret).toString("base64")}` : `${prefix}${secret}` };
  }
}

function basicOf(value: string): string | undefined {
  const [, base64] = /^Basic +([A-Za-z\d+/]+={0,2})$/i.exec(value) ?? [];
  return base64 === undefined ? undefined : Buffer.from(base64, "base64").toString();
}

/** Of one length, whatever the secret. */
function hashOf(text: string): Buffer {
  return hash("sha256", text, "buffer");
}

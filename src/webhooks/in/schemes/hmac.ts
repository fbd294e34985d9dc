import { createHmac } from "node:crypto";
import {
  headerFault,
  headerOf,
  SchemeFault,
  type Delivery,
  type Proof,
  type Scheme,
  type Secret,
} from "../delivery.ts";
import { bytesOf, equal, keysOf, prove, type Key } from "./keys.ts";

/** How a provider signs with an HMAC. */
export interface HmacSettings {
  readonly scheme: "hmac";
  /** The header with the signature. */
  readonly header: string;
  /** What comes before the signature there. */
  readonly prefix?: string | undefined;
  readonly encoding?: "hex" | "base64" | undefined;
  readonly algorithm?: "sha256" | "sha1" | "sha512" | undefined;
  /** What is signed: `{body}`, and `{timestamp}` for the value of `timestampHeader`. */
  readonly signed?: string | undefined;
  readonly timestampHeader?: string | undefined;
}

const BODY = "{body}";
const TIMESTAMP = "{timestamp}";
const EMPTY = Buffer.of();

/** An HMAC of the body, alone or with a time: GitHub, Slack, Shopify, Linear, Gitea and most others. */
export class Hmac implements Scheme {
  readonly #settings: HmacSettings;
  readonly #keys: readonly Key<string>[];

  constructor(settings: HmacSettings, secrets: readonly Secret[]) {
    const { signed = BODY, timestampHeader } = settings;
    if (signed.split(BODY).length !== 2) throw new SchemeFault(`verify.signed must have ${BODY} once`);
    if (signed.includes(TIMESTAMP) !== (timestampHeader !== undefined)) {
      throw new SchemeFault(`verify.signed has ${TIMESTAMP} if there is a verify.timestampHeader, and not otherwise`);
    }
    this.#settings = settings;
    this.#keys = keysOf(secrets, (text) => text);
  }

  verify(delivery: Delivery): Proof {
    const { header, prefix = "", encoding = "hex", algorithm = "sha256", timestampHeader } = this.#settings;
    const value = headerOf(delivery, header) ?? "";
    const timestamp = timestampHeader === undefined ? undefined : (headerOf(delivery, timestampHeader) ?? "");
    const given = value.startsWith(prefix) ? bytesOf(value.slice(prefix.length), encoding) : undefined;
    let fault: string | undefined;
    if (value === "") fault = headerFault(delivery, header);
    else if (given === undefined) fault = `its ${header} is not ${prefix === "" ? "" : `${prefix} and `}${encoding}`;
    else if (timestampHeader !== undefined && timestamp === "") fault = headerFault(delivery, timestampHeader);
    const proof = prove(this.#keys, delivery.time, fault, (secret) =>
      equal(given ?? EMPTY, hmac(algorithm, secret, this.#signed(delivery.body, timestamp))),
    );
    return "fault" in proof || timestamp === undefined ? proof : { ...proof, timestamp };
  }

  /** The value of the header for a body, as its provider makes it. */
  sign(body: Buffer, timestamp: string, secret: string): Readonly<Record<string, string>> {
    const { header, prefix = "", encoding = "hex", algorithm = "sha256", timestampHeader } = this.#settings;
    const signature = hmac(algorithm, secret, this.#signed(body, timestamp)).toString(encoding);
    const time = timestampHeader === undefined ? {} : { [timestampHeader]: timestamp };
    return { [header]: `${prefix}${signature}`, ...time };
  }

  #signed(body: Buffer, timestamp = ""): readonly (string | Buffer)[] {
    const [before = "", after = ""] = (this.#settings.signed ?? BODY).split(BODY);
    // By a function: $ has a meaning in a text that takes the place of another.
    return [before.replace(TIMESTAMP, () => timestamp), body, after.replace(TIMESTAMP, () => timestamp)];
  }
}

/** The HMAC of parts one after the other. */
export function hmac(algorithm: string, key: string | Uint8Array, parts: readonly (string | Uint8Array)[]): Buffer {
  const state = createHmac(algorithm, key);
  for (const part of parts) state.update(part);
  return state.digest();
}

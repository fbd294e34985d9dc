import { createPublicKey, verify, type KeyObject } from "node:crypto";
import {
  headerFault,
  headerOf,
  SchemeFault,
  type Delivery,
  type Proof,
  type Scheme,
  type Secret,
} from "../delivery.ts";
import { bytesOf, isSeconds, keysOf, prove, type Key } from "./keys.ts";

/** How a provider signs with Ed25519: the time and the body, one after the other. */
export interface Ed25519Settings {
  readonly scheme: "ed25519";
  /** The header with the signature in hexadecimal. */
  readonly header: string;
  readonly timestampHeader: string;
}

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const NO_SIGNATURE = Buffer.alloc(SIGNATURE_BYTES);

/** A signature with the private key of the provider, as Discord makes them; the hook has the public key. */
export class Ed25519 implements Scheme {
  readonly #settings: Ed25519Settings;
  readonly #keys: readonly Key<KeyObject>[];

  constructor(settings: Ed25519Settings, secrets: readonly Secret[]) {
    this.#settings = settings;
    this.#keys = keysOf(secrets, (text) => {
      const bytes = bytesOf(text.toLowerCase(), "hex");
      if (bytes?.length === KEY_BYTES) return publicKeyOf(bytes);
      throw new SchemeFault("a secret is not a public key of Ed25519: 64 hexadecimal digits");
    });
  }

  verify(delivery: Delivery): Proof {
    const { header, timestampHeader } = this.#settings;
    const text = headerOf(delivery, header) ?? "";
    const timestamp = headerOf(delivery, timestampHeader) ?? "";
    const given = bytesOf(text, "hex");
    const isSignature = given?.length === SIGNATURE_BYTES;
    let fault: string | undefined;
    if (text === "") fault = headerFault(delivery, header);
    else if (!isSignature) fault = `its ${header} is not ${2 * SIGNATURE_BYTES} hexadecimal digits`;
    else if (timestamp === "") fault = headerFault(delivery, timestampHeader);
    else if (!isSeconds(timestamp)) fault = `its ${timestampHeader} is not a time in seconds`;
    const signed = Buffer.concat([Buffer.from(timestamp), delivery.body]);
    const signature = isSignature ? given : NO_SIGNATURE;
    const proof = prove(this.#keys, delivery.time, fault, (key) => verify(null, signed, key, signature));
    return "fault" in proof ? proof : { ...proof, timestamp };
  }
}

/** A public key of Ed25519 from its 32 bytes. */
export function publicKeyOf(bytes: Uint8Array): KeyObject {
  const x = Buffer.from(bytes).toString("base64url");
  return createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
}

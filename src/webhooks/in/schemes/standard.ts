import { verify, type KeyObject } from "node:crypto";
import {
  headerFault,
  headerOf,
  SchemeFault,
  type Delivery,
  type Proof,
  type Scheme,
  type Secret,
} from "../delivery.ts";
import { publicKeyOf } from "./ed25519.ts";
import { hmac } from "./hmac.ts";
import { bytesOf, equal, isSeconds, keysOf, prove, type Key } from "./keys.ts";

export interface StandardSettings {
  readonly scheme: "standard";
}

/** What a secret is: a key of an HMAC for `v1`, or a public key of Ed25519 for `v1a`. */
type Form = { readonly version: "v1"; readonly key: Buffer } | { readonly version: "v1a"; readonly key: KeyObject };

/** The names of the specification, and those that Svix and its customers had before. */
const PREFIXES = ["webhook", "svix"] as const;
/** Signatures of one delivery that are looked at. */
const MAX_SIGNATURES = 10;
const [LEAST_BYTES, MAX_BYTES] = [16, 128];
const MAX_ID = 255;
const EMPTY = Buffer.of();
const NO_SIGNATURE = Buffer.alloc(64);

/** Standard Webhooks: an id, a time and a list of signatures, `v1` (HMAC-SHA256) or `v1a` (Ed25519). */
export class Standard implements Scheme {
  readonly #keys: readonly Key<Form>[];

  constructor(_: StandardSettings, secrets: readonly Secret[]) {
    this.#keys = keysOf(secrets, formOf);
  }

  verify(delivery: Delivery): Proof {
    const prefix = PREFIXES.find((one) => delivery.headers[`${one}-signature`] !== undefined) ?? PREFIXES[0];
    const [idName, timeName, signatureName] = [`${prefix}-id`, `${prefix}-timestamp`, `${prefix}-signature`];
    const id = headerOf(delivery, idName) ?? "";
    const timestamp = headerOf(delivery, timeName) ?? "";
    const list = headerOf(delivery, signatureName) ?? "";
    const given = signaturesIn(list);
    let fault: string | undefined;
    if (id === "") fault = headerFault(delivery, idName);
    else if (id.length > MAX_ID) fault = `its ${idName} has more than ${MAX_ID} characters`;
    else if (timestamp === "") fault = headerFault(delivery, timeName);
    else if (!isSeconds(timestamp)) fault = `its ${timeName} is not a time in seconds`;
    else if (list === "") fault = headerFault(delivery, signatureName);
    else if (given.v1.length + given.v1a.length === 0) fault = `its ${signatureName} has no v1, or v1a, and Base64`;
    const signed = [`${id}.${timestamp}.`, delivery.body];
    const proof = prove(this.#keys, delivery.time, fault, ({ version, key }) => {
      if (version === "v1") {
        const expected = hmac("sha256", key, signed);
        return [EMPTY, ...given.v1].filter((signature) => equal(signature, expected)).length > 0;
      }
      const message = Buffer.concat(signed.map((part) => Buffer.from(part)));
      const signatures = given.v1a.length === 0 ? [NO_SIGNATURE] : given.v1a;
      return signatures.filter((signature) => verify(null, message, key, signature)).length > 0;
    });
    return "fault" in proof ? proof : { ...proof, timestamp, id };
  }

  sign(body: Buffer, timestamp: string, secret: string, id: string): Readonly<Record<string, string>> {
    const { version, key } = formOf(secret);
    if (version !== "v1") throw new SchemeFault("only the holder of the private key can sign with it");
    const signature = hmac("sha256", key, [`${id}.${timestamp}.`, body]).toString("base64");
    return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
  }
}

function signaturesIn(list: string): { readonly v1: readonly Buffer[]; readonly v1a: readonly Buffer[] } {
  const found: { readonly v1: Buffer[]; readonly v1a: Buffer[] } = { v1: [], v1a: [] };
  for (const item of list.split(" ", MAX_SIGNATURES)) {
    const [version = "", text = "", more] = item.split(",", 3);
    if ((version !== "v1" && version !== "v1a") || more !== undefined) continue;
    const signature = bytesOf(text, "base64");
    if (signature !== undefined) found[version].push(signature);
  }
  return found;
}

function formOf(text: string): Form {
  const [, kind = "", base64 = ""] = /^(whsec_|whpk_)?(.*)$/s.exec(text) ?? [];
  const bytes = bytesOf(base64, "base64");
  if (kind === "whpk_") {
    if (bytes?.length !== 32) throw new SchemeFault("a secret is not whpk_ and the Base64 of 32 bytes");
    return { version: "v1a", key: publicKeyOf(bytes) };
  }
  if (bytes === undefined || bytes.length < LEAST_BYTES || bytes.length > MAX_BYTES) {
    throw new SchemeFault(
      `a secret is not whsec_ and the Base64 of ${LEAST_BYTES} to ${MAX_BYTES} bytes, nor whpk_ and that of a public key`,
    );
  }
  return { version: "v1", key: bytes };
}

import { timingSafeEqual } from "node:crypto";
import { SchemeFault, type Proof, type Secret } from "../delivery.ts";

/** A secret in the form that its scheme computes with. */
export interface Key<Form> {
  readonly form: Form;
  readonly until: number;
}

/** The secrets of a hook in the form that its scheme computes with. `form` throws `SchemeFault` for what is not a secret. */
export function keysOf<Form>(secrets: readonly Secret[], form: (text: string) => Form): readonly Key<Form>[] {
  if (secrets.length === 0) throw new SchemeFault("secrets is missing; give the secret that signs the deliveries");
  return secrets.map(({ text, until }) => ({ form: form(text), until }));
}

/** Tries every key, also after one that matched: the time taken does not tell which it was. */
export function prove<Form>(
  keys: readonly Key<Form>[],
  time: number,
  fault: string | undefined,
  matches: (form: Form) => boolean,
): Proof {
  let found = -1;
  let expired = -1;
  keys.forEach(({ form, until }, index) => {
    if (!matches(form)) return;
    if (time >= until) expired = index;
    else if (found === -1) found = index;
  });
  if (fault !== undefined) return { fault };
  if (found !== -1) return { secret: found };
  if (expired !== -1) return { fault: `it is signed with secret ${expired + 1}, whose time is over` };
  return {
    fault: keys.length === 1 ? "its signature does not match the secret" : "its signature matches none of the secrets",
  };
}

/** Whether two values are the same, in constant time for values of one length. */
export function equal(given: Uint8Array, expected: Uint8Array): boolean {
  if (given.length === expected.length) return timingSafeEqual(given, expected);
  timingSafeEqual(expected, expected);
  return false;
}

const HEX = /^(?:[\da-f]{2})+$/;
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;

/** The bytes that a signature is written as, in its only way of writing; undefined if it is not one. */
export function bytesOf(text: string, encoding: "hex" | "base64"): Buffer | undefined {
  const form = encoding === "hex" ? HEX : BASE64;
  if (text === "" || !form.test(text)) return undefined;
  const bytes = Buffer.from(text, encoding);
  // The last letter of Base64 may have bits that nothing reads.
  return bytes.toString(encoding) === text ? bytes : undefined;
}

const SECONDS = /^\d{1,11}$/;

/** Whether a text is a time in whole seconds since 1970. */
export function isSeconds(text: string): boolean {
  return SECONDS.test(text);
}

import { createHmac, randomBytes } from "node:crypto";

/** A secret, and until when it still signs beside the one that replaced it, in milliseconds since 1970. */
export interface SigningSecret {
  readonly secret: string;
  readonly until?: number | undefined;
}

const PREFIX = "whsec_";
/** Bytes of a secret (Standard Webhooks, "Signature scheme"). */
const [MIN_BYTES, MAX_BYTES, NEW_BYTES] = [24, 64, 32];
/** Characters of the longest secret, padding included. */
const MAX_TEXT = PREFIX.length + 4 * Math.ceil(MAX_BYTES / 3);

/** A new secret, as both ends have it. */
export function newSecret(): string {
  return PREFIX + randomBytes(NEW_BYTES).toString("base64");
}

/** What is wrong with a secret, as the end of a sentence; undefined if nothing is. */
export function secretProblem(secret: string): string | undefined {
  // Before its padding is searched for, which takes minutes in a megabyte of it.
  const text = secret.length > MAX_TEXT ? "" : secret.slice(PREFIX.length);
  const bytes = Buffer.from(text, "base64");
  const isBase64 = bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  if (secret.startsWith(PREFIX) && isBase64 && bytes.length >= MIN_BYTES && bytes.length <= MAX_BYTES) return undefined;
  return `use ${PREFIX} and ${MIN_BYTES} to ${MAX_BYTES} random bytes as Base64, such as the output of: echo "${PREFIX}$(openssl rand -base64 ${NEW_BYTES})"`;
}

/**
 * The headers of a delivery as Standard Webhooks defines them; one signature for each secret, the newest first. `time`
 * is when it is sent, in milliseconds since 1970.
 */
export function signed(
  id: string,
  time: number,
  body: string,
  secrets: readonly SigningSecret[],
): Readonly<Record<string, string>> {
  const seconds = String(Math.floor(time / 1000));
  const signatures = secrets
    .filter(({ until = Infinity }) => until > time)
    .map(({ secret }) => {
      const key = Buffer.from(secret.slice(PREFIX.length), "base64");
      return `v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`;
    });
  return { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": signatures.join(" ") };
}

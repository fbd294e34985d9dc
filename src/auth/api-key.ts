import { hash, randomBytes, randomInt, timingSafeEqual } from "node:crypto";

/** A key as its holder has it: `hub_`, its id, `_`, and a secret of 256 bits in base64url. */
const KEY = /^hub_([a-z\d]{8})_([\w-]{43})$/;
const PREFIX = "hub_";
const ID = /^[a-z\d]{8}$/;
/** Without the letters and digits that people take for one another. */
const ID_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789";
const SECRET_BYTES = 32;

/** The two parts of a key. */
export interface ApiKey {
  readonly id: string;
  readonly secret: string;
}

/** A new key that no one can guess. */
export function newApiKey(): ApiKey {
  const id = Array.from({ length: 8 }, () => ID_CHARACTERS[randomInt(ID_CHARACTERS.length)]).join("");
  return { id, secret: randomBytes(SECRET_BYTES).toString("base64url") };
}

export function apiKeyText({ id, secret }: ApiKey): string {
  return `${PREFIX}${id}_${secret}`;
}

/** Undefined if it does not have the form of a key. */
export function parsedApiKey(text: string): ApiKey | undefined {
  const [, id, secret] = KEY.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Whether a token is meant to be a key, however wrong it is. */
export function isLikeApiKey(token: string): boolean {
  return token.startsWith(PREFIX);
}

export function isApiKeyId(text: string): boolean {
  return ID.test(text);
}

/** What is kept of a secret. It has 256 random bits, so nothing is gained by a slow hash. */
export function secretHash(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}

/** Takes as long whether it is the secret or not. */
export function isSecret(secret: string, kept: Uint8Array): boolean {
  return timingSafeEqual(secretHash(secret), kept);
}

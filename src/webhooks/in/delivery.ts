/** A request to a hook, before it is verified and parsed. */
export interface Delivery {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** The bytes that were signed. */
  readonly body: Buffer;
  /** Its Content-Type; empty if it has none. */
  readonly type: string;
  /** The URLs, with the query, by which its sender may know the hook: some providers sign theirs. */
  readonly urls: readonly string[];
  /** What follows the name of the hook in the path; undefined if nothing does. */
  readonly token: string | undefined;
  /** When it arrived, in milliseconds since 1970. */
  readonly time: number;
}

/** The result of verifying a delivery. */
export type Proof =
  | {
      /** Which of the secrets verified it, from 0. */
      readonly secret: number;
      /** The time that its sender gave, in seconds or milliseconds since 1970, as text; undefined if it gives none. */
      readonly timestamp?: string | undefined;
      /** The id of the delivery if it is proved, too; undefined if the scheme has none. */
      readonly id?: string | undefined;
      /** What its body says, if the signature is part of the body and does not cover all of it. */
      readonly body?: Readonly<Record<string, string>> | undefined;
    }
  | {
      /** Why it is refused, as the end of a sentence: for the log, never for the sender. */
      readonly fault: string;
    };

/** Verifies who sent a delivery. */
export interface Scheme {
  /**
   * Takes about the same time whatever is wrong. Throws or rejects with `AUTH_UNAVAILABLE` if it cannot verify it now.
   */
  verify(delivery: Delivery): Proof | Promise<Proof>;
}

/** A secret, or a public key, of a hook. */
export interface Secret {
  readonly text: string;
  /** When it expires, in milliseconds since 1970. */
  readonly until: number;
}

/** Why a secret or a setting of a scheme cannot be used; the sentence says what would be right. */
export class SchemeFault extends Error {}

/** The value of a header that was sent once. Of several, other software might read another one than we do. */
export function headerOf({ headers, rawHeaders }: Delivery, name: string): string | undefined {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === name) count++;
  const value = headers[name];
  return count === 1 && typeof value === "string" ? value : undefined;
}

/** Why a header cannot be used, as the end of a sentence. */
export function headerFault({ headers }: Delivery, name: string): string {
  if (headers[name] === undefined) return `it has no ${name}`;
  return headers[name] === "" ? `its ${name} is empty` : `it has ${name} more than once`;
}

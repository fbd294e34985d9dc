import type { IncomingMessage } from "node:http";
import { HubError } from "../core/errors.ts";

/** Characters of a token: more than any issuer's, less than the head of a request may hold. */
const MAX_TOKEN = 16 * 1024;
/** The scheme in any case, then a token (RFC 6750 section 2.1). */
const BEARER = /^bearer +([\w~+/.-]+=*) *$/i;
const API_KEY = /^[\w-]+$/;

/**
 * The token that a request presents, in `Authorization: Bearer` or `X-API-Key`; undefined if it presents none. Throws
 * `INVALID_REQUEST` if there are two, and `UNAUTHENTICATED` if there is one that is not a bearer token.
 */
export function presentedToken({
  headers,
  rawHeaders,
}: Pick<IncomingMessage, "headers" | "rawHeaders">): string | undefined {
  const { authorization, "x-api-key": apiKey } = headers;
  if (authorization === undefined && apiKey === undefined) return undefined;
  // Node keeps the first of several and says nothing about the others.
  const count = rawHeaders.filter((name, at) => at % 2 === 0 && /^(?:authorization|x-api-key)$/i.test(name)).length;
  if (count > 1) throw twoCredentials();
  const text = authorization === undefined ? String(apiKey).trim() : authorization;
  const token = authorization === undefined ? API_KEY.exec(text)?.[0] : BEARER.exec(text)?.[1];
  if (token === undefined || token.length > MAX_TOKEN) throw invalidCredential();
  return token;
}

/** The ticket in the address of a request; undefined if it has none. Throws `INVALID_REQUEST` if there are two. */
export function presentedTicket({ url = "" }: Pick<IncomingMessage, "url">): string | undefined {
  const start = url.indexOf("?");
  const [ticket, ...more] = start === -1 ? [] : new URLSearchParams(url.slice(start + 1)).getAll("ticket");
  if (more.length > 0) throw twoCredentials();
  return ticket;
}

/** Says the same whatever is wrong with a credential, so that nothing can be learned from it. */
export function invalidCredential(cause?: unknown): HubError {
  const sentence = "The credential is not valid here: it may be unknown, expired, revoked or meant for another service";
  return new HubError("UNAUTHENTICATED", sentence, { challenge: { error: "invalid_token" }, cause });
}

export function twoCredentials(): HubError {
  const sentence = "The request presents more than one credential; send one of Authorization, X-API-Key and a ticket";
  return new HubError("INVALID_REQUEST", sentence, { challenge: { error: "invalid_request" } });
}

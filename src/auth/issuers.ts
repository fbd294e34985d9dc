import type { JSONWebKeySet } from "jose";
import { ConfigError } from "../core/errors.ts";
import { isLoopback } from "../protocol/address.ts";
import { isObject } from "../protocol/json.ts";
import { fetchJson } from "./fetch-json.ts";
import { KeySet, type KeySetOptions } from "./key-set.ts";

/**
 * The issuers that `JWT_ISSUERS` names, each with its keys, by the URL that their tokens name. Throws `ConfigError` if
 * one of the URLs may not be used.
 */
export function openIssuers(
  words: readonly string[],
  { audit, now }: Pick<KeySetOptions, "audit" | "now">,
): ReadonlyMap<string, KeySet> {
  const issuers = new Map<string, KeySet>();
  for (const word of words) {
    const [issuer = "", jwksUrl] = word.split("=");
    for (const url of [issuer, jwksUrl ?? issuer]) {
      const problem = urlProblem(url);
      if (problem !== undefined) throw new ConfigError(`JWT_ISSUERS names ${JSON.stringify(url)}, ${problem}`);
    }
    if (issuers.has(issuer)) throw new ConfigError(`JWT_ISSUERS names ${issuer} twice; name each issuer once`);
    issuers.set(issuer, keySetOf(issuer, jwksUrl, { audit, now }));
  }
  return issuers;
}

/** The keys of an issuer: those at a URL that `urlProblem` finds nothing wrong with, or those that it announces. */
export function keySetOf(
  issuer: string,
  jwksUrl: string | undefined,
  { audit, now }: Pick<KeySetOptions, "audit" | "now">,
): KeySet {
  return new KeySet({ issuer, load: loader(issuer, jwksUrl), audit, now });
}

/** Fetches the keys of an issuer. Where they are it asks again only after a failure. */
function loader(issuer: string, configured: string | undefined): KeySetOptions["load"] {
  let jwksUrl = configured;
  return async (signal) => {
    const url = jwksUrl ?? (await discover(issuer, signal));
    jwksUrl = configured;
    const keys = await fetchJson(url, signal);
    if (!isKeySet(keys)) throw new Error(`${url}: it sends no keys`);
    jwksUrl = url;
    return keys;
  };
}

/** Where an issuer says that its keys are. Rejects with what was wrong at each address that was asked. */
async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const faults: string[] = [];
  for (const url of metadataUrls(issuer)) {
    try {
      return keysUrl(await fetchJson(url, signal), issuer, url);
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  throw new Error(faults.join("; "));
}

/**
 * Where an issuer announces itself: RFC 8414 section 3.1, which inserts the well-known path before its own, and OpenID
 * Connect Discovery 1.0 section 4, which adds it at the end.
 */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

/** The `jwks_uri` of an issuer's metadata; whoever announces another issuer does not speak for this one (RFC 8414 section 3.3). */
function keysUrl(metadata: unknown, issuer: string, url: string): string {
  const { issuer: named, jwks_uri: keys } = isObject(metadata) ? metadata : {};
  if (named !== issuer) throw new Error(`${url}: it says that its issuer is ${shown(named)}`);
  if (typeof keys !== "string") throw new Error(`${url}: it has no jwks_uri`);
  const problem = urlProblem(keys);
  if (problem !== undefined) throw new Error(`${url}: it has ${shown(keys)} as jwks_uri, ${problem}`);
  return keys;
}

/** Why keys may not be fetched from a URL, as the end of a sentence; undefined if they may. */
export function urlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    return "which is not a URL; use one such as https://login.example";
  if (url.username !== "" || url.password !== "") return "which has a password in it; leave that out";
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    return "which anyone on the way could answer; use https:, since http: is for this machine alone";
  }
  return undefined;
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return isObject(value) && Array.isArray(value["keys"]) && value["keys"].length > 0;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 200);
}

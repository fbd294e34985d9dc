import { hash } from "node:crypto";
import type { JWTPayload } from "jose";
import { senderName } from "../core/message.ts";
import { SCOPES, type Grants, type Principal } from "../core/principal.ts";
import { MAX_NAME, patternProblem, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import { isObject } from "../protocol/json.ts";

/** How the claims of a token are read. */
export interface ClaimRules {
  /** The claim with the grants of a token. */
  readonly claim: string;
  /** What a token without that claim grants, within its scopes. */
  readonly channels: readonly ChannelPattern[];
}

/** Patterns in one list of the claim. */
const MAX_PATTERNS = 100;
/** Characters of a principal's id: 132 bits of a hash. */
const ID_LENGTH = 22;
/** The latest moment that a `Date` can be. */
const LAST_MOMENT = 8.64e15;

/**
 * Who holds a token with these claims, which have been verified. Throws if they do not say who that is, or if what they
 * grant cannot be understood. `isOwn` if the token was signed with a secret of this server's, by someone who need not
 * know OAuth: then its claim counts without any scope.
 */
export function claimedPrincipal(claims: JWTPayload, { claim, channels }: ClaimRules, isOwn: boolean): Principal {
  const { iss, sub, name, preferred_username: username, client_id: client = claims["azp"], exp = 0 } = claims;
  const subject = [name, username, sub, client].map(nameOf).find((found) => found !== undefined);
  if (subject === undefined || (nameOf(sub) ?? nameOf(client)) === undefined) {
    throw new Error("it has neither sub nor client_id");
  }
  const identity = JSON.stringify([iss, sub, client]);
  return {
    subject,
    kind: "jwt",
    id: `jwt-${hash("sha256", identity, "base64url").slice(0, ID_LENGTH)}`,
    expires: Math.min(exp * 1000, LAST_MOMENT),
    ...grantsOf(claims, { claim, channels }, isOwn),
  };
}

/** A right takes its scope and, if there is the claim with grants, that, too. */
function grantsOf(claims: JWTPayload, { claim, channels }: ClaimRules, isOwn: boolean): Grants {
  const scopes = scopesOf(claims);
  const given = claims[claim] === undefined ? undefined : claimedGrants(claims[claim]);
  if (scopes === undefined && isOwn && given !== undefined) return given;
  const { publish, subscribe, admin, sendAs } = given ?? {
    publish: uncovered(channels),
    subscribe: uncovered(channels),
    admin: true,
    sendAs: false,
  };
  const has = (scope: string): boolean => scopes?.has(scope) === true || scopes?.has(SCOPES.admin) === true;
  return {
    publish: has(SCOPES.publish) ? publish : [],
    subscribe: has(SCOPES.read) ? subscribe : [],
    admin: has(SCOPES.admin) && admin,
    sendAs: has(SCOPES.publish) && sendAs,
  };
}

/** The scopes of a token: `scope` of RFC 9068, or `scp` of other issuers, as a text or a list. Undefined if it has neither. */
function scopesOf({ scope, scp }: JWTPayload): ReadonlySet<unknown> | undefined {
  const given = scope ?? scp;
  if (given === undefined) return undefined;
  return new Set([given].flat().flatMap((item) => (typeof item === "string" ? item.split(" ") : [])));
}

/** What the claim with grants says: `{ publish, subscribe, admin, sendAs }`, each optional. Throws if it cannot be understood. */
export function claimedGrants(value: unknown): Grants {
  if (!isObject(value)) throw new Error("its claim with grants is not an object");
  const { admin = false, sendAs = false } = value;
  if (typeof admin !== "boolean" || typeof sendAs !== "boolean") throw new Error("admin and sendAs are true or false");
  return { publish: patterns(value["publish"]), subscribe: patterns(value["subscribe"]), admin, sendAs };
}

function patterns(value: unknown): readonly ChannelPattern[] {
  const items: unknown[] = [value ?? []].flat();
  if (items.length > MAX_PATTERNS) throw new Error(`it grants more than ${MAX_PATTERNS} channels and patterns`);
  for (const item of items) {
    const problem = typeof item === "string" && item.length <= MAX_NAME ? patternProblem(item) : "it is too long";
    if (problem !== undefined) throw new Error(`it grants what is not a channel or pattern: ${problem}`);
  }
  return uncovered(items as ChannelPattern[]);
}

function nameOf(value: unknown): string | undefined {
  return typeof value === "string" ? senderName(value) : undefined;
}

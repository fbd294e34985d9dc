import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type CryptoKey,
  type JWTHeaderParameters,
  type JWTPayload,
} from "jose";
import { HubError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import type { TokenVerifier } from "./authenticator.ts";
import { claimedPrincipal, type ClaimRules } from "./claims.ts";
import { invalidCredential } from "./credential.ts";
import type { KeySet } from "./key-set.ts";

export interface JwtOptions extends ClaimRules {
  /** By the `iss` of their tokens. */
  readonly issuers: ReadonlyMap<string, KeySet>;
  /** Signs tokens with HS256, and no others; undefined if there is none. */
  readonly secret: Uint8Array | undefined;
  /** A token must be meant for one of these. */
  readonly audience: readonly string[];
  /** Signatures with public keys that are accepted. */
  readonly algorithms: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const FORM = /^[\w-]+\.[\w-]+\.[\w-]*$/;
const SECRET_ALGORITHM = "HS256";
/** Seconds that the clock of an issuer may differ from ours. */
const TOLERANCE = 10;
/** What an access token is called (RFC 9068 section 2.1), or a token whose issuer calls all of them the same. */
const TYPES = /^(?:application\/)?(?:at\+jwt|jwt)$/i;
const MAX_KNOWN = 4096;
/** Milliseconds after which a token is verified again: the key that signed it may have been withdrawn. */
const VERIFIED_FOR = 300_000;

type VerificationKey = CryptoKey | Uint8Array;

/** Verifies JWT access tokens (RFC 9068) as a resource server does (OAuth 2.1 section 5.2). */
export class JwtVerifier implements TokenVerifier {
  readonly #options: JwtOptions;
  /** By token; the one that was used the longest ago comes first. */
  readonly #known = new Map<string, { readonly principal: Principal; readonly until: number }>();

  constructor(options: JwtOptions) {
    this.#options = options;
  }

  accepts(token: string): boolean {
    return FORM.test(token);
  }

  verify(token: string): Principal | Promise<Principal> {
    const known = this.#known.get(token);
    if (known === undefined) return this.#verify(token);
    this.#known.delete(token);
    if (this.#options.now() >= known.until) return this.#verify(token);
    this.#known.set(token, known);
    return known.principal;
  }

  async #verify(token: string): Promise<Principal> {
    const { now } = this.#options;
    const principal = await this.#principal(token).catch((error: unknown) => {
      // What is wrong with the token is for the log: whoever sent it might be guessing.
      throw error instanceof HubError ? error : invalidCredential(error);
    });
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value as string);
    this.#known.set(token, { principal, until: Math.min(principal.expires ?? Infinity, now() + VERIFIED_FOR) });
    return principal;
  }

  async #principal(token: string): Promise<Principal> {
    const header = decodeProtectedHeader(token);
    const { alg = "", typ = "JWT" } = header;
    if (!TYPES.test(typ)) throw new Error("its typ is of another kind of token");
    const { iss } = decodeJwt(token);
    const isOwn = alg === SECRET_ALGORITHM;
    const keys = isOwn ? this.#secretFor(iss) : await this.#keysFor(iss, { ...header, alg });
    const claims = await this.#claims(token, alg, keys);
    // An ID token has these, or says so; it is meant for the client.
    if ("at_hash" in claims || "c_hash" in claims || claims["typ"] === "ID") throw new Error("it is an ID token");
    // Whoever presents it would have to prove that they hold its key, which is not asked of them here.
    if ("cnf" in claims) throw new Error("it is bound to a key of its holder");
    return claimedPrincipal(claims, this.#options, isOwn);
  }

  /** The secret does not speak for an issuer that has keys: what is public must never pass for a secret. */
  #secretFor(iss: string | undefined): readonly VerificationKey[] {
    const { secret, issuers } = this.#options;
    return secret === undefined || issuers.has(iss ?? "") ? [] : [secret];
  }

  async #keysFor(iss: string | undefined, header: JWTHeaderParameters): Promise<readonly VerificationKey[]> {
    const { issuers, algorithms } = this.#options;
    return (algorithms.includes(header.alg) && (await issuers.get(iss ?? "")?.candidates(header))) || [];
  }

  /** Verifies the token with the first of the keys that fits. */
  async #claims(token: string, alg: string, keys: readonly VerificationKey[]): Promise<JWTPayload> {
    const { audience, now } = this.#options;
    const options = {
      algorithms: [alg],
      audience: [...audience],
      clockTolerance: TOLERANCE,
      currentDate: new Date(now()),
      requiredClaims: ["exp"],
    };
    for (const key of keys) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
    throw new Error("no key of its issuer signed it");
  }
}

import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from "jose";
import { HubError } from "../../../core/errors.ts";
import type { KeySet } from "../../../auth/key-set.ts";
import { headerFault, headerOf, SchemeFault, type Delivery, type Proof, type Scheme } from "../delivery.ts";

/** A token that the provider signs for each delivery, as Google Pub/Sub does (OpenID Connect). */
export interface JwtSettings {
  readonly scheme: "jwt";
  readonly issuers: readonly string[];
  /** Where the keys of the issuer are (RFC 7517). */
  readonly jwks: string;
  /** What the provider was told to write into its tokens. */
  readonly audience: string;
  /** Claims that must have these values: whose token it is. */
  readonly claims: Readonly<Record<string, string | boolean>>;
}

/** Seconds that the clock of the provider may differ from ours. */
const TOLERANCE = 10;
/** With public keys only: what is public must never pass for a secret. */
const ALGORITHMS: readonly string[] = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"];
const HEADER = "authorization";

export class Jwt implements Scheme {
  readonly #settings: JwtSettings;
  readonly #keys: KeySet;

  constructor(settings: JwtSettings, keys: KeySet) {
    if (Object.keys(settings.claims).length === 0) {
      throw new SchemeFault(
        "verify.claims is empty; anyone can get a token of this issuer, so name whose it is, such as email",
      );
    }
    this.#settings = settings;
    this.#keys = keys;
  }

  async verify(delivery: Delivery): Promise<Proof> {
    const value = headerOf(delivery, HEADER) ?? "";
    if (value === "") return { fault: headerFault(delivery, HEADER) };
    const [, token] = /^Bearer +([\w-]+\.[\w-]+\.[\w-]*)$/i.exec(value) ?? [];
    if (token === undefined) return { fault: `its ${HEADER} is not Bearer and a JWT` };
    try {
      const payload = await this.#payload(token, delivery.time);
      const wrong = Object.entries(this.#settings.claims).find(([name, expected]) => payload[name] !== expected);
      return wrong === undefined
        ? { secret: 0 }
        : { fault: `the claim ${wrong[0]} of its token is not the configured one` };
    } catch (error) {
      if (error instanceof HubError) throw error;
      return { fault: `its token is not good: ${(error as Error).message}` };
    }
  }

  async #payload(token: string, time: number): Promise<JWTPayload> {
    const { alg = "", ...header } = decodeProtectedHeader(token);
    if (!ALGORITHMS.includes(alg)) throw new Error("its algorithm is not one with a public key");
    const { issuers, audience } = this.#settings;
    const options = {
      algorithms: [alg],
      audience,
      issuer: [...issuers],
      clockTolerance: TOLERANCE,
      currentDate: new Date(time),
      requiredClaims: ["exp"],
    };
    for (const key of await this.#keys.candidates({ ...header, alg })) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
    throw new Error("no key of its issuer signed it");
  }
}

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import * as oidc from "openid-client";
import { senderName } from "../core/message.ts";
import { HubError } from "../core/errors.ts";
import type { Grants, Principal } from "../core/principal.ts";
import { uncovered, type ChannelPattern } from "../protocol/channel.ts";
import { isLoopback } from "../protocol/address.ts";
import { claimedGrants } from "./claims.ts";
import { CookieKeys, cookieIn, cookiePlace, hashed, setCookie, type CookiePlace } from "./cookie.ts";

/** The settings of the login at an identity provider; see `Config`. */
export interface LoginSettings {
  readonly publicUrl: string;
  readonly basePath: string;
  readonly authSecret: readonly string[];
  readonly loginIssuer: string;
  readonly loginClientId: string;
  readonly loginClientSecret: string;
  readonly loginScopes: readonly string[];
  readonly loginPublish: readonly string[];
  readonly loginSubscribe: readonly string[];
  readonly jwtClaim: string;
}

/** Where a browser is sent to log in, and the cookie by which it is known when it comes back. */
export interface StartedLogin {
  readonly url: string;
  readonly cookie: string;
}

/** Someone who has logged in, and the page they came from. */
export interface FinishedLogin {
  readonly principal: Principal;
  readonly next: string;
}

interface Transaction {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly next: string;
  /** In milliseconds since 1970. */
  readonly until: number;
}

const PURPOSE = "sse-mcp-server login 1";
/** Milliseconds that a person may take at the provider. */
const LOGIN_TIMEOUT = 10 * 60_000;
/** Seconds for an answer of the provider. */
const TIMEOUT = 5;
const MAX_NEXT = 500;
const CALLBACK = "/login/callback";

/**
 * Sends people to an identity provider and names them by what it says of them: the authorization code flow of OpenID
 * Connect with PKCE. What is needed when they come back is in a sealed cookie, so that nothing is kept meanwhile.
 */
export class Login {
  readonly #settings: LoginSettings;
  readonly #cookie: CookiePlace;
  readonly #now: () => number;
  #keys: CookieKeys;
  #provider: Promise<oidc.Configuration> | undefined;

  /** `now` is in milliseconds since 1970. */
  constructor(settings: LoginSettings, now: () => number = Date.now) {
    this.#settings = settings;
    this.#cookie = cookiePlace("hub-login", settings.basePath);
    this.#now = now;
    const { authSecret } = settings;
    this.#keys = new CookieKeys(authSecret.length > 0 ? authSecret : [randomBytes(32)], PURPOSE);
  }

  /** The address that browsers know the server by: the only one that the provider sends them back to. */
  get publicUrl(): string {
    return this.#settings.publicUrl + this.#settings.basePath;
  }

  /** Seals with a key that outlives a restart, unless the settings have secrets. */
  keepKey(key: Uint8Array): void {
    if (this.#settings.authSecret.length === 0) this.#keys = new CookieKeys([key], PURPOSE);
  }

  /** Begins a login that ends on the page `next`. Rejects with `AUTH_UNAVAILABLE` if the provider does not answer. */
  async start(next: string): Promise<StartedLogin> {
    const provider = await this.#discovered();
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    const url = oidc.buildAuthorizationUrl(provider, {
      redirect_uri: this.publicUrl + CALLBACK,
      scope: this.#settings.loginScopes.join(" "),
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    const transaction: Transaction = {
      state,
      nonce,
      verifier,
      next: pathOf(next, this.#settings.basePath),
      until: this.#now() + LOGIN_TIMEOUT,
    };
    // Strict would keep it from coming back with the redirect of another site.
    const cookie = setCookie(this.#cookie, this.#keys.seal(transaction), "Lax", LOGIN_TIMEOUT / 1000) as string;
    return { url: url.href, cookie };
  }

  /** The `Set-Cookie` after a login, however it went. */
  get end(): string {
    return setCookie(this.#cookie, "", "Lax") as string;
  }

  /**
   * Who comes back from the provider. Rejects with `INVALID_REQUEST` if this browser did not begin the login or took too
   * long, `UNAUTHENTICATED` if the provider did not let them in, or `AUTH_UNAVAILABLE`.
   */
  async finish(request: IncomingMessage): Promise<FinishedLogin> {
    const cookie = cookieIn(request, this.#cookie.name);
    const transaction = this.#keys.open(cookie ?? "") as Transaction | undefined;
    if (transaction === undefined || transaction.until <= this.#now()) {
      const sentence =
        "This browser began no login within the last ten minutes, or did not keep its cookie; begin again";
      throw new HubError("INVALID_REQUEST", sentence);
    }
    const { state: expectedState, nonce: expectedNonce, verifier: pkceCodeVerifier, next } = transaction;
    const provider = await this.#discovered();
    const checks = { expectedState, expectedNonce, pkceCodeVerifier, idTokenExpected: true };
    let claims: oidc.IDToken | undefined;
    try {
      const answered = new URL(`${this.publicUrl}${request.url ?? ""}`);
      claims = (await oidc.authorizationCodeGrant(provider, answered, checks)).claims();
    } catch (cause) {
      throw refusalOf(cause);
    }
    return { principal: this.#principal(claims as oidc.IDToken), next };
  }

  #principal(claims: oidc.IDToken): Principal {
    const { iss, sub, name, preferred_username: username, email } = claims;
    const names = [name, username, email, sub].map((text) => (typeof text === "string" ? senderName(text) : undefined));
    return {
      subject: names.find((found) => found !== undefined) ?? "someone",
      kind: "session",
      id: `jwt-${hashed(JSON.stringify([iss, sub]))}`,
      ...this.#grants(claims),
    };
  }

  #grants(claims: oidc.IDToken): Grants {
    const { jwtClaim, loginPublish, loginSubscribe } = this.#settings;
    const given = claims[jwtClaim];
    if (given === undefined) {
      const publish = uncovered(loginPublish as ChannelPattern[]);
      return { publish, subscribe: uncovered(loginSubscribe as ChannelPattern[]), admin: false, sendAs: false };
    }
    try {
      return claimedGrants(given);
    } catch (cause) {
      throw new HubError("UNAUTHENTICATED", "The identity provider grants what this server does not understand", {
        cause,
      });
    }
  }

  /** The provider by its own metadata, asked for when it is needed first, and again until it answers. */
  async #discovered(): Promise<oidc.Configuration> {
    this.#provider ??= this.#discover();
    try {
      return await this.#provider;
    } catch (cause) {
      this.#provider = undefined;
      throw unavailable(cause);
    }
  }

  #discover(): Promise<oidc.Configuration> {
    const { loginIssuer, loginClientId, loginClientSecret } = this.#settings;
    const issuer = new URL(loginIssuer);
    const authentication = loginClientSecret === "" ? oidc.None() : undefined;
    return oidc.discovery(issuer, loginClientId, loginClientSecret || undefined, authentication, {
      timeout: TIMEOUT,
      // Elsewhere than on this machine, someone in between could change what it says.
      execute: issuer.protocol === "http:" && isLoopback(issuer.hostname) ? [oidc.allowInsecureRequests] : [],
    });
  }
}

/** A path of this server's origin; the start page if it is anything else, so that no one is sent elsewhere. */
export function pathOf(next: string, basePath: string): string {
  const isPath = next.length <= MAX_NEXT && /^\/(?![/\\])[\w\-./~?#=&%*]*$/.test(next);
  return isPath && !next.startsWith(`${basePath}/login`) ? next : `${basePath}/`;
}

/** What went wrong at the provider: it did not let the person in, it said what is not of this login, or nothing at all. */
function refusalOf(cause: unknown): HubError {
  const isRefusal = cause instanceof oidc.AuthorizationResponseError || cause instanceof oidc.ResponseBodyError;
  const isForged = cause instanceof oidc.ClientError && /^OAUTH_(?:INVALID_RESPONSE|JWT_)/.test(cause.code ?? "");
  if (!isRefusal && !isForged) return unavailable(cause);
  const sentence = "The identity provider did not let you in; begin again, or ask whoever runs it";
  return new HubError("UNAUTHENTICATED", sentence, { cause });
}

function unavailable(cause: unknown): HubError {
  return new HubError("AUTH_UNAVAILABLE", "The identity provider does not answer; try again in a minute", { cause });
}

import type { IncomingMessage } from "node:http";
import { HubError } from "../core/errors.ts";
import { ANYONE, hasGrants, SCOPES, type Principal } from "../core/principal.ts";
import { invalidCredential, presentedTicket, presentedToken, twoCredentials } from "./credential.ts";

type Found = Principal | undefined | Promise<Principal | undefined>;

/** Knows one kind of bearer token. */
export interface TokenVerifier {
  /** Whether a token looks like one of this kind. */
  accepts(token: string): boolean;
  /** Who holds the token; undefined if it is not good. Rejects with `AUTH_UNAVAILABLE` if that cannot be found out now. */
  verify(token: string): Found;
}

/** Knows one kind of credential that a request carries in another way than as a token. */
export interface RequestVerifier {
  /** Who the request comes from; undefined if it has no credential of this kind. Throws or rejects if it is not good. */
  verify(request: IncomingMessage): Found;
}

export interface AuthenticatorOptions {
  /** What someone without a credential is. */
  readonly anonymous: Principal;
  /** Each token is judged by the first that accepts it. */
  readonly tokens: readonly TokenVerifier[];
  /** For WebSocket upgrades only: tickets. */
  readonly tickets?: { verify(ticket: string): Promise<Principal> } | undefined;
  /** Asked one after the other for requests without a token: sessions of browsers, certificates of clients. */
  readonly requests: readonly RequestVerifier[];
  /** Told of each credential that was refused, with the address it came from and what was wrong with it. */
  readonly onRefused?: (address: string, cause: unknown) => void;
}

/** Makes the one `Principal` of a request, for every door. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;

  /** Without options there is no authentication: everyone may do everything. */
  constructor(options?: AuthenticatorOptions) {
    this.#options = options ?? { anonymous: ANYONE, tokens: [], requests: [] };
    this.isOpen = options === undefined;
  }

  /** Whether everyone may do everything. */
  readonly isOpen: boolean;

  /** Who someone without a credential is. */
  get anonymous(): Principal {
    return this.#options.anonymous;
  }

  /**
   * Who a request comes from; at once if that takes no waiting. Throws or rejects with `UNAUTHENTICATED` for a
   * credential that is not good, which never counts as none, `INVALID_REQUEST` for two, or `AUTH_UNAVAILABLE`.
   */
  authenticate(request: IncomingMessage): Principal | Promise<Principal> {
    if (this.isOpen) return ANYONE;
    const token = presentedToken(request);
    return token === undefined ? this.#without(request) : this.token(token);
  }

  /** As `authenticate`, for an upgrade to WebSocket: a ticket or a `token` of the subprotocol counts, too. */
  authenticateUpgrade(request: IncomingMessage, token: string | undefined): Principal | Promise<Principal> {
    if (this.isOpen) return ANYONE;
    const { tickets } = this.#options;
    const header = presentedToken(request);
    const ticket = tickets && presentedTicket(request);
    if ([header, token, ticket].filter((given) => given !== undefined).length > 1) throw twoCredentials();
    const given = header ?? token;
    if (given !== undefined) return this.token(given);
    return tickets === undefined || ticket === undefined ? this.#without(request) : tickets.verify(ticket);
  }

  /** Who holds a token. Throws or rejects as `authenticate` does. */
  token(token: string): Principal | Promise<Principal> {
    const found = this.#options.tokens.find((verifier) => verifier.accepts(token))?.verify(token);
    return required(found);
  }

  /** Reports a credential that was refused. For the doors, which alone know the address of their client. */
  refused(address: string, cause: unknown): void {
    this.#options.onRefused?.(address, cause);
  }

  #without(request: IncomingMessage): Principal | Promise<Principal> {
    const { anonymous, requests } = this.#options;
    for (const verifier of requests) {
      const found = verifier.verify(request);
      if (found !== undefined) return required(found);
    }
    return anonymous;
  }
}

/** Throws `UNAUTHENTICATED` for someone who may do nothing because they presented no credential. */
export function checkCredential(principal: Principal): void {
  if (principal.kind !== "anonymous" || hasGrants(principal)) return;
  const sentence = "This server needs a credential; send Authorization: Bearer with an API key or a token";
  throw new HubError("UNAUTHENTICATED", sentence, { challenge: { scope: SCOPES.read } });
}

function required(found: Found): Principal | Promise<Principal> {
  if (found instanceof Promise) return found.then(required);
  if (found === undefined) throw invalidCredential();
  return found;
}

import { ConfigError } from "../core/errors.ts";
import { anonymous, mayPublish, type Principal } from "../core/principal.ts";
import type { SharedStore } from "../core/shared-store.ts";
import type { ChannelName, ChannelPattern } from "../protocol/channel.ts";
import { ApiKeys, isOfKey } from "./api-keys.ts";
import type { Audit } from "./audit.ts";
import { Authenticator, type RequestVerifier, type TokenVerifier } from "./authenticator.ts";
import type { BrowserSessions } from "./browser-sessions.ts";
import { checkExposure } from "./exposure.ts";
import { CertificateVerifier, type CertificateGrants } from "./certificate.ts";
import { Lifetimes } from "./lifetimes.ts";
import type { Login } from "./login.ts";
import { metadataUrl, openJwt, resourceMetadata, type JwtSettings, type ResourceMetadata } from "./open-jwt.ts";
import { openBrowserSessions, openLogin, type BrowserSettings } from "./open-browsers.ts";
import { Refusals } from "./refusals.ts";
import { Tickets } from "./tickets.ts";

/** The settings that say who may do what; see `Config`. */
export interface AuthSettings extends BrowserSettings, JwtSettings, CertificateGrants {
  readonly host: string;
  readonly auth: "" | "none";
  readonly trustedProxies: readonly string[];
  readonly apiKeysFile: string;
  readonly loginIssuer: string;
  /** Empty if clients need no certificate. */
  readonly tlsClientCa: string;
  readonly anonymousPublish: readonly string[];
  readonly anonymousSubscribe: readonly string[];
  /** Seconds; 0 for no bound. */
  readonly maxConnectionAge: number;
}

/** Who asks, and what is open in their name. */
export interface Auth {
  readonly authenticator: Authenticator;
  readonly lifetimes: Lifetimes;
  /** Where the authorization servers are announced (RFC 9728); undefined if there are none. */
  readonly metadataUrl: string | undefined;
  /** What is found there. */
  readonly resourceMetadata: ResourceMetadata | undefined;
  readonly tickets: Tickets;
  /** Undefined if no one needs a credential. */
  readonly sessions: BrowserSessions | undefined;
  /** Undefined if people cannot log in at an identity provider. */
  readonly login: Login | undefined;
  /** Whether someone who was allowed to publish on a channel, as this says, may not any more. */
  isRevoked(principal: Principal, channel: ChannelName): boolean;
  /** Seals what browsers keep with a key that outlives a restart, unless the settings have secrets. */
  keepKey(key: Uint8Array): void;
  close(): void;
}

/**
 * Checks and opens everything that needs no log, so that a wrong setting stops the start before the log is opened; the
 * function returned does the rest. Rejects with an error whose sentence names the setting that is wrong.
 */
export async function prepareAuth(
  settings: AuthSettings,
  audit: Audit = () => {},
): Promise<(shared: SharedStore) => Promise<Auth>> {
  checkAuthNone(settings);
  const { maxConnectionAge, anonymousPublish, anonymousSubscribe } = settings;
  const tokens: TokenVerifier[] = [];
  const requests: RequestVerifier[] = [];
  if (settings.tlsClientCa !== "") requests.push(new CertificateVerifier(settings));
  const lifetimes = new Lifetimes(maxConnectionAge * 1000);
  const closing: (() => void)[] = [() => lifetimes.close()];
  const keys = settings.apiKeysFile === "" ? undefined : new ApiKeys(settings.apiKeysFile, { lifetimes, audit });
  if (keys !== undefined) {
    lifetimes.isGone = (principal) => keys.isGone(principal);
    tokens.push(keys);
    closing.push(() => keys.close());
  }
  const jwt = openJwt(settings, audit);
  if (jwt !== undefined) tokens.push(jwt);
  const metadata = resourceMetadata(settings);
  const login = openLogin(settings);
  const isOpen = configuredCredential(settings) === undefined;
  if (isOpen && settings.auth !== "none") await checkExposure(settings);
  const isGone = (principal: Principal): boolean => lifetimes.isGone(principal);
  const sessions = isOpen ? undefined : openBrowserSessions(settings, isGone);
  if (sessions !== undefined) requests.unshift(sessions);
  const refusals = new Refusals(audit);
  closing.push(() => refusals.close());
  const onRefused = (address: string, cause: unknown): void => refusals.count(address, cause);
  const grants = {
    publish: anonymousPublish as ChannelPattern[],
    subscribe: anonymousSubscribe as ChannelPattern[],
    admin: false,
  };
  const keepKey = (key: Uint8Array): void => {
    sessions?.keepKey(key);
    login?.keepKey(key);
  };
  const close = (): void => {
    for (const end of closing) end();
  };
  return async (shared) => {
    if (shared.isShared) await keys?.share(shared);
    const tickets = new Tickets(shared, isGone);
    const authenticator = isOpen
      ? new Authenticator()
      : new Authenticator({ anonymous: anonymous(grants), tokens, tickets, requests, onRefused });
    return {
      authenticator,
      isRevoked(principal, channel) {
        if (principal.kind === "anonymous") return !mayPublish(authenticator.anonymous, channel);
        return !isOpen && (keys === undefined ? isOfKey(principal) : keys.isGone(principal));
      },
      lifetimes,
      metadataUrl: metadata && metadataUrl(metadata),
      resourceMetadata: metadata,
      tickets,
      sessions,
      login,
      keepKey,
      close,
    };
  };
}

/** Throws if credentials are configured, and switched off all the same. */
function checkAuthNone(settings: AuthSettings): void {
  const name = configuredCredential(settings);
  if (settings.auth !== "none" || name === undefined) return;
  throw new ConfigError(`AUTH is none, so everyone may do everything, but ${name} says who may; leave one of them out`);
}

/** The setting that says who may do what, or the first of several; undefined if everyone may do everything. */
export function configuredCredential(settings: AuthSettings): string | undefined {
  const credentials = {
    API_KEYS_FILE: settings.apiKeysFile,
    JWT_ISSUERS: settings.jwtIssuers,
    JWT_SECRET: settings.jwtSecret,
    ANONYMOUS_PUBLISH: settings.anonymousPublish,
    ANONYMOUS_SUBSCRIBE: settings.anonymousSubscribe,
    LOGIN_ISSUER: settings.loginIssuer,
    TLS_CLIENT_CA: settings.tlsClientCa,
  };
  return Object.entries(credentials).find(([, value]) => value.length > 0)?.[0];
}

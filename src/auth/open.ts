import { anonymous } from "../core/principal.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import { Authenticator, type RequestVerifier, type TokenVerifier } from "./authenticator.ts";
import { Lifetimes } from "./lifetimes.ts";
import { metadataUrl, openJwt, resourceMetadata, type JwtSettings, type ResourceMetadata } from "./open-jwt.ts";

/** The settings that say who may do what; see `Config`. */
export interface AuthSettings extends JwtSettings {
  readonly auth: "" | "none";
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
  close(): void;
}

/**
 * Opens what the settings name. Rejects with an error whose sentence names the setting that is wrong. `report` is told
 * in a sentence of what goes wrong later on.
 */
export async function openAuth(settings: AuthSettings, report: (sentence: string) => void = () => {}): Promise<Auth> {
  const { maxConnectionAge, anonymousPublish, anonymousSubscribe } = settings;
  const tokens: TokenVerifier[] = [];
  const requests: RequestVerifier[] = [];
  const jwt = openJwt(settings, report);
  if (jwt !== undefined) tokens.push(jwt);
  const metadata = resourceMetadata(settings);
  const lifetimes = new Lifetimes(maxConnectionAge * 1000);
  const isOpen = tokens.length + requests.length === 0;
  const grants = {
    publish: anonymousPublish as ChannelPattern[],
    subscribe: anonymousSubscribe as ChannelPattern[],
    admin: false,
  };
  const authenticator = isOpen
    ? new Authenticator()
    : new Authenticator({ anonymous: anonymous(grants), tokens, requests });
  return {
    authenticator,
    lifetimes,
    metadataUrl: metadata && metadataUrl(metadata),
    resourceMetadata: metadata,
    close: () => lifetimes.close(),
  };
}

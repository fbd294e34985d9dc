import { anonymous } from "../core/principal.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import { Authenticator, type RequestVerifier, type TokenVerifier } from "./authenticator.ts";
import { CertificateVerifier, type CertificateGrants } from "./certificate.ts";
import { Lifetimes } from "./lifetimes.ts";

/** The settings that say who may do what; see `Config`. */
export interface AuthSettings extends CertificateGrants {
  readonly auth: "" | "none";
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
  close(): void;
}

/** Opens what the settings name. Rejects with an error whose sentence names the setting that is wrong. */
export async function openAuth(settings: AuthSettings): Promise<Auth> {
  const { maxConnectionAge, anonymousPublish, anonymousSubscribe } = settings;
  const tokens: TokenVerifier[] = [];
  const requests: RequestVerifier[] = [];
  if (settings.tlsClientCa !== "") requests.push(new CertificateVerifier(settings));
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
  return { authenticator, lifetimes, metadataUrl: undefined, close: () => lifetimes.close() };
}

/** What a registry is told of this server. */
export interface Instance {
  /** The same after a restart, so that a server that crashed replaces its own entry. */
  readonly id: string;
  /** The name by which others find it. */
  readonly service: string;
  /** Where others reach it; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether that port speaks TLS. */
  readonly isSecure: boolean;
  /** The name in the certificate, if it is not the host's; empty otherwise. */
  readonly tlsServerName: string;
  /** `http://host:port` and what all paths begin with. */
  readonly url: string;
  /** What clients may want to know before they connect. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * A registry of services, one try at a time: each method rejects with an error whose message is the end of a sentence
 * about the registry, such as "it answers 500".
 */
export interface Registry {
  /** Such as `Consul`. */
  readonly name: string;
  /** Resolves once the registry lists the server. */
  register(signal: AbortSignal): Promise<void>;
  /** Says that the server is alive; resolves with whether the registry knows it. */
  renew(signal: AbortSignal): Promise<boolean>;
  /** Keeps it registered, but has clients sent elsewhere; resolves also if it is not there. */
  takeOutOfService(signal: AbortSignal): Promise<void>;
  /** Resolves also if it is not there. */
  deregister(signal: AbortSignal): Promise<void>;
}

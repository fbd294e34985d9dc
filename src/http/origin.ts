import { HubError } from "../core/errors.ts";

/** Who may call; see `checkCaller`. */
export interface CallerRules {
  /** The address or name that the server listens on. */
  readonly host: string;
  readonly production: boolean;
  /** Origins, or `*`. */
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
}

/** The headers that say who calls. */
export interface CallerHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/**
 * Refuses a request for another host, which a page can make with DNS rebinding, and one from a page of another origin.
 * Throws `HOST_NOT_ALLOWED` or `ORIGIN_NOT_ALLOWED`, naming the setting that would allow it.
 */
export function checkCaller({ host, origin }: CallerHeaders, rules: CallerRules): void {
  if (!isHostAllowed(host, rules)) {
    const name = hostName(host ?? "").slice(0, LONGEST_SHOWN);
    throw new HubError(
      "HOST_NOT_ALLOWED",
      `Host ${shown(host)} is not this server's; ALLOWED_HOSTS=${name} would allow it`,
    );
  }
  if (origin !== undefined && !isOriginAllowed(origin, host, rules)) {
    const sentence = `Origin ${shown(origin)} is not allowed; ALLOWED_ORIGINS=${origin.slice(0, LONGEST_SHOWN)} would allow it`;
    throw new HubError("ORIGIN_NOT_ALLOWED", sentence);
  }
}

/** Whether a page of this origin may call: our own, a configured one, or loopback while we are on loopback ourselves. */
export function isOriginAllowed(origin: string, host: string | undefined, rules: CallerRules): boolean {
  const { allowedOrigins, production } = rules;
  if (allowedOrigins.includes("*") || allowedOrigins.includes(origin)) return true;
  const url = /^https?:\/\//.test(origin) && URL.canParse(origin) ? new URL(origin) : undefined;
  if (url === undefined) return false;
  if (host !== undefined && url.host === host.toLowerCase()) return true;
  return !production && isLoopback(rules.host) && isLoopback(url.hostname);
}

/** Whether a host name or address names this machine and no other. */
function isLoopback(host: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

const LONGEST_SHOWN = 100;

function isHostAllowed(host: string | undefined, { host: own, allowedHosts }: CallerRules): boolean {
  const name = hostName(host ?? "");
  // No attacker's name resolves to these in a browser, and a health check inside a container uses them.
  if (isLoopback(name)) return true;
  if (allowedHosts.length > 0) return allowedHosts.some((allowed) => allowed.toLowerCase() === name);
  return !isLoopback(own);
}

/** A Host header without its port. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, "").toLowerCase();
}

function shown(text: string | undefined): string {
  return JSON.stringify((text ?? "").slice(0, LONGEST_SHOWN));
}

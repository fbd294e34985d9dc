import { HubError } from "../core/errors.ts";
import {
  allowsHost,
  allowsOrigin,
  hostAddress,
  hostRule,
  isLoopback,
  isSameHost,
  originAddress,
  originRule,
  type AddressRule,
} from "../protocol/address.ts";
import { quoted } from "../protocol/text.ts";

/** Who may call; see `checkCaller`. */
export interface CallerRules {
  /** Whether the server is bound to loopback addresses only. Until it is bound it is as strict as if it were. */
  loopback: boolean;
  readonly production: boolean;
  readonly origins: Allowed;
  readonly hosts: Allowed;
}

/** `*`, or what is allowed. */
type Allowed = "*" | readonly AddressRule[];

/** The headers that say who calls. */
export interface CallerHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

const MAX_SHOWN = 100;

/** The rules that a configuration makes. */
export function callerRules({
  env,
  allowedOrigins,
  allowedHosts,
}: {
  readonly env: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
}): CallerRules {
  return {
    loopback: true,
    production: env === "production",
    origins: allowed(allowedOrigins, originRule),
    hosts: allowed(allowedHosts, hostRule),
  };
}

/**
 * Refuses a request for another host, which a page can make with DNS rebinding, and one from a page of another origin.
 * Throws `HOST_NOT_ALLOWED` or `ORIGIN_NOT_ALLOWED`, naming the setting that would allow it.
 */
export function checkCaller(headers: CallerHeaders, rules: CallerRules): void {
  checkHost(headers, rules);
  checkOrigin(headers, rules);
}

/** Refuses a request for another host. Throws `HOST_NOT_ALLOWED`. */
export function checkHost({ host }: CallerHeaders, rules: CallerRules): void {
  if (isHostAllowed(host, rules)) return;
  const name = hostAddress(host ?? "")?.name;
  const remedy = name === undefined ? "it is not a host name" : `ALLOWED_HOSTS=${name} would allow it`;
  throw new HubError("HOST_NOT_ALLOWED", `Host ${shown(host)} is not this server's; ${remedy}`);
}

/** Refuses a request from a page of another origin. Throws `ORIGIN_NOT_ALLOWED`. */
export function checkOrigin({ host, origin }: CallerHeaders, rules: CallerRules): void {
  if (origin === undefined || isOriginAllowed(origin, host, rules)) return;
  const remedy =
    originAddress(origin) === undefined ? "it is not an origin" : `ALLOWED_ORIGINS=${origin} would allow it`;
  throw new HubError("ORIGIN_NOT_ALLOWED", `Origin ${shown(origin)} is not allowed; ${remedy}`);
}

/** Whether a page of this origin may call: our own, a configured one, or loopback while we are on loopback ourselves. */
export function isOriginAllowed(origin: string, host: string | undefined, rules: CallerRules): boolean {
  const { origins, production, loopback } = rules;
  if (origins === "*" || isOriginListed(origin, rules)) return true;
  const address = originAddress(origin);
  if (address === undefined) return false;
  if (!/^https?$/.test(address.scheme)) return false;
  const own = hostAddress(host ?? "");
  if (own !== undefined && isSameHost(address, own)) return true;
  return !production && loopback && isLoopback(address.name);
}

/** Whether the settings name an origin: neither `*`, nor that it is our own or on this machine, names it. */
export function isOriginListed(origin: string, { origins }: CallerRules): boolean {
  const address = originAddress(origin);
  return address !== undefined && origins !== "*" && origins.some((rule) => allowsOrigin(rule, address));
}

function isHostAllowed(host: string | undefined, { loopback, hosts }: CallerRules): boolean {
  if (hosts === "*") return true;
  const address = hostAddress(host ?? "");
  // No attacker's name resolves to these in a browser, and a health check inside a container uses them.
  if (address !== undefined && isLoopback(address.name)) return true;
  if (hosts.length === 0) return !loopback;
  return address !== undefined && hosts.some((rule) => allowsHost(rule, address));
}

function allowed(texts: readonly string[], parse: (text: string) => AddressRule | undefined): Allowed {
  return texts.includes("*") ? "*" : texts.flatMap((text) => parse(text) ?? []);
}

function shown(text: string | undefined): string {
  return quoted((text ?? "").slice(0, MAX_SHOWN));
}

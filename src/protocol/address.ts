/** A host, or an origin, taken apart for comparison: lower case, IPv6 and IPv4 in their usual form, no dot at the end. */
export interface Address {
  /** Without its colon, such as `https`; `null` for the origin of that name, empty for a bare host. */
  readonly scheme: string;
  readonly name: string;
  /** Empty for the usual port of the scheme. */
  readonly port: string;
}

/** An address that may be allowed: its name may begin with `*.`, its port be `*`. */
export type AddressRule = Address;

const ORIGIN = /^([a-z][a-z\d+.-]*):\/\/([\p{L}\p{N}._~%:[\]*+-]*)\/?$/iu;
const HOST = /^(\[[\da-f:.]+\]|(?:\*\.)?[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*)\.?(?::(\d{1,5}|\*)?)?$/iu;
const BARE_IPV6 = /^[\da-f]*:[\da-f]*:[\da-f:.]*$/i;
const PLAIN_NAME = /^(?:[a-z\d_-]+\.)*[a-z_-][a-z\d_-]*$/;
const USUAL_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };
const MAX_HOSTS = 100;
const hosts = new Map<string, Address>();
/** A page that opens a WebSocket has the origin of the page. */
const NEVER_ORIGINS: ReadonlySet<string> = new Set(["ws", "wss"]);
/** What stands after a scheme that is not a website's: any name, or every name below one. */
const ONE_WILDCARD = /^(?:\*|(?:\*\.)?[^*]*)$/;
/** Longer than any origin a browser sends. */
const MAX_LENGTH = 300;

/**
 * An allowed origin: any scheme, `null`, `http://name:*`, `https://*.name`, or `scheme://*` for programs that make up
 * names. Undefined if no page can have it.
 */
export function originRule(text: string): AddressRule | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  if (text.toLowerCase() === "null") return { scheme: "null", name: "", port: "" };
  const [, written, authority = ""] = ORIGIN.exec(text) ?? [];
  if (written === undefined) return undefined;
  const scheme = written.toLowerCase();
  if (NEVER_ORIGINS.has(scheme)) return undefined;
  const usual = USUAL_PORTS[scheme];
  if (usual === undefined)
    return ONE_WILDCARD.test(authority) ? { scheme, name: authority.toLowerCase(), port: "" } : undefined;
  const host = hostRule(authority);
  return host && { scheme, name: host.name, port: host.port === usual ? "" : host.port };
}

/** An allowed host: `name`, `name:port`, `name:*`, `*.name`, an address. Undefined if it cannot be one. */
export function hostRule(text: string): AddressRule | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, written, port = ""] = HOST.exec(BARE_IPV6.test(text) ? `[${text}]` : text) ?? [];
  const name = written === undefined ? undefined : usualForm(written.toLowerCase());
  const number = /\d/.test(port) ? Number(port) : 0;
  return name === undefined || number > 65_535
    ? undefined
    : { scheme: "", name, port: number === 0 ? port : String(number) };
}

/** The origin that a request names. Undefined if it is not an origin. */
export function originAddress(text: string): Address | undefined {
  return withoutWildcard(originRule(text));
}

/** The host that a request names. Undefined if it is not one. */
export function hostAddress(text: string): Address | undefined {
  const known = hosts.get(text);
  if (known !== undefined) return known;
  const address = withoutWildcard(hostRule(text));
  if (address === undefined) return undefined;
  // Nearly all requests name the same few.
  if (hosts.size >= MAX_HOSTS) hosts.clear();
  hosts.set(text, address);
  return address;
}

/** Whether a rule allows an origin. */
export function allowsOrigin(rule: AddressRule, { scheme, name, port }: Address): boolean {
  return rule.scheme === scheme && allowsName(rule, name) && (rule.port === "*" || rule.port === port);
}

/** Whether a rule allows a host; one without a port allows all of them. */
export function allowsHost(rule: AddressRule, { name, port }: Address): boolean {
  if (!allowsName(rule, name)) return false;
  // A client leaves out the usual port, and a bare host does not say which that is.
  const isUsual = port === "" && Object.values(USUAL_PORTS).includes(rule.port);
  return rule.port === "" || rule.port === "*" || rule.port === port || isUsual;
}

/** Whether a page of this origin came from this host. */
export function isSameHost(origin: Address, host: Address): boolean {
  const usual = USUAL_PORTS[origin.scheme];
  return usual !== undefined && origin.name === host.name && (origin.port || usual) === (host.port || usual);
}

/** Whether a name or an IP address, in its usual form, is this machine and no other. */
export function isLoopback(name: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[?::1\]?|\[?::ffff:(?:127(?:\.\d{1,3}){3}|7f[\da-f]{2}:[\da-f]{1,4})\]?)$/.test(
    name,
  );
}

/** The settings that say that others reach a server, wherever it listens. */
export interface Fronting {
  readonly trustedProxies: readonly string[];
  /** Empty if it is not known. */
  readonly publicUrl: string;
}

/** The setting that says that a proxy has others reach a server, which may listen on loopback only; undefined if none does. */
export function frontingSetting({ trustedProxies, publicUrl }: Fronting): string | undefined {
  if (trustedProxies.length > 0) return "TRUSTED_PROXIES";
  if (publicUrl === "") return undefined;
  return URL.canParse(publicUrl) && isLoopback(new URL(publicUrl).hostname) ? undefined : "PUBLIC_URL";
}

function allowsName(rule: AddressRule, name: string): boolean {
  return rule.name === name || rule.name === "*" || (rule.name.startsWith("*.") && name.endsWith(rule.name.slice(1)));
}

function withoutWildcard(rule: AddressRule | undefined): Address | undefined {
  return rule === undefined || rule.port === "*" || rule.name.includes("*") ? undefined : rule;
}

/** The name as browsers write it: 127.1 is 127.0.0.1, other letters than ASCII are Punycode. */
function usualForm(name: string): string | undefined {
  if (PLAIN_NAME.test(name)) return name;
  if (name.startsWith("*.")) {
    const rest = usualForm(name.slice(2));
    return rest && `*.${rest}`;
  }
  return URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : undefined;
}

/** A text without the passwords of the addresses in it. */
export function masked(text: string): string {
  return text.replace(/(:\/\/[^:/@]*:).+@/g, "$1***@");
}

/** The URL of a server that listens there, by the name it was told to listen on. */
export function listeningUrl(
  scheme: "http" | "https",
  host: string,
  { address: bound, port }: { readonly address: string; readonly port: number },
): string {
  const address = bound.replace(/^::ffff:(?=\d+\.)/, "");
  const shown = host === "localhost" ? host : address.includes(":") ? `[${address}]` : address;
  return `${scheme}://${shown}:${port}`;
}

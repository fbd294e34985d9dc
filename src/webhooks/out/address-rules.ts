import { BlockList, isIP } from "node:net";

const LOOPBACK_NAME = /(?:^|\.)localhost\.?$/;
/** The special-purpose registry of IANA for IPv4, with multicast: none of it is a host on the public internet. */
const SPECIAL_IPV4 = networks([
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private use
  "100.64.0.0/10", // shared by the customers of a carrier
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local, with the metadata of cloud machines
  "172.16.0.0/12", // private use
  "192.0.0.0/24", // protocol assignments
  "192.0.2.0/24", // documentation
  "192.31.196.0/24", // AS112
  "192.52.193.0/24", // AMT
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // private use
  "192.175.48.0/24", // AS112
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, with broadcast
]);

/** All that IANA has given to hosts; what lies outside is loopback, link-local, local, multicast or unassigned. */
const GLOBAL_IPV6 = networks(["2000::/3"]);
/** What of it is special. */
const SPECIAL_IPV6 = networks([
  "2001::/23", // protocol assignments, with Teredo, benchmarks and ORCHID
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4, which holds any IPv4 address
  "2620:4f:8000::/48", // AS112
  "3fff::/20", // documentation
]);
/** Prefixes of 96 bits before an IPv4 address, which is where a connection goes: IPv4-mapped, and NAT64. */
const EMBEDDING: ReadonlySet<string> = new Set(["0:0:0:0:0:ffff", "64:ff9b:0:0:0:0"]);

/** Says where webhooks may go: to the public internet, and to the networks that the operator allows. */
export class AddressRules {
  readonly #allowed: BlockList;

  /** Whether there is an address that the operator allows by name. */
  readonly allowsSome: boolean;

  /** `allowed` has addresses and networks, such as `127.0.0.0/8`. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = networks(allowed);
    this.allowsSome = allowed.length > 0;
  }

  /** Whether the operator allows this address by name, so that plain HTTP may go there, too. */
  isAllowed(address: string): boolean {
    return matches(this.#allowed, reached(address));
  }

  /** Whether a webhook may go to this address. */
  mayReach(address: string): boolean {
    return isPublic(address) || this.isAllowed(address);
  }
}

/** Whether an address is one that hosts on the public internet have. */
export function isPublic(address: string): boolean {
  const meant = reached(address);
  if (isIP(meant) === 4) return !matches(SPECIAL_IPV4, meant);
  return matches(GLOBAL_IPV6, meant) && !matches(SPECIAL_IPV6, meant);
}

/** The IPv4 address inside an IPv6 address that leads to it, or the address itself. */
function reached(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = groupsOf(address);
  if (!EMBEDDING.has(groups.slice(0, 6).join(":"))) return address;
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): readonly string[] {
  // A URL has it in the one form of RFC 5952; a zone only says which interface, and is not part of it.
  const text = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  const [left = "", right] = text.split("::");
  const split = (part: string): string[] => (part === "" ? [] : part.split(":"));
  if (right === undefined) return split(left);
  const [before, after] = [split(left), split(right)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => "0"), ...after];
}

function networks(list: readonly string[]): BlockList {
  const found = new BlockList();
  for (const network of list) {
    const [address = "", bits] = network.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    found.addSubnet(address, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return found;
}

function matches(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !address.includes("%") && list.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** Whether a URL names this machine without an address (RFC 6761). */
export function isLoopbackName({ hostname }: URL): boolean {
  return LOOPBACK_NAME.test(hostname);
}

/** The name or address of a URL, without the brackets around IPv6. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

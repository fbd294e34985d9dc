import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { isLoopback } from "../protocol/address.ts";

type Request = Pick<IncomingMessage, "headers"> & { readonly socket: Pick<IncomingMessage["socket"], "remoteAddress"> };

/** Hops that are looked at: the ones nearest to us. */
const MAX_HOPS = 32;

/** Says which address a request is counted by. */
export class ClientAddresses {
  readonly #trusted: BlockList | undefined;

  /** `proxies` are addresses and networks; what only their `X-Forwarded-For` or `Forwarded` says counts. */
  constructor(proxies: readonly string[]) {
    if (proxies.length === 0) return;
    const trusted = (this.#trusted = new BlockList());
    for (const proxy of proxies) {
      const [address = "", bits = ""] = proxy.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === "") trusted.addAddress(address, family);
      else trusted.addSubnet(address, Number(bits), family);
    }
  }

  /**
   * The address that a request comes from, as `counted` writes it: of the peer, or as long as that is a trusted proxy,
   * of the hop that it names, from right to left. What is not an address ends the way: the proxy itself is counted, as
   * it is if `X-Forwarded-For` and `Forwarded` disagree, of which a client may have sent the one that it does not write.
   */
  of({ socket, headers }: Request): string {
    const peer = plain(socket.remoteAddress ?? "");
    if (this.#trusted === undefined || !this.#isTrusted(peer)) return counted(peer);
    const { "x-forwarded-for": list, forwarded } = headers;
    const said: string[] = [];
    if (list !== undefined) said.push(this.#client(peer, hopsIn([list].flat().join(","))));
    if (forwarded !== undefined) said.push(this.#client(peer, hopsIn(forwarded).map(forIn)));
    const [address = counted(peer), other = address] = said;
    return address === other ? address : counted(peer);
  }

  /** The last of the hops that is no trusted proxy, as it is counted. */
  #client(peer: string, hops: readonly string[]): string {
    let address = peer;
    for (const hop of hops.toReversed()) {
      const next = addressIn(hop);
      if (next === undefined) break;
      address = next;
      if (!this.#isTrusted(address)) break;
    }
    return counted(address);
  }

  #isTrusted(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#trusted?.check(address, version === 6 ? "ipv6" : "ipv4") === true;
  }
}

/** An address as it is counted: for IPv6 its /64 network, since one host often has all of it. */
export function counted(written: string): string {
  const address = plain(written);
  if (!address.includes(":") || isLoopback(address)) return address;
  const [head = "", tail] = address.split("::");
  const [left, right] = [head, tail ?? ""].map((part) => (part === "" ? [] : part.split(":"))) as [string[], string[]];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const words = [...left, ...zeros, ...right].slice(0, 4).map((word) => Number.parseInt(word, 16).toString(16));
  return `${words.join(":")}::/64`;
}

/** Without its zone, and as IPv4 if it is one. */
function plain(address: string): string {
  const [bare = ""] = address.split("%");
  return bare.replace(/^::ffff:(?=\d+\.)/i, "");
}

function hopsIn(list: string): readonly string[] {
  return list.split(",").slice(-MAX_HOPS);
}

/** What a hop of `Forwarded` (RFC 7239) says who it came from. */
function forIn(hop: string): string {
  return /(?:^|;)\s*for="?([^";]*)"?/i.exec(hop)?.[1] ?? "";
}

/** The address that a hop names, which may have a port; undefined if it names none. */
function addressIn(hop: string): string | undefined {
  const text = hop.trim();
  const address = plain(/^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text);
  return isIP(address) === 0 ? undefined : address;
}

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { ConfigError } from "../core/errors.ts";
import { isLoopback } from "../protocol/address.ts";
import { Consul } from "./consul.ts";
import { Discovery, TIMES, type DiscoveryOptions } from "./discovery.ts";
import { Eureka } from "./eureka.ts";
import type { Instance, Registry } from "./registry.ts";

/** The settings that discovery depends on. */
export interface DiscoverySettings {
  /** `consul:URL`, or `eureka:URL` with more URLs after commas. */
  readonly discovery: string;
  readonly serviceName: string;
  /** `HOST:PORT`; empty for the address that the server listens on. */
  readonly advertise: string;
  readonly consulToken: string;
  readonly host: string;
  readonly publicUrl: string;
  /** The path below which a proxy has the server, such as `/hub`. */
  readonly basePath?: string;
  readonly tlsCert: string;
}

/** What is known once the server listens. */
export interface Listening {
  readonly address: string;
  readonly port: number;
  readonly version: string;
}

/** Discovery that begins when the server listens. */
export interface PreparedDiscovery {
  readonly discovery: Discovery;
  start(listening: Listening): void;
}

/**
 * Checks what `DISCOVERY` says, before the server listens. Rejects with a `ConfigError` if others could not reach what
 * would be registered.
 */
export async function prepareDiscovery(
  settings: DiscoverySettings,
  log: DiscoveryOptions["log"],
): Promise<PreparedDiscovery> {
  const [kind = "", list = ""] = settings.discovery.split(/:(.*)/s);
  const addresses = list.split(",");
  if (settings.advertise === "") await checkHost(settings.host, addresses);
  const discovery = new Discovery({ ...TIMES, log });
  const start = (listening: Listening): void => {
    const instance = instanceOf(settings, listening);
    discovery.start(registryOf(kind, addresses, settings.consulToken, instance));
  };
  return { discovery, start };
}

function registryOf(kind: string, addresses: readonly string[], token: string, instance: Instance): Registry {
  return kind === "eureka" ? new Eureka(addresses, instance) : new Consul(addresses[0] as string, token, instance);
}

/** What a registry is told about a server with these settings. */
export function instanceOf(settings: DiscoverySettings, listening: Listening): Instance {
  const { serviceName, advertise, publicUrl, basePath = "", tlsCert } = settings;
  const { version } = listening;
  const [host, port] =
    advertise === "" ? [listening.address.replace(/^::ffff:(?=\d+\.)/, ""), listening.port] : parts(advertise);
  const written = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const known = publicUrl === "" ? undefined : new URL(publicUrl);
  // A proxy that terminates TLS may be what is advertised, rather than the server behind it.
  const isProxy = known?.protocol === "https:" && written === `${known.hostname}:${known.port || "443"}`;
  const isSecure = tlsCert !== "" || isProxy;
  const isNamed = known === undefined || known.hostname === host;
  return {
    id: `${serviceName}-${host}-${port}`.replaceAll(/[^\w.-]/g, "-"),
    service: serviceName,
    host,
    port,
    isSecure,
    tlsServerName: isSecure && !isNamed ? known.hostname : "",
    url: `${isSecure ? "https" : "http"}://${written}`,
    metadata: {
      version,
      mcpPath: `${basePath}/mcp`,
      basePath: basePath || "/",
      ...(publicUrl === "" ? {} : { publicUrl }),
    },
  };
}

function parts(address: string): readonly [string, number] {
  const colon = address.lastIndexOf(":");
  return [address.slice(0, colon).replace(/^\[|\]$/g, ""), Number(address.slice(colon + 1))];
}

/** A host that cannot be resolved is for the attempt to listen to refuse. */
async function checkHost(host: string, registries: readonly string[]): Promise<void> {
  const found = await lookup(host, { all: true }).catch(() => []);
  const wrong = (where: string): never => {
    throw new ConfigError(
      `DISCOVERY is set and HOST is ${JSON.stringify(host)}, ${where}; set ADVERTISE to the HOST:PORT where others reach this server`,
    );
  };
  if (found.some(({ address }) => address === "0.0.0.0" || address === "::")) {
    wrong("which is every address of this machine and none that others could be told");
  }
  const isLocal = found.length > 0 && found.every(({ address }) => isLoopback(address));
  if (isLocal && !registries.every((url) => isLoopback(new URL(url).hostname))) {
    wrong("where only this machine reaches it, but the registry is on another one");
  }
}

import { lookup } from "node:dns/promises";
import { ConfigError } from "../core/errors.ts";
import { frontingSetting, isLoopback, type Fronting } from "../protocol/address.ts";

const REMEDY =
  "Make an API key with `sse-mcp-server key create` and set API_KEYS_FILE, or set JWT_ISSUERS to take the tokens of an " +
  "identity provider, or set AUTH=none if everyone";

/**
 * Rejects with a `ConfigError` if a server that lets everyone do everything would be reached from other machines, at
 * its host or through a proxy. A host that cannot be resolved is for the attempt to listen to refuse.
 */
export async function checkExposure({ host, ...fronting }: Fronting & { readonly host: string }): Promise<void> {
  const found = await lookup(host, { all: true }).catch(() => []);
  if (!found.every(({ address }) => isLoopback(address))) {
    throw new ConfigError(
      `HOST is ${JSON.stringify(host)}, where other machines could read and publish everything, since no one needs a ` +
        `credential. ${REMEDY} on this network may do everything`,
    );
  }
  const setting = frontingSetting(fronting);
  if (setting === undefined) return;
  throw new ConfigError(
    `${setting} is set, so a proxy lets others in, who could read and publish everything, since no one needs a ` +
      `credential. ${REMEDY} whom the proxy lets in may do everything`,
  );
}

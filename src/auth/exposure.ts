import { lookup } from "node:dns/promises";
import { ConfigError } from "../core/errors.ts";
import { isLoopback } from "../protocol/address.ts";

/**
 * Rejects with a `ConfigError` if a server that lets everyone do everything would be reached from other machines. A
 * host that cannot be resolved is for the attempt to listen to refuse.
 */
export async function checkExposure(host: string): Promise<void> {
  const found = await lookup(host, { all: true }).catch(() => []);
  if (found.every(({ address }) => isLoopback(address))) return;
  throw new ConfigError(
    `HOST is ${JSON.stringify(host)}, where other machines could read and publish everything, since no one needs a ` +
      "credential. Make an API key with `sse-mcp-server key create` and set API_KEYS_FILE, or set JWT_ISSUERS to take " +
      "the tokens of an identity provider, or set AUTH=none if everyone on this network may do everything",
  );
}

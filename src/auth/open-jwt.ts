import { ConfigError } from "../core/errors.ts";
import { SCOPES } from "../core/principal.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import type { Audit } from "./audit.ts";
import { openIssuers } from "./issuers.ts";
import { JwtVerifier } from "./jwt.ts";

/** The settings of JWTs; see `Config`. */
export interface JwtSettings {
  readonly publicUrl: string;
  readonly basePath: string;
  readonly jwtIssuers: readonly string[];
  readonly jwtSecret: string;
  readonly jwtAudience: readonly string[];
  readonly jwtAlgorithms: readonly string[];
  readonly jwtClaim: string;
  readonly jwtChannels: readonly string[];
}

/** What this server says of itself as a resource of OAuth (RFC 9728 section 2). */
export interface ResourceMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported: readonly string[];
  readonly bearer_methods_supported: readonly ["header"];
  readonly resource_name: string;
  readonly resource_documentation: string;
}

/** Opens the issuers that the settings name; undefined if they name none. Throws `ConfigError`. */
export function openJwt(settings: JwtSettings, audit: Audit, now: () => number = Date.now): JwtVerifier | undefined {
  const { publicUrl, basePath, jwtIssuers, jwtSecret, jwtAudience, jwtAlgorithms, jwtClaim, jwtChannels } = settings;
  if (jwtIssuers.length === 0 && jwtSecret === "") return undefined;
  if (publicUrl === "" && jwtAudience.length === 0) {
    const setting = jwtIssuers.length === 0 ? "JWT_SECRET" : "JWT_ISSUERS";
    const sentence = `${setting} is set, but not whom its tokens are meant for; set PUBLIC_URL to the address that clients know the server by`;
    throw new ConfigError(`${sentence}, such as https://hub.example, or JWT_AUDIENCE to the aud of the tokens`);
  }
  const issuers = openIssuers(jwtIssuers, { audit, now });
  for (const keys of issuers.values()) keys.prefetch();
  return new JwtVerifier({
    issuers,
    secret: jwtSecret === "" ? undefined : new TextEncoder().encode(jwtSecret),
    audience: [...ownAudiences(publicUrl, basePath), ...jwtAudience],
    algorithms: jwtAlgorithms,
    claim: jwtClaim,
    channels: jwtChannels as ChannelPattern[],
    now,
  });
}

/** What the settings announce to OAuth clients; undefined if there are no issuers, or no address to announce. */
export function resourceMetadata({ publicUrl, basePath, jwtIssuers }: JwtSettings): ResourceMetadata | undefined {
  if (publicUrl === "" || jwtIssuers.length === 0) return undefined;
  const { origin } = new URL(publicUrl);
  return {
    resource: `${origin}${basePath}/mcp`,
    authorization_servers: jwtIssuers.map((word) => word.split("=")[0] as string),
    // What most clients need: they ask for all of these, and for more once they are told to.
    scopes_supported: [SCOPES.read, SCOPES.publish],
    bearer_methods_supported: ["header"],
    resource_name: "sse-mcp-server",
    resource_documentation: `${origin}${basePath}/docs`,
  };
}

/** The well-known address of a resource's metadata (RFC 9728 section 3.1). */
export function metadataUrl({ resource }: ResourceMetadata): string {
  const { origin, pathname } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname}`;
}

/** Clients name the server, or its MCP endpoint, as the resource they want a token for (RFC 8707). */
function ownAudiences(publicUrl: string, basePath: string): string[] {
  if (publicUrl === "") return [];
  const { origin } = new URL(publicUrl);
  const addresses = [...new Set([publicUrl, origin])].map((url) => url + basePath);
  return addresses.flatMap((url) => [url, `${url}/`, `${url}/mcp`]);
}

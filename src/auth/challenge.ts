import type { HubError } from "../core/errors.ts";
import { SCOPES } from "../core/principal.ts";

/**
 * The `WWW-Authenticate` of an answer (RFC 6750 section 3); undefined if no credential would make a difference.
 * `metadataUrl` says where the authorization servers are announced (RFC 9728 section 5.1); undefined if there are none.
 */
export function challengeHeader(
  { challenge }: Partial<Pick<HubError, "challenge">>,
  metadataUrl: string | undefined,
): string | undefined {
  if (challenge === undefined) return undefined;
  const { error } = challenge;
  // Those who get another token for the one that was refused ask for this, and for more once they are told to.
  const { scope = error === "invalid_token" && metadataUrl !== undefined ? SCOPES.read : undefined } = challenge;
  const fields = { resource_metadata: metadataUrl, error, scope };
  const given = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`]));
  return given.length === 0 ? "Bearer" : `Bearer ${given.join(", ")}`;
}

import { HubError } from "../../core/errors.ts";
import type { Principal } from "../../core/principal.ts";
import { MAX_ALL, MAX_OWN, type Webhook } from "./webhook.ts";

/** Milliseconds for which a webhook lives whose owner's credential ends by itself, unless its owner renews it. */
const RENEWED_FOR = 30 * 24 * 3_600_000;

/** Whether a principal may see and change a webhook. */
export function isOwnedBy({ owner }: Webhook, principal: Principal): boolean {
  return principal.admin || owner?.id === principal.id;
}

/** A principal as the owner of a webhook. */
export function ownerOf({ id, subject, kind }: Principal): Webhook["owner"] {
  return { id, subject, kind };
}

/** Until when a webhook is good whose owner's credential ends by itself and is not known to the server afterwards. */
export function renewal({ kind, id, expires }: Principal, now: number): Pick<Webhook, "expires"> {
  const isOfKey = kind === "key" || id.startsWith("key-");
  return isOfKey || expires === undefined ? { expires: undefined } : { expires: Math.max(expires, now + RENEWED_FOR) };
}

/** Throws `FORBIDDEN` if a principal may have no other webhook beside all those that there are. */
export function checkCount(all: readonly Webhook[], principal: Principal): void {
  const own = all.filter(({ owner }) => owner?.id === principal.id).length;
  if (own >= MAX_OWN) throw tooMany(`You have ${own} webhooks`, MAX_OWN);
  if (all.length >= MAX_ALL) throw tooMany(`This hub has ${all.length} webhooks`, MAX_ALL);
}

function tooMany(sentence: string, most: number): HubError {
  return new HubError(
    "FORBIDDEN",
    `${sentence}, and at most ${most} are allowed; delete one, or use patterns such as orders.*`,
  );
}

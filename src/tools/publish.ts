import { channelToPublish, shown } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import { draft, type Draft, type DraftInput } from "../core/message.ts";
import { ANYONE, checkPublish, type Principal } from "../core/principal.ts";
import type { Receipt } from "../protocol/message.ts";
import type { RequestContext } from "./tool.ts";

/** A message that a caller wants to publish, unchecked. */
export interface PublishRequest extends Omit<DraftInput, "channel" | "verified"> {
  readonly channel: string;
  /** The ids of the hubs that it came through before this one; empty by default. */
  readonly path?: readonly string[] | undefined;
}

/** The result of a publication. */
export interface Publication {
  readonly receipt: Receipt;
  /** True if its key was used before: the receipt is that of the message kept then. */
  readonly repeated: boolean;
}

type DraftContext = Pick<RequestContext, "hub" | "limits" | "principal" | "sender" | "admit">;
type PublishContext = DraftContext & Pick<RequestContext, "correlation">;

/**
 * The one way to publish, for every door. Throws a `HubError` that names the field if the request is wrong,
 * `IDEMPOTENCY_KEY_REUSED` if its key made another message, and rejects as the log does.
 */
export async function publish(request: PublishRequest, context: PublishContext): Promise<Publication> {
  const { hub, admit, correlation } = context;
  const { item, bytes } = admittedDraft(request, context);
  const trace = correlation?.trace;
  const published = trace === undefined ? hub.publish(item) : trace.publish(item, (traced) => hub.publish(traced));
  const { id = null, message, receivers, repeated } = await published;
  if (repeated) admit?.("publish_bytes", -bytes);
  if (repeated && (message.data !== item.data || message.event !== item.event)) {
    const sentence = `This Idempotency-Key made the message ${id} with other content; use a new key`;
    throw new HubError("IDEMPOTENCY_KEY_REUSED", sentence);
  }
  const { channel } = item;
  return { receipt: { id, channel, time: new Date(message.time).toISOString(), receivers }, repeated };
}

/**
 * What a caller publishes, if it may, counted as published, and the bytes that were counted. Throws a `HubError` that
 * names the field if the request is wrong.
 */
export function admittedDraft(
  request: PublishRequest,
  { hub, limits, principal, sender, admit }: DraftContext,
): { readonly item: Draft; readonly bytes: number } {
  const { ephemeral, key, path = [] } = request;
  if (ephemeral === true && key !== undefined) {
    throw new HubError("INVALID_MESSAGE", "an ephemeral message is not kept, so it can have no Idempotency-Key");
  }
  const channel = channelToPublish(request.channel, ephemeral);
  checkPublish(principal, channel);
  const name = checkedSender(request.sender, sender, principal);
  const isOwn = principal.kind !== "anonymous" && name === principal.subject;
  const item = draft({ ...request, channel, sender: name, verified: isOwn ? true : undefined }, limits.message);
  admit?.("publishes");
  const bytes = admit === undefined ? 0 : Buffer.byteLength(item.data);
  admit?.("publish_bytes", bytes);
  if (admit !== undefined && ephemeral !== true && hub.log.channels({ pattern: channel, limit: 1 }).length === 0)
    admit("new_channels");
  const through = path.length === 0 ? item : { ...item, path: path.join(",") };
  return { item: ownKey(through, principal), bytes };
}

/** The name a message is sent under: the principal's own, unless it may speak for others. Throws `FORBIDDEN`. */
export function checkedSender(asked: string | undefined, called: string | undefined, principal: Principal): string {
  const { subject, sendAs, kind } = principal;
  if (kind === "anonymous") return asked ?? called ?? subject;
  if (sendAs && asked !== undefined) return asked;
  if (asked === undefined || asked === subject) return subject;
  const sentence = `sender is ${shown(asked)}, and this credential sends as ${shown(subject)}; leave sender out`;
  throw new HubError("FORBIDDEN", sentence);
}

/** Each principal has idempotency keys of its own: a line break is in no id, and in no key from outside. */
function ownKey(item: Draft, { id }: Principal): Draft {
  return item.key === undefined || id === ANYONE.id ? item : { ...item, key: `${id}\n${item.key}` };
}

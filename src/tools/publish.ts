import { channelToPublish } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import { draft, type DraftInput } from "../core/message.ts";
import type { Receipt } from "../protocol/message.ts";
import type { RequestContext } from "./tool.ts";

/** A message that a caller wants to publish, unchecked. */
export interface PublishRequest extends Omit<DraftInput, "channel"> {
  readonly channel: string;
}

/** The result of a publication. */
export interface Publication {
  readonly receipt: Receipt;
  /** True if its key was used before: the receipt is that of the message kept then. */
  readonly repeated: boolean;
}

/**
 * The one way to publish, for every door. Throws a `HubError` that names the field if the request is wrong,
 * `IDEMPOTENCY_KEY_REUSED` if its key made another message, and rejects as the log does.
 */
export async function publish(
  request: PublishRequest,
  {
    hub,
    limits,
    principal,
    sender = principal.subject,
  }: Pick<RequestContext, "hub" | "limits" | "principal" | "sender">,
): Promise<Publication> {
  const { ephemeral, key } = request;
  if (ephemeral === true && key !== undefined) {
    throw new HubError("INVALID_MESSAGE", "an ephemeral message is not kept, so it can have no Idempotency-Key");
  }
  const channel = channelToPublish(request.channel, ephemeral);
  const item = draft({ ...request, channel, sender: request.sender ?? sender }, limits.message);
  const { id = null, message, receivers, repeated } = await hub.publish(item);
  if (repeated && (message.data !== item.data || message.event !== item.event)) {
    const sentence = `This Idempotency-Key made the message ${id} with other content; use a new key`;
    throw new HubError("IDEMPOTENCY_KEY_REUSED", sentence);
  }
  return { receipt: { id, channel, time: new Date(message.time).toISOString(), receivers }, repeated };
}

import type { History } from "../core/history.ts";
import type { Message } from "../core/message.ts";
import type { ChannelName } from "../protocol/channel.ts";
import type { Outgoing } from "./bus.ts";
import { binaryHeaders, MESSAGE_TYPE, STRUCTURED, structuredBody } from "./cloud-events.ts";
import type { BridgeWork } from "./context.ts";
import type { OutRule } from "./rules.ts";

const GAP_TYPE = "hub.gap";
const utf8 = new TextEncoder();

/** A message of a channel as a rule sends it. */
export function outgoingOf(message: Message, rule: OutRule, prefix: string, work: BridgeWork): Outgoing {
  const { channel, event, sender, data, time, path, traceparent } = message;
  const id = work.hub.idOf(message) as string;
  const attributes = (): Readonly<Record<string, string>> => ({
    ...attributesOf(id, channel, work, path?.split(",") ?? []),
    type: event === "message" ? MESSAGE_TYPE : event,
    time: new Date(time).toISOString(),
    sender,
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  return formatted(data, attributes, { channel, event, sender, id }, rule, prefix);
}

/** What tells a channel's destination that messages are missing. */
export function gapMarker(
  gap: NonNullable<History["gap"]>,
  channel: string,
  rule: OutRule,
  prefix: string,
  work: BridgeWork,
): Outgoing {
  const id = `gap-${gap.after}`;
  const attributes = () => ({ ...attributesOf(id, channel, work, []), type: GAP_TYPE });
  return formatted(JSON.stringify(gap), attributes, { channel, event: GAP_TYPE, sender: "hub", id }, rule, prefix);
}

function attributesOf(
  id: string,
  subject: ChannelName | string,
  { source, hubId }: BridgeWork,
  path: readonly string[],
): Record<"id" | "source" | "subject" | "hubpath", string> {
  return { id, source, subject, hubpath: [...path, hubId].join(",") };
}

/** `data` is JSON text; a string is sent as text. */
function formatted(
  data: string,
  attributes: () => Readonly<Record<string, string>>,
  names: Outgoing["names"] & { readonly id: string; readonly channel: string },
  { format }: OutRule,
  prefix: string,
): Outgoing {
  const { id, channel: key } = names;
  if (format === "structured") {
    const body = structuredBody(attributes(), data);
    return { body, headers: {}, contentType: `${STRUCTURED}; charset=utf-8`, key, names, id };
  }
  const isText = data.startsWith('"');
  const body = utf8.encode(isText ? (JSON.parse(data) as string) : data);
  const contentType = isText ? "text/plain; charset=utf-8" : "application/json";
  const headers = format === "raw" ? {} : binaryHeaders(attributes(), prefix);
  return { body, headers, contentType, key, names, id };
}

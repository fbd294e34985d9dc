import type { ChannelListing, History } from "../core/history.ts";
import type { Hub } from "../core/hub.ts";
import type { Message as KeptMessage } from "../core/message.ts";
import type { Message } from "../protocol/message.ts";
import type { Gap } from "../protocol/signal.ts";
import { oneLineData, oneLineName } from "../protocol/text.ts";
import { list, object, orNull, TEXT, TRUTH } from "./json-schema.ts";
import { keptJson } from "../protocol/json.ts";
import type { JsonSchema } from "./tool.ts";

/** A page of messages as JSON data. */
export interface MessagePage {
  readonly messages: readonly Message[];
  /** The cursor to continue from. */
  readonly next: string;
  /** Whether there may be more already. */
  readonly more: boolean;
  /** What is missing between `after` and the first message; null if nothing is. */
  readonly gap: Gap | null;
}

/** `MessagePage` as JSON Schema. */
export const messagePageSchema: JsonSchema = object({
  messages: list(
    object(
      { id: TEXT, channel: TEXT, event: TEXT, data: {}, sender: TEXT, time: TEXT },
      { via: TEXT, verified: { const: true } },
    ),
  ),
  next: TEXT,
  more: TRUTH,
  gap: orNull(object({ reason: TEXT, after: TEXT, resumed: TEXT })),
});

/** A page of history as JSON data. */
export function messagePage(
  { messages, next, more, gap }: History,
  idOf: (message: KeptMessage) => string | undefined,
): MessagePage {
  return {
    messages: messages.map((message) => messageObject(message, idOf(message))),
    next,
    more,
    gap: gap ?? null,
  };
}

/** A message as JSON data; `id` is undefined for one that was not kept. */
export function messageObject(
  { channel, event, data, sender, time, via, verified }: KeptMessage,
  id: string | undefined,
): Message {
  return {
    id: id ?? null,
    channel,
    event,
    data: keptJson(data),
    sender,
    time: new Date(time).toISOString(),
    ...(via === undefined ? {} : { via }),
    ...(verified === undefined ? {} : { verified }),
  };
}

/** A page as text: one line for each message, whatever it contains, then how to continue. */
export function pageText({ messages, next, more, gap }: MessagePage): string {
  const lines = messages.map(({ id, time, channel, event, sender, data }) => {
    const name = event === "message" ? "" : ` [${oneLineName(event)}]`;
    return `${id} ${time} ${channel}${name} ${oneLineName(sender)}: ${oneLineData(data)}`;
  });
  if (gap !== null)
    lines.unshift(`Messages are missing (${gap.reason}) between ${oneLineName(gap.after)} and ${gap.resumed}`);
  if (messages.length === 0) lines.push("No messages");
  return `${lines.join("\n")}\n${more ? "More with" : "Go on with"} after: ${next}`;
}

/** A channel as callers see it. */
export interface ChannelSummary {
  readonly channel: string;
  /** Readers now. */
  readonly readers: number;
  /** Messages kept. */
  readonly messages: number;
  /** Of its last message; null if there was none. */
  readonly lastId: string | null;
  readonly lastTime: string | null;
}

/** A channel as JSON data. */
export function channelSummary({ channel, readers, kept, last, time }: ChannelListing, hub: Hub): ChannelSummary {
  return {
    channel,
    readers,
    messages: kept,
    lastId: last === 0 ? null : hub.cursor(last),
    lastTime: last === 0 ? null : new Date(time).toISOString(),
  };
}

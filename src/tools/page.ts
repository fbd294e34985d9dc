import type { Gap, History } from "../core/history.ts";
import type { Message } from "../core/message.ts";

/** A message as JSON data. */
interface MessageObject {
  readonly id: string | null;
  readonly channel: string;
  readonly event: string;
  readonly data: unknown;
  readonly sender: string;
  readonly time: string;
}

/** A page of messages as JSON data. */
export interface MessagePage {
  readonly messages: readonly MessageObject[];
  /** The cursor to go on with. */
  readonly next: string;
  /** Whether there may be more right now. */
  readonly more: boolean;
  /** What is missing between `after` and the first message; null where nothing is. */
  readonly gap: Gap | null;
}

/** A page of history as JSON data. */
export function messagePage(
  { messages, next, more, gap }: History,
  idOf: (message: Message) => string | undefined,
): MessagePage {
  return {
    messages: messages.map((message) => ({
      id: idOf(message) ?? null,
      channel: message.channel,
      event: message.event,
      data: JSON.parse(message.data) as unknown,
      sender: message.sender,
      time: new Date(message.time).toISOString(),
    })),
    next,
    more,
    gap: gap ?? null,
  };
}

/** A page for a reader of text: a line for each message, then how to go on. */
export function pageText({ messages, next, more, gap }: MessagePage): string {
  const lines = messages.map(({ id, time, channel, event, sender, data }) => {
    const name = event === "message" ? "" : ` [${event}]`;
    return `${id} ${time} ${channel}${name} ${sender}: ${typeof data === "string" ? data : JSON.stringify(data)}`;
  });
  if (gap !== null) lines.unshift(`Messages are missing (${gap.reason}) between ${gap.after} and ${gap.resumed}`);
  if (messages.length === 0) lines.push("No messages");
  return `${lines.join("\n")}\n${more ? "More with" : "Go on with"} after: ${next}`;
}

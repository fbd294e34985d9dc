import type { Message } from "./message.ts";

/** The type of event that every message is; what another type is called is also the event of its messages. */
export const MESSAGE_PUBLISHED = "message.published";

/** Whether a message is of a type. Events about questions come from the hub itself: no one else can publish them. */
export function isOfType(name: string, { event, via }: Message): boolean {
  return name === MESSAGE_PUBLISHED || (event === name && via === "question");
}

/**
 * What an occurrence says, as JSON text: of `message.published` the message, whose own data stand inside, so that they
 * are an object whatever was published; of another type what the message says.
 */
export function occurrenceData(name: string, { channel, event, data, sender, via, verified }: Message): string {
  if (name !== MESSAGE_PUBLISHED) return data;
  const way = via === undefined ? "" : `,"via":"${via}"`;
  const proof = verified === undefined ? "" : `,"verified":true`;
  // Names of channels hold nothing that JSON escapes.
  return `{"channel":"${channel}","event":${JSON.stringify(event)},"sender":${JSON.stringify(sender)}${way}${proof},"data":${data}}`;
}

/**
 * The inside of an `EventOccurrence` of MCP Events as JSON text, without its braces. It has no `type`, which would make
 * the body of a webhook a control envelope.
 */
export function occurrenceMembers(name: string, message: Message, id: string, cursor: string): string {
  const time = new Date(message.time).toISOString();
  return `"eventId":"${id}","name":"${name}","timestamp":"${time}","data":${occurrenceData(name, message)},"cursor":"${cursor}"`;
}

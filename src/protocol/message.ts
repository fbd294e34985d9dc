/**
 * How a message came, unless a client published it: through a tool, as agents publish; as a webhook whose sender was
 * verified; over the bridge of that name, from another system; from the hub, which tells what becomes of a question. Set
 * by the server, so senders cannot forge it.
 */
export type Via = "tool" | "webhook" | "question" | `bridge:${string}`;

/** What a message says, with its payload as JSON text: what the hub keeps and every door writes out. */
export interface MessageFields {
  readonly channel: string;
  readonly event: string;
  /** JSON text. */
  readonly data: string;
  readonly sender: string;
  readonly via?: Via | undefined;
  /** Set if the sender is the name of the credential it was published with. */
  readonly verified?: true | undefined;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** A message as a JSON object, as every door gives it. */
export interface Message<Data = unknown> {
  /** A cursor: what to resume with. `null` for an ephemeral message, which is not kept. */
  readonly id: string | null;
  readonly channel: string;
  readonly event: string;
  readonly data: Data;
  readonly sender: string;
  readonly via?: Via;
  /** Set if the sender is the name of the credential it was published with, so that no one else can use it. */
  readonly verified?: true;
  /** When the log took it, ISO 8601 in UTC. */
  readonly time: string;
}

/** What a publisher is told. */
export interface Receipt {
  /** `null` for an ephemeral message. */
  readonly id: string | null;
  readonly channel: string;
  /** ISO 8601 in UTC. */
  readonly time: string;
  /** Live readers it was offered to. */
  readonly receivers: number;
}

/** What someone is told who schedules a message. */
export interface ScheduledReceipt {
  /** What to look it up or cancel it by; not the id of the message, which it gets when it is published. */
  readonly id: string;
  readonly channel: string;
  /** When it will be published, ISO 8601 in UTC. */
  readonly at: string;
}

/** A message that is to be published at a time. */
export interface ScheduledMessage extends ScheduledReceipt {
  readonly event: string;
  readonly sender: string;
  readonly via?: Via;
  /** Who scheduled it. */
  readonly by?: string;
}

/** The inside of a `Message` as JSON text, without its braces; `id` is undefined for a message that is not kept. */
export function messageMembers(
  { channel, event, data, sender, via, verified, time }: MessageFields,
  id: string | undefined,
): string {
  const head = id === undefined ? '"id":null' : `"id":"${id}"`;
  const at = new Date(time).toISOString();
  const way = via === undefined ? "" : `,"via":"${via}"`;
  const proof = verified === undefined ? "" : `,"verified":true`;
  // Channel names, ids and times hold nothing that JSON escapes.
  return `${head},"channel":"${channel}","event":${JSON.stringify(event)},"data":${data},"sender":${JSON.stringify(sender)},"time":"${at}"${way}${proof}`;
}

/** A `Message` as JSON text. */
export function messageJson(message: MessageFields, id: string | undefined): string {
  return `{${messageMembers(message, id)}}`;
}

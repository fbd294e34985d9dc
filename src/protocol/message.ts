/** What a message carries, whatever brings it: the fields of `Message`, with its id as text. */
export interface WireMessage {
  /** Undefined for a message that is not kept. */
  readonly id: string | undefined;
  readonly channel: string;
  readonly event: string;
  /** JSON text. */
  readonly data: string;
  readonly sender: string;
  /** Set where a tool published it. */
  readonly via?: "tool" | undefined;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** The fields of a message as the inside of a JSON object, without braces; `data` goes in as it is. */
export function messageFields({ id, channel, event, data, sender, via, time }: WireMessage): string {
  const head = id === undefined ? '"id":null' : `"id":"${id}"`;
  const at = new Date(time).toISOString();
  const way = via === undefined ? "" : `,"via":"${via}"`;
  // Channel names, ids and times hold nothing that JSON escapes.
  return `${head},"channel":"${channel}","event":${JSON.stringify(event)},"data":${data},"sender":${JSON.stringify(sender)},"time":"${at}"${way}`;
}

/** A message as a JSON object. */
export function messageJson(message: WireMessage): string {
  return `{${messageFields(message)}}`;
}

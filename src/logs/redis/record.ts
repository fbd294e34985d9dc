import type { ChannelName } from "../../protocol/channel.ts";
import type { Draft, Message } from "../../core/message.ts";

/** What one batch added to the log, as it is announced to all nodes. */
export interface Batch {
  readonly epoch: string;
  /** The offset of the last message before it. */
  readonly before: number;
  /** The last offset that retention has dropped. */
  readonly floor: number;
  /** In order; ephemeral ones have the offset of the message before them. */
  readonly messages: readonly Message[];
  /** Called when the node has handed it on, or could not; only for a batch of this node. */
  readonly settle?: (isDelivered: boolean) => void;
}

/** An entry of the stream, as it is read: its id, and names and values in turn. */
export type Entry = readonly [id: string, fields: readonly string[]];

const LINE = 10;
const VIA = "via:";
const PATH = "path:";

/**
 * A message as the engine keeps it: channel, event, sender, flags and data, each on a line of its own. None of them has
 * a line break. After the flags there may be words: the place in a trace, `via:` and how it came, `path:` and its hubs.
 */
export function recordOf({ channel, event, sender, via, verified, traceparent, path, quiet, data }: Draft): string {
  let flags = `${via === "tool" ? "t" : ""}${verified ? "v" : ""}${quiet ? "q" : ""}`;
  if (traceparent !== undefined) flags += ` ${traceparent}`;
  if (via !== undefined && via !== "tool") flags += ` ${VIA}${via}`;
  if (path !== undefined) flags += ` ${PATH}${path}`;
  return `${channel}\n${event}\n${sender}\n${flags}\n${data}`;
}

/** Reads a record; throws if it is not one. */
function messageOf(record: string, offset: number, time: number): Message {
  const channelEnd = record.indexOf("\n");
  const eventEnd = record.indexOf("\n", channelEnd + 1);
  const senderEnd = record.indexOf("\n", eventEnd + 1);
  const flagsEnd = record.indexOf("\n", senderEnd + 1);
  if (channelEnd < 1 || eventEnd < 0 || senderEnd < 0 || flagsEnd < 0)
    throw new Error(`entry ${offset} is not a message`);
  const [flags = "", ...words] = record.slice(senderEnd + 1, flagsEnd).split(" ");
  return {
    channel: record.slice(0, channelEnd) as ChannelName,
    event: record.slice(channelEnd + 1, eventEnd),
    data: record.slice(flagsEnd + 1),
    sender: record.slice(eventEnd + 1, senderEnd),
    ...(flags.includes("t") ? { via: "tool" } : {}),
    ...(flags.includes("v") ? { verified: true } : {}),
    ...(flags.includes("q") ? { quiet: true } : {}),
    ...(words.length === 0 ? {} : origin(words)),
    offset,
    time,
  };
}

function origin(words: readonly string[]): Pick<Message, "traceparent" | "via" | "path"> {
  return Object.assign(
    {},
    ...words.map((word) => {
      if (word.startsWith(VIA)) return { via: word.slice(VIA.length) };
      return word.startsWith(PATH) ? { path: word.slice(PATH.length) } : { traceparent: word };
    }),
  );
}

/** The message of an entry of the stream. */
export function entryMessage([id, fields]: Entry): Message {
  return messageOf(fields[5] ?? "", Number.parseInt(id, 10), Number(fields[1]));
}

/**
 * Reads an announcement, `batch NODE NUMBER EPOCH BEFORE FLOOR TIME LENGTHS` and a line break before the records; returns
 * its first words if it is of another kind. The records of `own` are not read: the engine's answer brought them.
 */
export function announced(bytes: Buffer, own: string): Batch | readonly string[] {
  const end = bytes.indexOf(LINE);
  const words = bytes.toString("latin1", 0, end === -1 ? Math.min(bytes.length, 200) : end).split(" ");
  const [kind, node = "", , epoch = "", before = "", floor = "", time = "", lengths = ""] = words;
  if (kind !== "batch" || node === own) return words;
  const messages: Message[] = [];
  let [start, offset] = [end + 1, Number(before)];
  for (const length of lengths.split(",")) {
    const isEphemeral = length.startsWith("e");
    const stop = start + Number(isEphemeral ? length.slice(1) : length);
    if (!isEphemeral) offset++;
    const message = messageOf(bytes.toString("utf8", start, stop), offset, Number(time));
    messages.push(isEphemeral ? { ...message, ephemeral: true } : message);
    start = stop;
  }
  return { epoch, before: Number(before), floor: Number(floor), messages };
}

import type { Message } from "../core/message.ts";
import { isObject, keptJson } from "../protocol/json.ts";
import {
  faulty,
  PartBuffer,
  type Archive,
  type ArchivedChannel,
  type ArchiveHeader,
  type ArchivePart,
} from "./archive.ts";

/** Says in the first line what this is, and in which format. */
const NAME = "sse-mcp-server";
const FORMAT = 1;
/** What comes before the data of a message, which is the last of its record and stands there as it was published. */
const DATA = ',"data":';
const NEWLINE = 10;
const VIA = /^(?:tool|webhook|bridge:[a-z\d-]{1,64})$/;
/** Bytes of one line: more than the largest message, or the most runs, can take. */
const MAX_LINE = 64 * 1024 * 1024;
/** What JSON allows between its tokens, and no message has. */
const BREAKS = /[\t\r\n]/;

/** An archive as lines of JSON, in pieces: its header, its messages, its channels, and how many those were. */
export async function* ndjson({ header, parts }: Archive): AsyncGenerator<string> {
  yield `${JSON.stringify({ archive: NAME, format: FORMAT, ...header })}\n`;
  const end = { channels: 0, messages: 0 };
  for await (const { channels, messages } of parts) {
    end.channels += channels.length;
    end.messages += messages.length;
    yield messages.map(messageLine).join("") + channels.map((channel) => `${JSON.stringify(channel)}\n`).join("");
  }
  yield `${JSON.stringify({ end })}\n`;
}

/** Reads an archive from lines of JSON; throws `LOG_UNAVAILABLE`, at the end if it was cut short. */
export async function readNdjson(input: AsyncIterable<Uint8Array>): Promise<Archive> {
  const lines = linesOf(input);
  const first = await lines.next();
  if (first.done === true) throw faulty("it is empty; give what export has written");
  const { archive, format, ...header } = objectIn(first.value, "line 1");
  if (archive !== NAME) throw faulty("it does not begin with the header that export writes");
  if (format !== FORMAT) {
    throw faulty(`a newer sse-mcp-server wrote it (archive format ${String(format)}); use that version`);
  }
  const { runs, lost = [] } = header;
  if (!areObjects(runs) || !areObjects(lost)) throw faulty("its header needs runs and lost as arrays of objects");
  return { header: header as unknown as ArchiveHeader, parts: partsIn(lines) };
}

async function* partsIn(lines: AsyncGenerator<string>): AsyncGenerator<ArchivePart> {
  const buffer = new PartBuffer();
  const found = { channels: 0, messages: 0 };
  let number = 1;
  for await (const line of lines) {
    const place = `line ${++number}`;
    const record = recordIn(line, place);
    if ("offset" in record) {
      found.messages++;
      if (found.channels > 0) throw faulty(`${place} is a message after channels; give all messages first`);
      buffer.addMessage(messageIn(record, place));
    } else if ("channel" in record) {
      found.channels++;
      if (typeof record["channel"] !== "string") throw faulty(`${place}: channel is not a string`);
      buffer.addChannel(record as unknown as ArchivedChannel);
    } else if (isObject(record["end"])) {
      const { channels, messages } = record["end"];
      if (channels !== found.channels || messages !== found.messages) {
        throw faulty(
          `it has ${found.messages} messages in ${found.channels} channels, and its end tells of ${String(messages)} in ${String(channels)}: some are missing`,
        );
      }
      yield buffer.take();
      if ((await lines.next()).done !== true) throw faulty(`something follows its end, after ${place}`);
      return;
    } else throw faulty(`${place} is not a channel, a message or the end`);
    if (buffer.isFull) yield buffer.take();
  }
  throw faulty(`it was cut short after line ${number}: its last line, which says how much it has, is missing`);
}

function messageLine({
  offset,
  channel,
  event,
  sender,
  time,
  via,
  verified,
  traceparent,
  path,
  quiet,
  key,
  data,
}: Message): string {
  const head = JSON.stringify({ offset, channel, event, sender, time, via, verified, traceparent, path, quiet, key });
  return `${head.slice(0, -1)}${DATA}${BREAKS.test(data) ? JSON.stringify(exactJson(data)) : data}}\n`;
}

/** A record; of one that looks as `messageLine` writes it, the data is text that stays as it is. */
function recordIn(line: string, place: string): Readonly<Record<string, unknown>> {
  const split = line.indexOf(DATA);
  const text = line.slice(split + DATA.length, -1);
  if (split > 0 && line.endsWith("}") && !BREAKS.test(text)) {
    try {
      JSON.parse(text);
      return { ...(JSON.parse(`${line.slice(0, split)}}`) as object), data: new DataText(text) };
    } catch {
      // Another program wrote it, in another order.
    }
  }
  return objectIn(line, place);
}

class DataText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function messageIn(record: Readonly<Record<string, unknown>>, place: string): Message {
  const { offset, channel, event, sender, time, via, verified, traceparent, path, quiet, key, data } = record;
  if ([channel, event, sender, key ?? "", traceparent ?? "", path ?? ""].some((value) => typeof value !== "string")) {
    throw faulty(`${place}: channel, event, sender, key, traceparent and path are strings`);
  }
  if (
    (via !== undefined && !(typeof via === "string" && VIA.test(via))) ||
    [verified, quiet].some((flag) => flag !== undefined && flag !== true)
  ) {
    throw faulty(`${place}: via is tool, webhook or bridge:NAME, verified and quiet are true, or they are left out`);
  }
  if (typeof path === "string" && /[^!-~]/.test(path)) {
    throw faulty(`${place}: path has no spaces and line breaks`);
  }
  if (data === undefined) throw faulty(`${place}: a message has data`);
  const text = data instanceof DataText ? data.text : JSON.stringify(data);
  const given = { offset, channel, event, sender, time, via, verified, traceparent, path, quiet, key };
  return { ...given, data: text } as unknown as Message;
}

function areObjects(value: unknown): boolean {
  return Array.isArray(value) && value.every(isObject);
}

function objectIn(line: string, place: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = exactJson(line);
  } catch (cause) {
    throw faulty(`${place} is not JSON`, cause);
  }
  if (!isObject(value)) throw faulty(`${place} is not a JSON object`);
  return value;
}

/** JSON with every digit of its numbers; throws if it is not JSON. */
function exactJson(text: string): unknown {
  JSON.parse(text);
  return keptJson(text);
}

/** The lines of a text in UTF-8, without what ends them; blank ones are left out. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decoded = (bytes: Uint8Array): string => {
    try {
      return decoder.decode(bytes).trim();
    } catch (cause) {
      throw faulty("it is not UTF-8 text; if it is compressed, expand it first", cause);
    }
  };
  let begun: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      const rest = chunk.subarray(from, end);
      const line = decoded(begun.length === 0 ? rest : Buffer.concat([...begun, rest]));
      begun = [];
      length = 0;
      from = end + 1;
      if (line !== "") yield line;
    }
    begun.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > MAX_LINE) throw faulty(`it has a line of more than ${MAX_LINE} bytes`);
  }
  const last = decoded(Buffer.concat(begun));
  if (last !== "") yield last;
}

import { messageJson, type MessageFields } from "./message.ts";
import type { Signal } from "./signal.ts";
import { escapeLineBreaks } from "./text.ts";

/** An event as a parser of `text/event-stream` dispatches it. */
export interface SseEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
  /** The last id the stream gave, up to and with this event. */
  readonly id: string;
}

/** A comment without the empty line that ends an event: some parsers dispatch an empty event for that. */
export const HEARTBEAT = ": heartbeat\n";
const LINE_BREAK = /\r\n|\r|\n/;

/**
 * One event of `text/event-stream` (HTML, "Server-sent events"). `event` and `id` must be one line; every line break
 * in `data`, CR, LF or CRLF, becomes a new `data:` line, so nothing in it can look like a field.
 */
export function sseEvent({ id, event, data }: { id?: string | undefined; event: string; data: string }): string {
  const name = event === "message" ? "" : `event: ${event}\n`;
  const place = id === undefined ? "" : `id: ${id}\n`;
  const lines = data.includes("\n") || data.includes("\r") ? data.split(LINE_BREAK).join("\ndata: ") : data;
  return `${name}${place}data: ${lines}\n\n`;
}

/** JSON as an event whose data it is. */
export function sseMessage(json: string): string {
  return sseEvent({ event: "message", data: escapeLineBreaks(json) });
}

/** A message as an event whose data is the text published, or the JSON of another value. */
export function sseText(message: MessageFields, id: string | undefined): string {
  const { data } = message;
  return sseEvent({
    id,
    event: eventName(message),
    data: data.startsWith('"') ? (JSON.parse(data) as string) : escapeLineBreaks(data),
  });
}

/** A message as an event whose data is the whole message as JSON. */
export function sseJson(message: MessageFields, id: string | undefined): string {
  return sseEvent({ id, event: eventName(message), data: escapeLineBreaks(messageJson(message, id)) });
}

/** An older log may hold messages with the names of EventSource's own events, whose handlers they would call. */
function eventName({ event }: MessageFields): string {
  return event === "error" || event === "open" ? "message" : event;
}

/**
 * A signal as an event. A beat is a comment; one that is to move the reader's last id is an event that has an id and
 * nothing else, which the standard has dispatch nothing.
 */
export function sseSignal(signal: Signal): string {
  if (signal.kind === "beat") return signal.moves ? `id: ${signal.id}\n\n` : HEARTBEAT;
  if (signal.kind === "live")
    return sseEvent({ id: signal.id, event: "live", data: JSON.stringify({ id: signal.id }) });
  const { reason, after, resumed } = signal;
  return sseEvent({ id: resumed, event: "gap", data: escapeLineBreaks(JSON.stringify({ reason, after, resumed })) });
}

/** What a stream begins with: how long to wait before coming back (milliseconds), where it starts, and a comment. */
export function sseOpening(retry: number, id?: string): string {
  return id === undefined ? `retry: ${retry}\n: welcome\n` : `retry: ${retry}\nid: ${id}\n: welcome\n\n`;
}

/** A whole stream of nothing but how long to wait before coming back, and why; without an id, which would move the reader's. */
export function sseRetry(retry: number, why: string): string {
  return `retry: ${retry}\n: ${why.split(LINE_BREAK).join(" ")}\n`;
}

/** Characters of one event, and of one line, that a parser keeps unless it is told otherwise. */
const MOST = 32 * 1024 * 1024;
/** Characters of an unfinished line that are kept in pieces, before these are put together. */
const PIECES = 65_536;

/** An event or a line is longer than a parser keeps; the stream cannot be read on. */
export class SseTooLong extends Error {
  /** The id that the event has given itself so far. */
  readonly id: string | undefined;

  constructor(most: number, id: string | undefined) {
    super(`An event or a line of the stream is longer than ${most} characters`);
    this.id = id;
  }
}

/** Reads `text/event-stream` as it comes in, by the rules of the HTML standard. */
export class SseParser {
  /** The id of the last event that came whole; what to resume with. */
  lastId = "";
  /** Milliseconds to wait before coming back, where the stream said so. */
  retry: number | undefined;
  readonly #dispatch: (event: SseEvent) => void;
  readonly #most: number;
  /** The unfinished line: long parts of it, then short ones. */
  #parts: string[] = [];
  #pieces: string[] = [];
  #piecesLength = 0;
  #length = 0;
  #id: string | undefined;
  #begun = false;
  /** The last line ended with a CR, which may be half of a CRLF. */
  #afterCr = false;
  #event = "";
  #data: string[] = [];
  #dataLength = 0;

  /** `most`: characters of one event, and of one line. */
  constructor(dispatch: (event: SseEvent) => void, most: number = MOST) {
    this.#dispatch = dispatch;
    this.#most = most;
  }

  /** Begins a new connection: what the last one left unfinished is thrown away, its last id stays. */
  reset(): void {
    this.#whole("");
    this.#id = undefined;
    this.#begun = false;
    this.#afterCr = false;
    this.#event = "";
    this.#data = [];
    this.#dataLength = 0;
  }

  /** Throws `SseTooLong`. */
  feed(text: string): void {
    if (text === "") return;
    const isHalf = this.#afterCr && text.startsWith("\n");
    const hasMark = !this.#begun && text.startsWith("\uFEFF");
    this.#begun = true;
    this.#afterCr = text.endsWith("\r");
    const lines = (isHalf || hasMark ? text.slice(1) : text).split(LINE_BREAK);
    const rest = lines.pop() ?? "";
    for (const line of lines) this.#line(this.#whole(line));
    this.#keep(rest);
  }

  /** Keeps a part of a line; only what is new is ever searched, so that a long line costs no more than its length. */
  #keep(part: string): void {
    if (part === "") return;
    this.#length += part.length;
    this.#check(this.#length);
    this.#pieces.push(part);
    this.#piecesLength += part.length;
    if (this.#piecesLength < PIECES) return;
    this.#parts.push(this.#pieces.join(""));
    this.#pieces = [];
    this.#piecesLength = 0;
  }

  /** A line with all that came before of it. */
  #whole(end: string): string {
    if (this.#length === 0) return end;
    const line = [...this.#parts, ...this.#pieces, end].join("");
    this.#parts = [];
    this.#pieces = [];
    this.#piecesLength = 0;
    this.#length = 0;
    return line;
  }

  #check(length: number): void {
    if (length > this.#most) throw new SseTooLong(this.#most, this.#id);
  }

  #line(line: string): void {
    this.#check(line.length);
    if (line === "") this.#end();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#dataLength += line.length + 1;
      this.#check(this.#dataLength);
      this.#data.push(value);
    } else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
  }

  #end(): void {
    // Not before the event is whole: a connection that breaks inside it must bring it again.
    this.lastId = this.#id ?? this.lastId;
    this.#id = undefined;
    const event = this.#event === "" ? "message" : this.#event;
    const data = this.#data;
    this.#event = "";
    this.#data = [];
    this.#dataLength = 0;
    if (data.length > 0) this.#dispatch({ event, data: data.join("\n"), id: this.lastId });
  }
}

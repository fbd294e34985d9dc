import { createParser, type EventSourceParser } from "eventsource-parser";
import { messageJson, type MessageFields } from "./message.ts";
import type { Signal } from "./signal.ts";
import { escapeLineBreaks } from "./text.ts";

/** An event as a parser of `text/event-stream` dispatches it. */
export interface SseEvent {
  /** `message` if the stream names none. */
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

/** Characters of one event's data that a parser accepts unless it is given another limit. */
const MAX_EVENT = 32 * 1024 * 1024;
/** Characters that an unfinished event may have beside its data: its id, its name, and the names of these fields. */
const MAX_FIELDS = 1024;
/** Characters that the parser takes at once, so that what it holds is counted often enough. */
const SLICE = 65_536;

/** An event or a line is longer than a parser accepts; the stream cannot be read on. */
export class SseTooLong extends Error {
  /** The id that the event has given itself so far. */
  readonly id: string | undefined;

  constructor(most: number, id: string | undefined) {
    super(`An event or a line of the stream is longer than ${most} characters`);
    this.id = id;
  }
}

/** Reads `text/event-stream` as it comes in: eventsource-parser, with a limit that says which event exceeds it. */
export class SseParser {
  /** The id of the last event that came whole; what to resume with. */
  lastId = "";
  /** Milliseconds to wait before coming back, if the stream said so. */
  retry: number | undefined;
  readonly #parser: EventSourceParser;
  readonly #most: number;
  /** Characters since the parser last let go of something: at least what it holds of an unfinished event. */
  #held = 0;
  /** Set while an event that is too long is ended early, to learn its id. */
  #isCut = false;
  #cutId: string | undefined;

  /** `most`: characters of the data of one event, and of one line. */
  constructor(dispatch: (event: SseEvent) => void, most: number = MAX_EVENT) {
    this.#most = most;
    const begin = (): void => {
      this.#held = 0;
    };
    this.#parser = createParser({
      onComment: begin,
      onRetry: (milliseconds) => {
        begin();
        this.retry = milliseconds;
      },
      onId: (id) => {
        begin();
        if (this.#isCut) this.#cutId = id;
        else this.lastId = id;
      },
      onEvent: ({ id, event = "message", data }) => {
        begin();
        if (this.#isCut) return;
        if (data.length > most) throw new SseTooLong(most, id);
        dispatch({ event, data, id: this.lastId });
      },
      // Reached only by an event between whose lines there are comments, after each of which `#held` begins again.
      maxBufferSize: 2 * (most + MAX_FIELDS + SLICE),
      onError: ({ type }) => {
        if (type === "max-buffer-size-exceeded") throw new SseTooLong(most, undefined);
      },
    });
  }

  /** Throws `SseTooLong`. */
  feed(text: string): void {
    for (let from = 0; from < text.length; from += SLICE) {
      const slice = text.slice(from, from + SLICE);
      this.#held += slice.length;
      this.#parser.feed(slice);
      if (this.#held > this.#most + MAX_FIELDS) throw new SseTooLong(this.#most, this.#idSoFar());
    }
  }

  /** Ends the event early. An id that is not whole yet is none: by the standard one that holds NUL is ignored. */
  #idSoFar(): string | undefined {
    this.#isCut = true;
    this.#parser.feed("\0\n\n");
    return this.#cutId;
  }
}

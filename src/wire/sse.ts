import { messageJson, type WireMessage } from "./message.ts";

/** What a signal tells a reader; the `Signal` of the core. */
export type WireSignal =
  | { readonly kind: "live"; readonly id: string }
  | { readonly kind: "beat"; readonly id: string }
  | { readonly kind: "gap"; readonly reason: string; readonly after: string; readonly resumed: string };

/** An event as a parser of `text/event-stream` dispatches it. */
export interface SseEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
  /** The last id the stream gave, up to and with this event. */
  readonly id: string;
}

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

/** A message as an event whose data is the text published, or the JSON of another value. */
export function sseText(message: WireMessage): string {
  const { id, event, data } = message;
  return sseEvent({ id, event, data: data.startsWith('"') ? (JSON.parse(data) as string) : data });
}

/** A message as an event whose data is the whole message as JSON. */
export function sseJson(message: WireMessage): string {
  return sseEvent({ id: message.id, event: message.event, data: messageJson(message) });
}

/** A signal as an event; a beat has an id and nothing else, so it moves the reader's last id and dispatches nothing. */
export function sseSignal(signal: WireSignal): string {
  if (signal.kind === "beat") return `id: ${signal.id}\n\n`;
  if (signal.kind === "live")
    return sseEvent({ id: signal.id, event: "live", data: JSON.stringify({ id: signal.id }) });
  const { reason, after, resumed } = signal;
  return sseEvent({ id: resumed, event: "gap", data: JSON.stringify({ reason, after, resumed }) });
}

/** What a stream begins with: how long to wait before coming back (milliseconds), where it starts, and a comment. */
export function sseOpening(retry: number, id?: string): string {
  return `retry: ${retry}\n${id === undefined ? "" : `id: ${id}\n`}: welcome\n\n`;
}

/** Reads `text/event-stream` as it comes in, by the rules of the HTML standard. */
export class SseParser {
  /** The id of the last event that came whole; what to resume with. */
  lastId = "";
  /** Milliseconds to wait before coming back, where the stream said so. */
  retry: number | undefined;
  readonly #dispatch: (event: SseEvent) => void;
  #rest = "";
  #id: string | undefined;
  #begun = false;
  #event = "";
  #data: string[] = [];

  constructor(dispatch: (event: SseEvent) => void) {
    this.#dispatch = dispatch;
  }

  /** Begins a new connection: what the last one left unfinished is thrown away, its last id stays. */
  reset(): void {
    this.#rest = "";
    this.#id = undefined;
    this.#begun = false;
    this.#event = "";
    this.#data = [];
  }

  feed(text: string): void {
    const all = this.#rest + (this.#begun ? text : text.replace(/^\uFEFF/, ""));
    this.#begun ||= text !== "";
    // A CR at the very end may be half of a CRLF.
    const end = all.endsWith("\r") ? all.length - 1 : all.length;
    const lines = all.slice(0, end).split(LINE_BREAK);
    this.#rest = (lines.pop() ?? "") + all.slice(end);
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === "") this.#end();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
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
    if (data.length > 0) this.#dispatch({ event, data: data.join("\n"), id: this.lastId });
  }
}

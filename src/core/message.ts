import type { ChannelName } from "../protocol/channel.ts";
import type { Via } from "../protocol/message.ts";
import { HubError } from "./errors.ts";

/** A message that the log has not accepted yet. Made by `draft`. */
export interface Draft {
  readonly channel: ChannelName;
  /** The event type for `EventSource`: one line, at most 64 characters, `message` by default. */
  readonly event: string;
  /** The payload as JSON text on one line: the two ends parse it, the hub does not. */
  readonly data: string;
  /** The name the sender gave: one line, at most 128 characters; not verified. */
  readonly sender: string;
  readonly via?: Via;
  /** Set if the sender is the name of the credential it is published with. */
  readonly verified?: true;
  /** Delivered to live readers only: not kept, and without an id. */
  readonly ephemeral?: boolean;
  /** The idempotency key: publishing with the same key on the same channel again returns the first message. */
  readonly key?: string;
  /**
   * The place of its publication in a trace (W3C Trace Context), under which its deliveries are traced; set by the server
   * if it traces. Readers are not given it.
   */
  readonly traceparent?: string;
  /**
   * The ids of the hubs that it came through before this one, separated by commas, if a bridge brought it: a bridge does
   * not take a message that was in its hub before. Readers are not given it.
   */
  readonly path?: string;
  /**
   * Set if it does not end the wait of an agent by itself: the agent gets it with the next message that does. Readers are
   * not given it.
   */
  readonly quiet?: true;
  /** The hub's number for this publication, by which it recognizes it when the log delivers it; not kept. */
  readonly publication?: number;
}

/** A draft that its maker may still add to. */
export type NewDraft = { -readonly [Field in keyof Draft]: Draft[Field] };

/** One published item. */
export interface Message extends Draft {
  /** Its place in the one order of all channels; an ephemeral message has that of the message before it. */
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** What a publisher is told. */
export interface Published {
  /** Undefined for an ephemeral message. */
  readonly id: string | undefined;
  readonly message: Message;
  /** Live readers it was offered to. */
  readonly receivers: number;
  /** True if its key was used before: the message is the one kept then. */
  readonly repeated: boolean;
}

/** What a caller passes to publish; checked by `draft`. */
export interface DraftInput {
  readonly channel: ChannelName;
  /** Any JSON value; a number with more digits than a double holds as `JSON.rawJSON`. */
  readonly data: unknown;
  readonly event?: string | undefined;
  readonly sender?: string | undefined;
  readonly via?: Via | undefined;
  readonly verified?: true | undefined;
  readonly ephemeral?: boolean | undefined;
  readonly key?: string | undefined;
}

/** How messages look to one kind of reader. One object per kind: readers that share it share the bytes. */
export interface Format {
  /** `id` is undefined for an ephemeral message. */
  encode(message: Message, id: string | undefined): Uint8Array;
  /** Set if readers are only notified that something was published: they do not count as receivers. */
  readonly silent?: true;
  join(parts: readonly Uint8Array[]): Uint8Array;
  /** Compresses what goes out together, one message or several joined. */
  compress?(bytes: Uint8Array): Uint8Array;
}

/** The delivery of a message to the live readers of this node, if it is traced. */
export interface Delivery {
  /** It was offered to so many groups of readers, and to so many readers that count. */
  offered(groups: number, receivers: number): void;
  /** All readers of one group have it, or are gone. */
  given(): void;
}

/** A message on its way to readers: encoded once per format, however many there are. */
export class Envelope {
  readonly message: Message;
  /** When this hub appended it, in milliseconds of `performance.now()`. */
  readonly since: number | undefined;
  readonly id: string | undefined;
  /** Set if its delivery is traced. */
  delivery: Delivery | undefined;
  readonly #encoded: [Format, Uint8Array][] = [];

  constructor(message: Message, id: string | undefined, since?: number) {
    this.message = message;
    this.since = since;
    this.id = id;
  }

  encodedBy(format: Format): Uint8Array {
    for (const [known, bytes] of this.#encoded) if (known === format) return bytes;
    const bytes = format.encode(this.message, this.id);
    this.#encoded.push([format, bytes]);
    return bytes;
  }
}

/** Event names that no message may have, with what they mean to a reader. */
export const RESERVED_EVENTS: ReadonlyMap<string, string> = new Map([
  ["live", "one of the server's own signals"],
  ["gap", "one of the server's own signals"],
  // Clients of MCP over HTTP+SSE would send their requests to the address that this event names.
  ["endpoint", "an order to MCP clients"],
  // EventSource dispatches its own events under these names, so a message would call the same handlers.
  ["error", "an event of EventSource itself"],
  ["open", "an event of EventSource itself"],
]);
/** Levels of arrays and objects in data: parsing and writing JSON recurses for each. */
export const MAX_DATA_DEPTH = 100;
/** Characters of an event name. */
export const MAX_EVENT = 64;
/** Characters of a sender. */
export const MAX_SENDER = 128;
/** What nearly all senders are called. */
const PLAIN_NAME = /^[\w.-]{1,64}$/;
/** Characters of an idempotency key. */
export const MAX_KEY = 255;
// eslint-disable-next-line no-control-regex -- it must match control characters
const NOT_ONE_LINE = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;
const utf8 = new TextEncoder();

/**
 * Checks a message to publish. `maxBytes` bounds the payload: the UTF-8 bytes of a string, or of the JSON of another
 * value. Throws `INVALID_MESSAGE` or `MESSAGE_TOO_LARGE`, naming the field.
 */
export function draft(input: DraftInput, maxBytes: number): NewDraft {
  const event = checkedLine("event", input.event ?? "message", MAX_EVENT);
  if (event === "") throw new HubError("INVALID_MESSAGE", "event is empty; leave it out, or give a name such as order");
  const meaning = RESERVED_EVENTS.get(event);
  if (meaning !== undefined) {
    throw new HubError("INVALID_MESSAGE", `event ${event} is ${meaning}; use another name`);
  }
  const sender = checkedLine("sender", input.sender ?? "anyone", MAX_SENDER);
  checkData(input.data, MAX_DATA_DEPTH);
  const data = JSON.stringify(input.data);
  if (data === undefined) throw new HubError("INVALID_MESSAGE", "data is missing; give any JSON value");
  const text = typeof input.data === "string" ? input.data : data;
  const bytes = text.length * 3 <= maxBytes ? 0 : utf8.encode(text).length;
  if (bytes > maxBytes) {
    throw new HubError("MESSAGE_TOO_LARGE", `data has ${bytes} bytes; at most ${maxBytes} are allowed`);
  }
  if (data.includes("\\ud") && LONE_SURROGATE.test(data)) {
    throw new HubError("INVALID_MESSAGE", "data holds half a surrogate pair, which no UTF-8 text can carry");
  }
  const made: NewDraft = { channel: input.channel, event, data, sender };
  if (input.via !== undefined) made.via = input.via;
  if (input.verified) made.verified = true;
  if (input.ephemeral) made.ephemeral = true;
  if (input.key !== undefined) made.key = checkedKey(input.key);
  return made;
}

/** A name that came from elsewhere as a sender: on one line and shortened to what that may be; undefined if nothing is left. */
export function senderName(name: string): string | undefined {
  if (PLAIN_NAME.test(name)) return name;
  const text = name.slice(0, 4 * MAX_SENDER).replaceAll(/[\p{C}\p{Z}]+/gu, " ");
  return text.trim().slice(0, MAX_SENDER).toWellFormed().trim() || undefined;
}

// JSON.stringify escapes only a lone surrogate as \udXXX with a backslash that is not escaped itself.
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

function checkData(value: unknown, levels: number): void {
  // JSON.stringify would turn it into null.
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new HubError("INVALID_MESSAGE", `data holds ${value}, which JSON has no number for; send it as a string`);
  }
  if (typeof value !== "object" || value === null || JSON.isRawJSON(value)) return;
  if (levels === 0) {
    throw new HubError("INVALID_MESSAGE", `data is nested deeper than ${MAX_DATA_DEPTH} levels; flatten it`);
  }
  for (const inner of Object.values(value)) checkData(inner, levels - 1);
}

/** Text that is one line; throws `INVALID_MESSAGE`, naming the field. */
export function checkedLine(field: string, text: string, max: number): string {
  if (text.length > max) {
    throw new HubError("INVALID_MESSAGE", `${field} has ${text.length} characters; at most ${max} are allowed`);
  }
  if (NOT_ONE_LINE.test(text) || !text.isWellFormed()) {
    throw new HubError("INVALID_MESSAGE", `${field} must be one line of text without control characters`);
  }
  return text;
}

function checkedKey(key: string): string {
  if (key === "") throw new HubError("INVALID_MESSAGE", "the idempotency key is empty; leave it out or give one");
  return checkedLine("the idempotency key", key, MAX_KEY);
}

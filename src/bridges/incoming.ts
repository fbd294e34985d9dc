import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { channelName } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import { hubPath, isLoop } from "../core/hub-path.ts";
import { draft, MAX_KEY, type Draft, type NewDraft } from "../core/message.ts";
import { keptJson } from "../protocol/json.ts";
import type { BusMessage, Received } from "./bus.ts";
import { cloudEventIn, isJson, MESSAGE_TYPE, type CloudEvent } from "./cloud-events.ts";
import type { InRule } from "./rules.ts";
import { isTemplate, render, type TemplateValues } from "./template.ts";

/** What `draftOf` has to know of the bridge. */
export interface Origin {
  readonly bridge: string;
  /** The kind of its bus, and which of its rules this is: both are part of idempotency keys. */
  readonly kind: string;
  readonly rule: number;
  readonly prefixes: readonly string[];
  /** The id of this hub. */
  readonly hub: string;
  /** Bytes of a message at most. */
  readonly maxBytes: number;
}

/** Why a message is not published, although nothing is wrong with it. */
export type Skipped = "tombstone" | "loop";

/** Characters of one name or value, and of an error, that a dead letter shows; and how many names and values. */
const [MAX_BRIEF, MAX_ERROR, MAX_SHOWN] = [100, 500, 20];
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Characters that no word of a channel has. */
const NOT_IN_CHANNEL = /[^A-Za-z0-9_.-]+/g;

/**
 * The draft of a message that came over a bridge. Throws a `HubError`, or an error with a sentence, if the hub can never
 * take it.
 */
export function draftOf(received: Received, rule: InRule, origin: Origin): NewDraft | Skipped {
  const event = cloudEventIn(received, origin.prefixes);
  const path = hubPath(event?.attributes["hubpath"]);
  if (isLoop(path, origin.hub)) return "loop";
  const { body } = event ?? received;
  if (body === undefined && event === undefined) return "tombstone";
  let values: TemplateValues | undefined;
  const fill = (field: "channel" | "event" | "sender"): string | undefined => {
    const text = rule[field];
    if (text === undefined || !isTemplate(text)) return text;
    return render(text, (values ??= valuesFor(received, event)));
  };
  const channel = fill("channel");
  if (channel === undefined) throw new Error(`it has no value for a placeholder of its channel, ${rule.channel}`);
  const made = draft(
    {
      channel: channelName(rule.sanitize ? channel.replaceAll(NOT_IN_CHANNEL, "-") : channel),
      data: dataOf(event ?? received, rule.encoding),
      event: fill("event") ?? eventOf(event),
      sender: fill("sender") ?? origin.bridge,
      via: `bridge:${origin.bridge}`,
    },
    origin.maxBytes,
  );
  const key = keyOf(received, event, origin);
  if (key !== undefined) made.key = key;
  if (path.length > 0) made.path = path.join(",");
  return made;
}

/**
 * The idempotency key: its place on the bus, or else the source and id of its CloudEvent. No client can use the same
 * one, as theirs have no line break before the name.
 */
function keyOf({ position }: Received, event: CloudEvent | undefined, origin: Origin): string | undefined {
  const { id, source } = event?.attributes ?? {};
  const named = id === undefined ? undefined : `ce ${JSON.stringify([source ?? "", id])}`;
  const place = position === undefined ? named : `${origin.kind} ${position}`;
  if (place === undefined) return undefined;
  const prefix = `bridge:${origin.bridge}${origin.rule === 0 ? "" : `#${origin.rule}`}\n`;
  const isPlain = prefix.length + place.length <= MAX_KEY && /^[ -~]*$/.test(place);
  return prefix + (isPlain ? place : createHash("sha256").update(place).digest("hex"));
}

function valuesFor({ names, headers, key }: Received, event: CloudEvent | undefined): TemplateValues {
  return { ...names, key, header: (name) => headers[name], ce: (name) => event?.attributes[name.toLowerCase()] };
}

function eventOf(event: CloudEvent | undefined): string | undefined {
  const type = event?.attributes["type"];
  return type === MESSAGE_TYPE ? undefined : type;
}

/** The payload as the data of a message. Throws an `Error` that says why if it cannot be read as the rule wants it. */
function dataOf(
  { body = new Uint8Array(), contentType }: Pick<BusMessage, "body" | "contentType">,
  encoding: InRule["encoding"],
): unknown {
  if (encoding === "base64") return Buffer.from(body).toString("base64");
  let text: string;
  try {
    text = utf8.decode(body);
  } catch (cause) {
    throw new Error("its payload is not UTF-8 text; encoding base64 takes any bytes", { cause });
  }
  const looksLikeJson = isJson(contentType) || (contentType === undefined && /^\s*[[{]/.test(text));
  if (encoding === "text" || (encoding === "auto" && !looksLikeJson)) return text;
  try {
    return keptJson(text);
  } catch (cause) {
    if (encoding === "auto") return text;
    throw new Error("its payload is not JSON", { cause });
  }
}

/**
 * The key of a draft whose own key made another message: an id on a bus is what its publisher says, and one who uses an id
 * again must not make messages disappear.
 */
export function otherKey({ key = "", event, data }: Draft): string {
  const digest = createHash("sha256").update(`${key}\n${event}\n${data}`).digest("hex");
  return `${key.slice(0, key.indexOf("\n"))}\nother ${digest}`;
}

/**
 * What a dead-letter channel is told of a message: where it was, what was wrong, and what it held, in `maxBytes` of JSON,
 * whatever is in it.
 */
export function deadLetter(received: Received, error: Error, maxBytes: number): Record<string, unknown> {
  const { body, headers, names, position, key, contentType } = received;
  const bytes = Buffer.from(body ?? []);
  const isText = isUtf8(bytes);
  const about = {
    error: (error instanceof HubError ? `${error.code}: ${error.message}` : error.message).slice(0, MAX_ERROR),
    position: position === undefined ? null : brief(position),
    key: key === undefined ? null : brief(key),
    contentType: contentType === undefined ? null : brief(contentType),
    names: briefly(names),
    headers: briefly(headers),
  };
  for (let room = maxBytes; ; room = Math.floor(room / 2)) {
    const held = bytes.subarray(0, room);
    const letter = {
      ...about,
      ...(isText ? { text: held.toString().toWellFormed() } : { base64: held.toString("base64") }),
      ...(bytes.length > room ? { bytes: bytes.length } : {}),
    };
    // A control character has six bytes in JSON.
    if (room === 0 || Buffer.byteLength(JSON.stringify(letter)) <= maxBytes) return letter;
  }
}

/** The first of some names and values, shortened. */
function briefly(values: Readonly<Record<string, string>>): Record<string, string> {
  const some = Object.entries(values).slice(0, MAX_SHOWN);
  return Object.fromEntries(some.map(([name, value]) => [brief(name), brief(value)]));
}

function brief(text: string): string {
  return text.length > MAX_BRIEF ? `${text.slice(0, MAX_BRIEF).toWellFormed()}…` : text;
}

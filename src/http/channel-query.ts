import { isReaderId } from "../protocol/participant.ts";
import { channelPattern } from "../core/channel.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import { HubError } from "../core/errors.ts";
import { quoted } from "../protocol/text.ts";

const DEFAULT = channelPattern("default");

/**
 * The channels that `?channel=` asks for, given more than once or separated by commas; `default` without it, none
 * if it is empty. Throws `INVALID_PATTERN` or `TOO_MANY_CHANNELS`.
 */
export function requestedChannels(query: URLSearchParams, most: number): readonly ChannelPattern[] {
  const given = query.getAll("channel");
  if (given.length === 0) return [DEFAULT];
  const words = given.flatMap((value) => (value === "" ? [] : value.split(",")));
  return checkedChannels(words, most);
}

/** Channels and patterns from outside, each once; `known` are counted with them. Throws `INVALID_PATTERN` or `TOO_MANY_CHANNELS`. */
export function checkedChannels(
  words: readonly string[],
  most: number,
  known: readonly ChannelPattern[] = [],
): readonly ChannelPattern[] {
  if (words.length > most) {
    throw new HubError("TOO_MANY_CHANNELS", `${words.length} channels are asked for; at most ${most} are allowed`);
  }
  const channels = [...new Set(words.map(channelPattern))];
  const all = new Set([...known, ...channels]).size;
  if (all <= most) return channels;
  throw new HubError("TOO_MANY_CHANNELS", `This reader would have ${all} channels; at most ${most} are allowed`);
}

/** Whether `?watch=` asks to look on without counting as a reader. Throws `INVALID_INPUT` for anything but true and false. */
export function requestedWatch(query: URLSearchParams): boolean {
  const given = query.get("watch") ?? "";
  if (!["", "true", "false"].includes(given)) {
    throw new HubError("INVALID_INPUT", `watch is ${quoted(given.slice(0, MAX_SHOWN))}; use true or false`);
  }
  return given === "true";
}

/** The id that `?reader=` gives, by which announcements name the reader. Throws `INVALID_INPUT`. */
export function requestedReader(query: URLSearchParams): string | undefined {
  const given = query.get("reader") ?? "";
  if (given === "") return undefined;
  const isId: boolean = isReaderId(given);
  if (isId) return given;
  const sentence = `reader is ${quoted(given.slice(0, MAX_SHOWN))}; use 1 to 64 letters, digits, _ and -`;
  throw new HubError("INVALID_INPUT", sentence);
}

/**
 * The query of a request's URL. Throws `INVALID_INPUT` for a parameter that is read here and is not percent-encoded
 * UTF-8: it would become other text.
 */
export function queryOf(url: string, isRead: (name: string) => boolean = () => true): URLSearchParams {
  const start = url.indexOf("?");
  const text = start === -1 ? "" : url.slice(start + 1);
  for (const pair of text.includes("%") ? text.split("&") : []) {
    if (isEncoded(pair)) continue;
    const [name = ""] = new URLSearchParams(pair).keys();
    if (!isRead(name)) continue;
    const shown = quoted(name.slice(0, MAX_SHOWN));
    throw new HubError("INVALID_INPUT", `The parameter ${shown} is not percent-encoded UTF-8`);
  }
  return new URLSearchParams(text);
}

/** The query of a stream, which ignores what it does not know. */
export function streamQuery(url: string): URLSearchParams {
  return queryOf(
    url,
    (name) => ["channel", "format", "id_events", "watch", "reader"].includes(name) || resemblesCursor(name),
  );
}

function isEncoded(pair: string): boolean {
  try {
    decodeURIComponent(pair);
    return true;
  } catch {
    return false;
  }
}

/**
 * The cursor that a stream is asked to resume from: the Last-Event-ID header, which a client that comes back sends
 * beside the address it began with, or else the last of the parameters that mean the same. Empty ones do not count.
 * Throws `INVALID_INPUT` for a parameter that resembles these but is not one of them.
 */
export function requestedCursor(header: string | undefined, query: URLSearchParams): string | undefined {
  let cursor: string | undefined;
  for (const [name, value] of query) {
    if (!resemblesCursor(name)) continue;
    const shown = quoted(name.slice(0, MAX_SHOWN));
    if (query.getAll(name).length > 1) throw new HubError("INVALID_INPUT", `The parameter ${shown} is given twice`);
    if (CURSORS.has(plain(name))) cursor = value || cursor;
    else {
      throw new HubError(
        "INVALID_INPUT",
        `The parameter ${shown} is not known here; a stream resumes with last_event_id`,
      );
    }
  }
  return header || cursor;
}

/** Whether the name of a parameter resembles a cursor: what other servers call it, or a misspelling. */
export function resemblesCursor(name: string): boolean {
  return RESEMBLING.test(plain(name));
}

const MAX_SHOWN = 64;
/** `last_event_id`, `lastEventId`, `Last-Event-ID` and the like; with `evs` from a polyfill. */
const CURSORS: ReadonlySet<string> = new Set(["lasteventid", "evslasteventid"]);
const RESEMBLING =
  /^last.*(?:id|event|cursor|seq|offset)|lastid|event(?:id|no|number)|(?:msg|message)id|cursor|resum|replay|since|offset|^(?:after|before|earliest|from|latest|position|prev|previous|seq|sequence|start|until)(?:id|at|from)?$/s;

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, "");
}

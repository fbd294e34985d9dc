import { HubError } from "./errors.ts";

declare const checked: unique symbol;

/** Words of `[A-Za-z0-9_-]` joined by dots, at most 128 characters. Made only by `channelName` and `serverChannel`. */
export type ChannelName = string & { readonly [checked]: "name" };

/** A channel name, a prefix such as `orders.*`, or `*`. Made only by `channelPattern`. */
export type ChannelPattern = string & { readonly [checked]: "pattern" | "name" };

/** Every channel but the server's own. */
export const EVERYTHING: ChannelPattern = "*" as ChannelPattern;

/** What the server does, once a second, for as long as somebody reads it. */
export const STATS_CHANNEL: ChannelName = serverChannel("stats");
/** What the server logs. */
export const LOGS_CHANNEL: ChannelName = serverChannel("logs");

const READABLE: ReadonlySet<string> = new Set([STATS_CHANNEL, LOGS_CHANNEL]);
/** With the name of a channel after it: where its readers tell each other that they are there. */
const PRESENCE = "hub.presence.";
const NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
/** Characters of a name, or of a pattern. */
export const MAX_NAME = 128;

/** Checks a channel name that came from outside; throws `INVALID_CHANNEL`, naming the rule it breaks. */
export function channelName(text: string): ChannelName {
  const broken = brokenRule(text);
  if (broken !== undefined) throw new HubError("INVALID_CHANNEL", `Not a channel: ${shown(text)}: ${broken}`);
  return text as ChannelName;
}

/**
 * Checks the name of a channel to publish on. Of the server's own, `hub.presence.{channel}` takes ephemeral
 * messages; throws `INVALID_MESSAGE` for any other, and `INVALID_CHANNEL` as `channelName` does.
 */
export function channelToPublish(text: string, ephemeral: boolean | undefined): ChannelName {
  if (!isPresenceChannel(text)) return channelName(text);
  if (ephemeral === true) return text as ChannelName;
  throw new HubError("INVALID_MESSAGE", `${PRESENCE}* takes only ephemeral messages; set ephemeral to true`);
}

/** Checks a pattern that came from outside; throws `INVALID_PATTERN`, naming the rule it breaks. */
export function channelPattern(text: string): ChannelPattern {
  if (text === "*") return EVERYTHING;
  // The server's own channels are read like any other, each by its name.
  if (READABLE.has(text) || isPresenceChannel(text)) return text as ChannelPattern;
  const name = text.endsWith(".*") ? text.slice(0, -2) : text;
  const broken = brokenRule(name, text.length);
  if (broken !== undefined) {
    const misplaced = name.includes("*") || text === ".*";
    const wider = isServerChannel(name) ? `${broken}; to read there are ${[...READABLE].join(" and ")}` : broken;
    const presenceRule =
      text.startsWith(PRESENCE) && `after ${PRESENCE} comes the name of one channel, such as orders.eu`;
    const rule = presenceRule || (misplaced ? "* stands alone or ends a pattern after a dot, such as orders.*" : wider);
    throw new HubError("INVALID_PATTERN", `Not a channel or pattern: ${shown(text)}: ${rule}`);
  }
  return text as ChannelPattern;
}

/** A channel of the server's own, under `hub.`; nothing from outside can name it. */
export function serverChannel(word: string): ChannelName {
  return `hub.${word}` as ChannelName;
}

/** Whether every channel that `inner` names is one that `outer` names; a channel is a pattern that names itself. */
export function covers(outer: ChannelPattern, inner: ChannelPattern): boolean {
  if (outer === inner) return true;
  if (!outer.endsWith("*")) return false;
  return outer === EVERYTHING ? !isServerChannel(inner) : inner.startsWith(outer.slice(0, -1));
}

/** These patterns without those that another of them covers, in byte order: a channel is named by one of them at most. */
export function uncovered(patterns: Iterable<ChannelPattern>): readonly ChannelPattern[] {
  const kept: ChannelPattern[] = [];
  // A * comes before all that a name may hold, so a prefix stands right before what it covers.
  for (const pattern of [...patterns].sort()) {
    const [first] = kept;
    const last = kept.at(-1);
    if (first !== undefined && covers(first, pattern)) continue;
    if (last === undefined || !covers(last, pattern)) kept.push(pattern);
  }
  return kept;
}

/** Whether one of these patterns covers a channel; they are what `uncovered` makes of them. */
export function isCovered(patterns: readonly ChannelPattern[], channel: ChannelName): boolean {
  const [first] = patterns;
  if (first !== undefined && covers(first, channel)) return true;
  let low = 0;
  for (let high = patterns.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((patterns[middle] as string) <= channel) low = middle + 1;
    else high = middle;
  }
  const nearest = patterns[low - 1];
  return nearest !== undefined && covers(nearest, channel);
}

/** The patterns that could cover this channel: itself, each prefix of its words, and `*`. */
export function patternsOver(channel: ChannelName): ChannelPattern[] {
  const patterns: ChannelPattern[] = isServerChannel(channel) ? [channel] : [channel, EVERYTHING];
  for (let dot = channel.indexOf("."); dot !== -1; dot = channel.indexOf(".", dot + 1)) {
    patterns.push(`${channel.slice(0, dot + 1)}*` as ChannelPattern);
  }
  return patterns;
}

/** Whether it is one of the server's own, which only its exact name covers. */
export function isServerChannel(channel: string): boolean {
  return channel === "hub" || channel.startsWith("hub.");
}

function isPresenceChannel(text: string): boolean {
  return text.startsWith(PRESENCE) && brokenRule(text.slice(PRESENCE.length)) === undefined;
}

function brokenRule(name: string, length = name.length): string | undefined {
  if (name === "") return "it is empty; use words joined by dots, such as orders.eu";
  if (length > MAX_NAME) return `it has ${length} characters; at most ${MAX_NAME} are allowed`;
  if (!NAME.test(name)) return "use words of letters, digits, _ and - joined by dots, such as orders.eu";
  if (isServerChannel(name)) return "hub and hub.* are reserved for the server's own messages; use another first word";
  return undefined;
}

/** A text that a caller sent, or its beginning, safe to name in a sentence. */
export function shown(text: string): string {
  const some = text.length > MAX_NAME ? `${text.slice(0, 32)}…` : text;
  return JSON.stringify(some.replaceAll(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u007f-\u009f]/gu, "\ufffd"));
}

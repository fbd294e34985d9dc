declare const checked: unique symbol;

/** Words of `[A-Za-z0-9_-]` joined by dots, at most 128 characters. Made only by `channelName` of the core and `serverChannel`. */
export type ChannelName = string & { readonly [checked]: "name" };

/** A channel name, a prefix such as `orders.*`, or `*`. Made only by `channelPattern` of the core. */
export type ChannelPattern = string & { readonly [checked]: "pattern" | "name" };

/** Every channel but the server's own. */
export const EVERYTHING: ChannelPattern = "*" as ChannelPattern;

/** What the server does, once a second, while someone reads it. */
export const STATS_CHANNEL: ChannelName = serverChannel("stats");
/** What the server logs. */
export const LOGS_CHANNEL: ChannelName = serverChannel("logs");
/** What was done to credentials, and which were refused. */
export const AUDIT_CHANNEL: ChannelName = serverChannel("audit");
/** What became of webhooks. */
export const HOOKS_CHANNEL: ChannelName = serverChannel("hooks");
/** How the bridges do, once a second, while someone reads it. */
export const BRIDGES_CHANNEL: ChannelName = serverChannel("bridges");
/** Who is here, whenever that changes, while someone reads it. */
export const PRESENCE_CHANNEL: ChannelName = serverChannel("presence");

const READABLE: ReadonlySet<string> = new Set([
  STATS_CHANNEL,
  LOGS_CHANNEL,
  AUDIT_CHANNEL,
  HOOKS_CHANNEL,
  BRIDGES_CHANNEL,
  PRESENCE_CHANNEL,
]);
/** Followed by the name of a channel: where its readers announce their presence. */
export const PRESENCE = "hub.presence.";
const NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
/** Characters of a name, or of a pattern. */
export const MAX_NAME = 128;

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

/** Whether its messages concern one node: they stay on it. */
export function isOfNode(channel: ChannelName): boolean {
  return READABLE.has(channel);
}

/** Whether it is `hub.presence.{channel}`, where the readers of a channel announce their presence. */
export function isPresenceChannel(text: string): boolean {
  return text.startsWith(PRESENCE) && nameProblem(text.slice(PRESENCE.length)) === undefined;
}

/** Whether it has the form of a name, whatever its length and whoever may use it. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** The rule that a channel or pattern to read breaks, as the end of a sentence; undefined if it is one. */
export function patternProblem(text: string): string | undefined {
  // The server's own channels are read like any other, each by its name.
  if (text === EVERYTHING || READABLE.has(text) || isPresenceChannel(text)) return undefined;
  const name = text.endsWith(".*") ? text.slice(0, -2) : text;
  const problem = nameProblem(name, text.length);
  if (problem === undefined) return undefined;
  if (text.startsWith(PRESENCE)) return `after ${PRESENCE} comes the name of one channel, such as orders.eu`;
  if (name.includes("*") || text === ".*") return "* stands alone or ends a pattern after a dot, such as orders.*";
  return isServerChannel(name)
    ? `${problem}; to read there are ${[...READABLE].join(", ").replace(/, (?=[^,]*$)/, " and ")}`
    : problem;
}

/** The rule that a channel name from outside breaks, as the end of a sentence; undefined if it is one. */
export function nameProblem(name: string, length: number = name.length): string | undefined {
  if (name === "") return "it is empty; use words joined by dots, such as orders.eu";
  if (length > MAX_NAME) return `it has ${length} characters; at most ${MAX_NAME} are allowed`;
  if (!isName(name)) return "use words of letters, digits, _ and - joined by dots, such as orders.eu";
  if (isServerChannel(name)) return "hub and hub.* are reserved for the server's own messages; use another first word";
  return undefined;
}

import { covers, isServerChannel, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import type { Participant, ParticipantKind, ParticipantList, Waiting } from "../protocol/participant.ts";
import { senderName } from "./message.ts";
import { maySubscribe, readable, type Principal } from "./principal.ts";

/** Who a participant is. */
export interface Identity {
  readonly kind: ParticipantKind;
  readonly name: string | undefined;
  readonly verified: boolean;
}

/** What a call waits for, and since when: milliseconds since 1970. */
export type Wait = Waiting & { readonly since: number };

/**
 * A participant before it is decided who may see what of it: `visibleTo` makes a `Participant` of it. Times are
 * milliseconds since 1970.
 */
export interface Attendance extends Identity {
  /** When it opened the first of what is open; undefined if nothing is. */
  readonly opened: number | undefined;
  /** When it called last, if it is an agent. */
  readonly called: number | undefined;
  readonly waits: readonly Wait[];
  readonly channels: readonly ChannelPattern[];
  readonly nodes: readonly string[];
}

/** How many channels and patterns of one participant are kept, and how many waits. */
export const MAX_CHANNELS = 100;
export const MAX_WAITS = 20;
/** How many channels of a participant a list shows. */
const SHOWN_CHANNELS = 20;
const MAX_NODES = 20;

/** Who someone is: by the credential, or by the name that they give. */
export function identityOf(principal: Principal, kind: ParticipantKind, called?: string): Identity {
  const verified = principal.kind !== "anonymous";
  return { kind, verified, name: senderName(verified ? principal.subject : (called ?? "")) };
}

/** Equal for connections of one participant: those without a name are told apart by what they read and wait for. */
function keyOf({ kind, name, verified, channels, waits, opened }: Attendance): string {
  if (name !== undefined) return nameKey({ kind, name, verified });
  return [kind, opened === undefined, ...channels, ...waits.map(waitKey)].join("\n");
}

/** The key of someone who has a name. */
export function nameKey({ kind, name = "", verified }: Identity): string {
  return `${kind}\n${verified}\n${name}\n`;
}

/** Equal for waits for the same thing. */
export function waitKey(waiting: Waiting): string {
  return waiting.for === "answer" ? `answer\n${waiting.question}` : `messages\n${waiting.channels.join("\n")}`;
}

/** One list of many, in which each participant is once: those who wait for an answer first, then by name, then those without one. */
export function merged(attendances: Iterable<Attendance>): readonly Attendance[] {
  const byKey = new Map<string, Attendance>();
  for (const attendance of attendances) {
    const key = keyOf(attendance);
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? attendance : union(known, attendance));
  }
  return [...byKey]
    .sort(([key, a], [other, b]) => rank(a) - rank(b) || compare(a.name ?? "", b.name ?? "") || compare(key, other))
    .map(([, attendance]) => attendance);
}

/**
 * What a principal may see of a list: of each participant, the channels that it may read, and nothing of one that reads
 * and waits for none of these. With a pattern, only those who have to do with its channels. Cut to `limit`.
 */
export function visibleTo(
  principal: Principal,
  attendances: readonly Attendance[],
  { pattern, limit }: { readonly pattern?: ChannelPattern | undefined; readonly limit: number },
): ParticipantList {
  const visible = visibleOf(principal, attendances);
  const wanted = pattern === undefined ? visible : visible.filter((one) => isAbout(one, pattern));
  const participants = wanted.slice(0, limit).map((one) => shownTo(one, pattern));
  return { participants, total: wanted.length, more: wanted.length > limit };
}

/** The part of an attendance that someone may see. */
type Visible = Pick<Attendance, "channels" | "waits"> & { readonly attendance: Attendance };

function visibleOf(principal: Principal, attendances: readonly Attendance[]): readonly Visible[] {
  const { admin, subscribe } = principal;
  const rights = subscribe.join(",");
  return attendances.flatMap((attendance) => {
    const channels = admin ? attendance.channels : knownReadable(attendance.channels, principal, rights);
    const waits = attendance.waits.flatMap((wait) => visibleWait(wait, principal) ?? []);
    return admin || channels.length > 0 || waits.length > 0 ? { attendance, channels, waits } : [];
  });
}

/** By list of channels, and by rights: lists of many agents hardly change from one look to the next. */
const found = new WeakMap<readonly ChannelPattern[], Map<string, readonly ChannelPattern[]>>();
/** Rights for which that is remembered. */
const MAX_RIGHTS = 8;

function knownReadable(
  channels: readonly ChannelPattern[],
  principal: Principal,
  rights: string,
): readonly ChannelPattern[] {
  const byRights = found.get(channels) ?? new Map<string, readonly ChannelPattern[]>();
  found.set(channels, byRights);
  let readableOnes = byRights.get(rights);
  if (readableOnes === undefined) {
    readableOnes = readableOf(channels, principal);
    if (byRights.size >= MAX_RIGHTS) byRights.clear();
    byRights.set(rights, readableOnes);
  }
  return readableOnes;
}

function overlaps(pattern: ChannelPattern, one: string): boolean {
  return covers(pattern, one as ChannelPattern) || covers(one as ChannelPattern, pattern);
}

function isAbout({ channels, waits }: Visible, pattern: ChannelPattern): boolean {
  const isWanted = (one: string): boolean => overlaps(pattern, one);
  return channels.some(isWanted) || waits.some((wait) => channelsOf(wait).some(isWanted));
}

function shownTo({ attendance, channels, waits }: Visible, pattern: ChannelPattern | undefined): Participant {
  const { name = null, kind, verified, opened, called, nodes } = attendance;
  const isWanted = (one: string): boolean => pattern === undefined || overlaps(pattern, one);
  const wait = waits.find((one) => channelsOf(one).some(isWanted)) ?? waits[0];
  const state = wait !== undefined ? "waiting" : opened !== undefined ? "connected" : "idle";
  const { since, ...waiting } = wait ?? { since: opened ?? called ?? 0 };
  // What was asked for comes first, and is not cut.
  const shown = channels.toSorted((one, other) => Number(isWanted(other)) - Number(isWanted(one)));
  return {
    name,
    kind,
    verified,
    state,
    since: new Date(since).toISOString(),
    waiting: "for" in waiting ? waiting : null,
    channels: shown.slice(0, SHOWN_CHANNELS),
    moreChannels: Math.max(shown.length - SHOWN_CHANNELS, 0),
    nodes,
  };
}

function readableOf(channels: readonly ChannelPattern[], principal: Principal): readonly ChannelPattern[] {
  return uncovered(channels.filter((one) => !isServerChannel(one)).flatMap((one) => readable(principal, one)));
}

/** What of a wait someone may see; undefined if it is for nothing that they may read. */
function visibleWait(wait: Wait, principal: Principal): Wait | undefined {
  if (principal.admin) return { ...wait, ...(wait.for === "messages" && { channels: shownOf(wait.channels) }) };
  if (wait.for === "answer") return maySubscribe(principal, wait.channel as ChannelPattern) ? wait : undefined;
  const channels = readableOf(wait.channels as readonly ChannelPattern[], principal);
  return channels.length === 0 ? undefined : { ...wait, channels: shownOf(channels) };
}

function shownOf(channels: readonly string[]): readonly string[] {
  return channels.slice(0, SHOWN_CHANNELS);
}

function channelsOf(wait: Waiting): readonly string[] {
  return wait.for === "answer" ? [wait.channel] : wait.channels;
}

function union(one: Attendance, other: Attendance): Attendance {
  return {
    ...one,
    opened: least(one.opened, other.opened),
    called: Math.max(one.called ?? 0, other.called ?? 0) || undefined,
    waits: withoutRepeats([...one.waits, ...other.waits]).slice(0, MAX_WAITS),
    channels: joined(one.channels, other.channels),
    nodes: [...new Set([...one.nodes, ...other.nodes])].slice(0, MAX_NODES),
  };
}

/** Both lists as one, which costs nothing if the first has all of the second, as is usual. */
function joined(one: readonly ChannelPattern[], other: readonly ChannelPattern[]): readonly ChannelPattern[] {
  const isKnown = other.every((channel) => one.includes(channel));
  return isKnown ? one : uncovered([...one, ...other]).slice(0, MAX_CHANNELS);
}

/** The longest of the waits for the same thing; those for an answer come first. */
export function withoutRepeats(waits: readonly Wait[]): readonly Wait[] {
  const byWhat = new Map<string, Wait>();
  for (const wait of waits) {
    const key = waitKey(wait);
    const known = byWhat.get(key);
    if (known === undefined || wait.since < known.since) byWhat.set(key, wait);
  }
  return [...byWhat.values()].sort((a, b) => (a.for === b.for ? a.since - b.since : a.for === "answer" ? -1 : 1));
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function rank({ name, waits }: Attendance): number {
  if (waits.some((wait) => wait.for === "answer")) return 0;
  return name === undefined ? 2 : 1;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

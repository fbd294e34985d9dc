import { MAX_CHANNELS, MAX_WAITS, type Attendance, type Wait } from "../core/attendance.ts";
import { senderName } from "../core/message.ts";
import { isServerChannel, patternProblem, type ChannelPattern } from "../protocol/channel.ts";
import { isObject } from "../protocol/json.ts";
import type { ParticipantKind } from "../protocol/participant.ts";

/** Participants in one report. */
export const MAX_ATTENDANCES = 300;
/** Characters of all of them. */
const MAX_CHARACTERS = 100_000;
const MAX_ID = 64;
/** The largest time that a `Date` can be. */
const MAX_TIME = 8.64e15;
const KINDS: readonly unknown[] = ["person", "agent", "service"] satisfies ParticipantKind[];

/** As many participants of a node as one report holds, and whether some are left out. */
export function reported(own: readonly Attendance[]): {
  readonly participants: readonly Attendance[];
  readonly more: boolean;
} {
  const participants: Attendance[] = [];
  let room = MAX_CHARACTERS;
  for (const attendance of own) {
    room -= JSON.stringify(attendance).length;
    if (room < 0 || participants.length === MAX_ATTENDANCES) return { participants, more: true };
    participants.push(attendance);
  }
  return { participants, more: false };
}

/** A participant in a report of another node; undefined if it is not one. */
export function parsedAttendance(given: unknown, node: string): Attendance | undefined {
  if (!isObject(given)) return undefined;
  const { kind, name, verified, opened, called, waits, channels } = given;
  if (!KINDS.includes(kind) || typeof verified !== "boolean") return undefined;
  if (name !== undefined && typeof name !== "string") return undefined;
  if (![opened, called].every((time) => time === undefined || isTime(time))) return undefined;
  if (!isListOf(channels, MAX_CHANNELS, isChannel) || !isListOf(waits, MAX_WAITS, isWait)) return undefined;
  return {
    kind: kind as ParticipantKind,
    name: name === undefined ? undefined : senderName(name),
    verified,
    opened: opened as number | undefined,
    called: called as number | undefined,
    waits: waits.map(plainWait),
    channels,
    nodes: [node],
  };
}

function isListOf<Item>(given: unknown, most: number, isItem: (item: unknown) => item is Item): given is Item[] {
  return Array.isArray(given) && given.length <= most && given.every(isItem);
}

function isTime(given: unknown): given is number {
  return typeof given === "number" && Number.isSafeInteger(given) && given >= 0 && given <= MAX_TIME;
}

function isChannel(given: unknown): given is ChannelPattern {
  return typeof given === "string" && patternProblem(given) === undefined && !isServerChannel(given);
}

function isWait(given: unknown): given is Wait {
  if (!isObject(given) || !isTime(given["since"])) return false;
  const { for: what, channels, channel, question } = given;
  if (what === "messages") return isListOf(channels, MAX_CHANNELS, isChannel);
  return what === "answer" && isChannel(channel) && typeof question === "string" && question.length <= MAX_ID;
}

/** Without fields that later versions may add. */
function plainWait(wait: Wait): Wait {
  return wait.for === "messages"
    ? { for: wait.for, channels: wait.channels, since: wait.since }
    : { for: wait.for, channel: wait.channel, question: wait.question, since: wait.since };
}

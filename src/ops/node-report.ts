import { patternProblem, type ChannelPattern } from "../protocol/channel.ts";
import type { Attendance } from "../core/attendance.ts";
import { isObject } from "../protocol/json.ts";
import type { NodeStatus } from "../protocol/server-info.ts";
import { MAX_ATTENDANCES, parsedAttendance } from "./attendance-report.ts";

/** How many live readers ask for a pattern, as `SubscriptionIndex.count` says. */
export type PatternCount = readonly [pattern: ChannelPattern, readers: number];

/** What a node sends to others about itself. */
export type NodeReport = StatusReport | ChangeReport | CopyReport | ParticipantsReport | LeavingReport;

interface Origin {
  readonly node: string;
  /** How many reports of changes the node has sent so far. */
  readonly changes: number;
}

/** How the node does: sent every few seconds. */
export interface StatusReport extends Origin {
  readonly kind: "status";
  readonly status: NodeStatus;
  /** Whether whoever receives this is to send a copy of its table. */
  readonly wantsCopy: boolean;
}

/** What has changed in the node's table, as new counts; `changes` includes this report. */
export interface ChangeReport extends Origin {
  readonly kind: "change";
  readonly counts: readonly PatternCount[];
}

/** A part of a copy of the node's whole table. */
export interface CopyReport extends Origin {
  readonly kind: "copy";
  /** The place of the part, from 0. */
  readonly part: number;
  readonly isLast: boolean;
  readonly counts: readonly PatternCount[];
}

/** Who is connected to the node: the whole list, sent when it changes. */
export interface ParticipantsReport extends Origin {
  readonly kind: "participants";
  readonly participants: readonly Attendance[];
  /** Whether some are left out. */
  readonly more: boolean;
}

/** The node stops. */
export interface LeavingReport extends Origin {
  readonly kind: "leaving";
}

/** Patterns in one report; a node with more changes sends several. */
export const MAX_COUNTS = 500;
/** Characters of a report: as many patterns of the longest kind. */
const MAX_REPORT = 128 * 1024;
const MAX_VALUE = 300;
const NODE = /^[a-z\d]{10}$/;

/** Parses what another node sent; undefined if it is not a report. Ignores fields that later versions may add. */
export function parseNodeReport(text: string): NodeReport | undefined {
  if (text.length > MAX_REPORT) return undefined;
  let sent: unknown;
  try {
    sent = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(sent)) return undefined;
  const { kind, node, changes, counts, part, isLast, status, wantsCopy } = sent;
  if (typeof node !== "string" || !NODE.test(node) || !isCount(changes)) return undefined;
  const origin = { node, changes };
  if (kind === "leaving") return { kind, ...origin };
  if (kind === "status") {
    const parsed = parsedStatus(status, node);
    return parsed && { kind, ...origin, status: parsed, wantsCopy: wantsCopy === true };
  }
  if (kind === "participants") {
    const { participants, more } = sent;
    if (!Array.isArray(participants) || participants.length > MAX_ATTENDANCES) return undefined;
    const parsed = participants.map((one) => parsedAttendance(one, node));
    if (!parsed.every((one) => one !== undefined)) return undefined;
    return { kind, ...origin, participants: parsed, more: more === true };
  }
  if (!Array.isArray(counts) || counts.length > MAX_COUNTS || !counts.every(isPatternCount)) return undefined;
  if (kind === "change") return { kind, ...origin, counts };
  return kind === "copy" && isCount(part) ? { kind, ...origin, part, isLast: isLast === true, counts } : undefined;
}

function parsedStatus(status: unknown, id: string): NodeStatus | undefined {
  if (!isObject(status)) return undefined;
  const { address, version, started, connections, publishedPerSecond, deliveredPerSecond, draining } = status;
  if (![address, version, started].every(isValue)) return undefined;
  if (![connections, publishedPerSecond, deliveredPerSecond].every(isNumber)) return undefined;
  return {
    id,
    address: address as string,
    version: version as string,
    started: started as string,
    connections: connections as number,
    publishedPerSecond: publishedPerSecond as number,
    deliveredPerSecond: deliveredPerSecond as number,
    draining: draining === true,
  };
}

function isPatternCount(given: unknown): given is PatternCount {
  if (!Array.isArray(given) || given.length !== 2) return false;
  const [pattern, readers] = given as [unknown, unknown];
  return typeof pattern === "string" && isCount(readers) && patternProblem(pattern) === undefined;
}

function isCount(given: unknown): given is number {
  return Number.isSafeInteger(given) && (given as number) >= 0;
}

function isNumber(given: unknown): boolean {
  return typeof given === "number" && given >= 0;
}

function isValue(given: unknown): boolean {
  return typeof given === "string" && given.length <= MAX_VALUE;
}

import { patternProblem, type ChannelPattern } from "../protocol/channel.ts";
import { isObject } from "../protocol/json.ts";
import type { NodeStatus } from "../protocol/server-info.ts";

/** How many live readers ask for a pattern, as `SubscriptionIndex.count` says. */
export type PatternCount = readonly [pattern: ChannelPattern, readers: number];

/** What one node tells others of itself. */
export interface NodeText {
  readonly node: string;
  /** How many texts with changes the node has sent to all, this one included. */
  readonly changes: number;
  /** Whether `counts` are the next of those changes. */
  readonly isChange: boolean;
  readonly counts: readonly PatternCount[];
  /** The place of `counts` in a copy of the node's whole table, from 0. */
  readonly part?: number | undefined;
  /** Whether it is the last part of the copy. */
  readonly isLast?: boolean | undefined;
  readonly status?: NodeStatus | undefined;
  /** The node asks for a copy of the table of whoever reads this. */
  readonly asks?: boolean | undefined;
  /** The node stops. */
  readonly leaves?: boolean | undefined;
}

/** Patterns in one text; a node with more changes sends several. */
export const MOST_COUNTS = 500;
/** Characters of a text: as many patterns of the longest kind, and a status. */
const LONGEST_TEXT = 128 * 1024;
const LONGEST_VALUE = 300;
const NODE = /^[a-z\d]{10}$/;

/** What another node told; undefined if it is nothing that a node tells. Fields of later versions are left out. */
export function parsedNodeText(text: string): NodeText | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(told)) return undefined;
  const { node, changes, isChange, counts, part, isLast, status, asks, leaves } = told;
  if (typeof node !== "string" || !NODE.test(node) || !isCount(changes)) return undefined;
  if (!Array.isArray(counts) || counts.length > MOST_COUNTS || !counts.every(isPatternCount)) return undefined;
  if (part !== undefined && !isCount(part)) return undefined;
  const known = status === undefined ? undefined : parsedStatus(status, node);
  if (status !== undefined && known === undefined) return undefined;
  return {
    node,
    changes,
    isChange: isChange === true,
    counts,
    part,
    isLast: isLast === true,
    status: known,
    asks: asks === true,
    leaves: leaves === true,
  };
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
  return typeof given === "string" && given.length <= LONGEST_VALUE;
}

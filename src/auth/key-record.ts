import { isServerChannel, patternProblem, type ChannelPattern } from "../protocol/channel.ts";
import { isObject, parseJson } from "../protocol/json.ts";
import { oneLineData, quoted } from "../protocol/text.ts";
import { MAX_SENDER } from "../core/message.ts";
import { FileFault } from "../private-file.ts";
import { isApiKeyId } from "./api-key.ts";

/** An API key as it is kept: everything but its secret. */
export interface KeyRecord {
  readonly id: string;
  /** The SHA-256 of its secret, in hexadecimal. */
  readonly hash: string;
  /** Whose key it is: the sender of the messages published with it. */
  readonly name: string;
  readonly publish: readonly ChannelPattern[];
  readonly subscribe: readonly ChannelPattern[];
  readonly admin: boolean;
  readonly sendAs: boolean;
  /** In ISO 8601. */
  readonly created: string;
  /** In ISO 8601; absent if it has no end. */
  readonly expires?: string;
}

/** Why a file of keys is not taken; the sentence names the place in it. */
export class KeyFault extends FileFault {}

/** Keys in one file. */
export const MAX_KEYS = 10_000;
/** Channels and patterns that one key may publish on, and that it may read. */
export const MAX_PATTERNS = 100;
const HASH = /^[\da-f]{64}$/;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;
const FIELDS = new Set(["id", "hash", "name", "publish", "subscribe", "admin", "sendAs", "created", "expires"]);
const MAX_SHOWN = 64;

/** Reads the text of a file of keys. Throws `KeyFault` if anything in it is wrong, and takes nothing of it. */
export function keyRecords(text: string): readonly KeyRecord[] {
  const file = json(text);
  if (!isObject(file) || !Array.isArray(file["keys"])) throw new KeyFault('it is not an object such as {"keys": []}');
  const other = Object.keys(file).find((name) => name !== "keys");
  if (other !== undefined) throw new KeyFault(`it has ${shown(other)} beside keys; leave that out`);
  const keys = file["keys"] as readonly unknown[];
  if (keys.length > MAX_KEYS) throw new KeyFault(`it has ${keys.length} keys; at most ${MAX_KEYS} are allowed`);
  const places = new Map<string, number>();
  return keys.map((key, index) => {
    const record = keyRecord(key, `keys[${index}]`);
    const first = places.get(record.id);
    if (first !== undefined) {
      throw new KeyFault(`keys[${index}].id is ${quoted(record.id)}, as is keys[${first}].id; remove one of them`);
    }
    places.set(record.id, index);
    return record;
  });
}

/** The text of a file with these keys. */
export function keyFileText(keys: readonly KeyRecord[]): string {
  return `${JSON.stringify({ keys }, undefined, 2)}\n`;
}

/** What is wrong with a channel or pattern that a key is to be good for; undefined if nothing is. */
export function grantFault(pattern: string): string | undefined {
  if (isServerChannel(pattern)) return "only admins use the server's own channels; make it an admin's key";
  return patternProblem(pattern);
}

/** What is wrong with the name of a key, as the end of a sentence; undefined if nothing is. */
export function nameFault(name: string): string | undefined {
  if (name.trim() === "" || name !== name.trim()) return "use a name without spaces at its ends, such as order-service";
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) return "use one line, such as order-service";
  return name.length > MAX_SENDER ? `it has ${name.length} characters; at most ${MAX_SENDER} are allowed` : undefined;
}

function json(text: string): unknown {
  try {
    return parseJson(text, "it");
  } catch (cause) {
    throw new KeyFault((cause as Error).message, { cause });
  }
}

function keyRecord(key: unknown, place: string): KeyRecord {
  if (!isObject(key)) throw new KeyFault(`${place} is not an object`);
  const { id, hash, name, created, expires } = key;
  const unknown = Object.keys(key).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) {
    throw new KeyFault(`${place} has the field ${shown(unknown)}; use ${[...FIELDS].join(", ")}`);
  }
  if (typeof id !== "string" || !isApiKeyId(id)) throw fault(`${place}.id`, id, "8 lower-case letters and digits");
  if (typeof hash !== "string" || !HASH.test(hash)) {
    // Not shown: someone may have put the key itself there.
    throw new KeyFault(`${place}.hash is not a SHA-256; use 64 lower-case hexadecimal digits`);
  }
  const problem = typeof name === "string" ? nameFault(name) : "use a name such as order-service";
  if (typeof name !== "string" || problem !== undefined) throw new KeyFault(`${place}.name: ${problem}`);
  return {
    id,
    hash,
    name,
    publish: patterns(key["publish"], `${place}.publish`),
    subscribe: patterns(key["subscribe"], `${place}.subscribe`),
    admin: truth(key["admin"], `${place}.admin`),
    sendAs: truth(key["sendAs"], `${place}.sendAs`),
    created: date(created, `${place}.created`),
    ...(expires === undefined ? {} : { expires: date(expires, `${place}.expires`) }),
  };
}

function patterns(value: unknown = [], place: string): readonly ChannelPattern[] {
  if (!Array.isArray(value)) throw fault(place, value, 'a list such as ["orders.*"]');
  if (value.length > MAX_PATTERNS) {
    throw new KeyFault(`${place} has ${value.length} patterns; at most ${MAX_PATTERNS} are allowed`);
  }
  return (value as readonly unknown[]).map((pattern, index) => {
    const problem = typeof pattern === "string" ? grantFault(pattern) : "use a channel or a pattern as a string";
    if (problem !== undefined) throw new KeyFault(`${place}[${index}] is ${shown(pattern)}: ${problem}`);
    return pattern as ChannelPattern;
  });
}

function truth(value: unknown = false, place: string): boolean {
  if (typeof value !== "boolean") throw fault(place, value, "true or false");
  return value;
}

function date(value: unknown, place: string): string {
  const isDate = typeof value === "string" && DATE.test(value) && !Number.isNaN(Date.parse(value));
  if (!isDate) throw fault(place, value, "a time such as 2027-01-31T12:00:00Z");
  return value;
}

function fault(place: string, value: unknown, allowed: string): KeyFault {
  return new KeyFault(`${place} is ${value === undefined ? "missing" : shown(value)}; use ${allowed}`);
}

function shown(value: unknown): string {
  return typeof value === "string" ? quoted(value.slice(0, MAX_SHOWN)) : oneLineData(value).slice(0, MAX_SHOWN);
}

import { setImmediate as turn } from "node:timers/promises";
import { ConfigError, HubError } from "../core/errors.ts";
import type { Archive, ArchivePart, ArchiveTally } from "../logs/archive.ts";
import type { Place } from "../logs/open-archive.ts";
import { masked } from "../protocol/address.ts";
import { oneLine } from "../protocol/text.ts";
import { CommandFailed, failed, parsed, UsageError } from "./usage.ts";

/** Milliseconds between two lines of progress. */
const PROGRESS = 500;

/** What the help of these commands ends with. */
export const KEEPS = `Everything the log keeps comes along: ids, times, order, senders, idempotency keys, and what has expired.
Readers continue with the ids they have. Stop the servers that use a log file first, or give a backup of it. For a log
on a Redis that is spoken to over TLS, set REDIS_CA, REDIS_CERT and REDIS_KEY as for the server.
`;

type Move = (places: readonly string[], signal: AbortSignal) => Promise<void>;

/** Runs a command with its words, until it is interrupted. */
export async function runTransfer(words: readonly string[], count: number, usage: string, move: Move): Promise<number> {
  const stop = new AbortController();
  const end = (signal: string): void => stop.abort(new CommandFailed(`${signal}: stopped before the end`));
  process.once("SIGINT", end).once("SIGTERM", end);
  try {
    const { positionals } = parsed(words, {});
    if (positionals.length !== count) throw new UsageError(usage);
    await move(positionals, stop.signal);
    return 0;
  } catch (error) {
    return failed(
      error instanceof HubError || error instanceof ConfigError
        ? new CommandFailed(error.message, { cause: error })
        : error,
    );
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
  }
}

/** A place with the settings that a Redis there may need. */
export async function placeOf(data: string): Promise<Place> {
  if (!data.startsWith("redis")) return { data, redis: { ca: "", cert: "", key: "" } };
  const { configure } = await import("../config.ts");
  const { redisCa: ca, redisCert: cert, redisKey: key } = configure([], process.env).config;
  return { data, redis: { ca, cert, key } };
}

/** The same archive, read with pauses in which signals are heard; says how far it is if someone looks on. */
export function withProgress({ header, parts }: Archive, signal: AbortSignal): Archive {
  return { header, parts: partsWithProgress(parts, signal) };
}

async function* partsWithProgress(parts: Archive["parts"], signal: AbortSignal): AsyncGenerator<ArchivePart> {
  const isShown = process.stderr.isTTY;
  let messages = 0;
  let next = performance.now() + PROGRESS;
  for await (const part of parts) {
    await turn();
    signal.throwIfAborted();
    yield part;
    messages += part.messages.length;
    if (!isShown || performance.now() < next) continue;
    next = performance.now() + PROGRESS;
    process.stderr.write(`\r${messages} messages`);
  }
  if (isShown) process.stderr.write("\r\u001b[K");
}

export function counts({ messages, channels }: ArchiveTally): string {
  const count = messages === 1 ? "1 message" : `${messages} messages`;
  return `${count} in ${channels.size === 1 ? "1 channel" : `${channels.size} channels`}`;
}

export function shownPlace(data: string): string {
  return oneLine(masked(data));
}

import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { ConfigError, HubError } from "../core/errors.ts";
import type { Archive, ArchivePart, ArchiveTally } from "../logs/archive.ts";
import { openArchive, writeArchive, type Place } from "../logs/open-archive.ts";
import { ndjson, readNdjson } from "../logs/ndjson.ts";
import { masked } from "../protocol/address.ts";
import { oneLine } from "../protocol/text.ts";
import { failed, HubUnreachable, parsed, UsageError, type Command } from "./usage.ts";

/** Milliseconds between two lines of progress. */
const PROGRESS = 500;

const KEEPS = `Everything the log keeps comes along: ids, times, order, senders, idempotency keys, and what has expired.
Readers continue with the ids they have. Stop the servers that use a log file first, or give a backup of it. For a log
on a Redis that is spoken to over TLS, set REDIS_CA, REDIS_CERT and REDIS_KEY as for the server.
`;

/** `sse-mcp-server copy`: all that one log keeps, into a new one. */
export const copy: Command = {
  name: "copy",
  summary: "copy a log to another place: copy FROM TO",
  help: `Usage: sse-mcp-server copy FROM TO

Copies the log FROM into a new one, TO; both are written as DATA is, such as file:./data/hub.db or
redis://localhost:6379. TO must not exist. If
copying fails or is interrupted, nothing is left there.

${KEEPS}`,
  run: (words) => run(words, 2, "copy takes FROM and TO, such as file:./data/hub.db file:./copy.db", copied),
};

/** `sse-mcp-server export`: all that a log keeps, as lines of JSON. */
export const exportLog: Command = {
  name: "export",
  summary: "write a log as lines of JSON: export DATA > FILE",
  help: `Usage: sse-mcp-server export DATA > FILE

Prints the log DATA, such as file:./data/hub.db, as lines of JSON: a header, a line for each message in order, a line
for each channel, and a line that says how many those were. import makes a log of them again.

${KEEPS}`,
  run: (words) => run(words, 1, "export takes DATA, such as file:./data/hub.db", exported),
};

/** `sse-mcp-server import`: a new log from what `export` wrote. */
export const importLog: Command = {
  name: "import",
  summary: "make a log of what export wrote: import DATA < FILE",
  help: `Usage: sse-mcp-server import DATA < FILE

Reads what export wrote from standard input into a new log, DATA, such as file:./data/hub.db. It must not exist. If the
input is not whole, nothing is left there.

${KEEPS}`,
  run: (words) =>
    run(words, 1, "import takes DATA, such as file:./data/hub.db, and an export on standard input", imported),
};

type Move = (places: readonly string[], signal: AbortSignal) => Promise<void>;

/** Runs a command with its words, until it is interrupted. */
async function run(words: readonly string[], count: number, usage: string, move: Move): Promise<number> {
  const stop = new AbortController();
  const end = (signal: string): void => stop.abort(new HubUnreachable(`${signal}: stopped before the end`));
  process.once("SIGINT", end).once("SIGTERM", end);
  try {
    const { positionals } = parsed(words, {});
    if (positionals.length !== count) throw new UsageError(usage);
    await move(positionals, stop.signal);
    return 0;
  } catch (error) {
    return failed(
      error instanceof HubError || error instanceof ConfigError
        ? new HubUnreachable(error.message, { cause: error })
        : error,
    );
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
  }
}

async function copied([from = "", to = ""]: readonly string[], signal: AbortSignal): Promise<void> {
  await using archive = await openArchive(await placeOf(from));
  const tally = await writeArchive(await placeOf(to), watched(archive, signal));
  process.stdout.write(`copied ${counts(tally)} from ${shown(from)} to ${shown(to)}\n`);
}

async function imported([data = ""]: readonly string[], signal: AbortSignal): Promise<void> {
  if (process.stdin.isTTY)
    throw new UsageError("import reads what export wrote from standard input: import DATA < FILE");
  const { stdin } = process;
  signal.addEventListener("abort", () => stdin.destroy(signal.reason as Error));
  try {
    const archive = await readNdjson(stdin);
    const tally = await writeArchive(await placeOf(data), watched(archive, signal));
    process.stdout.write(`imported ${counts(tally)} into ${shown(data)}\n`);
  } finally {
    // What is not read would keep the process alive.
    stdin.destroy();
  }
}

async function exported([data = ""]: readonly string[], signal: AbortSignal): Promise<void> {
  const { stdout } = process;
  // The reader of the output may have seen enough, as head has.
  const unread = new AbortController();
  stdout.once("error", () => unread.abort());
  const either = AbortSignal.any([unread.signal, signal]);
  await using archive = await openArchive(await placeOf(data));
  for await (const text of ndjson(watched(archive, signal))) {
    if (!stdout.write(text)) await once(stdout, "drain", { signal: either }).catch(() => {});
    if (unread.signal.aborted) return;
  }
}

/** A place with the settings that a Redis there may need. */
async function placeOf(data: string): Promise<Place> {
  if (!data.startsWith("redis")) return { data, redis: { ca: "", cert: "", key: "" } };
  const { configure } = await import("../config.ts");
  const { redisCa: ca, redisCert: cert, redisKey: key } = configure([], process.env).config;
  return { data, redis: { ca, cert, key } };
}

/** The same archive, read with pauses in which signals are heard; says how far it is if someone looks on. */
function watched({ header, parts }: Archive, signal: AbortSignal): Archive {
  return { header, parts: watchedParts(parts, signal) };
}

async function* watchedParts(parts: Archive["parts"], signal: AbortSignal): AsyncGenerator<ArchivePart> {
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

function counts({ messages, channels }: ArchiveTally): string {
  const count = messages === 1 ? "1 message" : `${messages} messages`;
  return `${count} in ${channels.size === 1 ? "1 channel" : `${channels.size} channels`}`;
}

function shown(data: string): string {
  return oneLine(masked(data));
}

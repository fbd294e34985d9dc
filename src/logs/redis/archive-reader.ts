import { HubError } from "../../core/errors.ts";
import type { Message } from "../../core/message.ts";
import type { ChannelName } from "../../protocol/channel.ts";
import { PART_CHARACTERS, type Archive, type ArchivedChannel, type ArchivePart, type Run } from "../archive.ts";
import type { Hole } from "../holes.ts";
import type { RedisConnection } from "./connection.ts";
import { logKeys } from "./keys.ts";
import { entryMessage, type Entry } from "./record.ts";
import { runsIn } from "./runs.ts";
import { FORMAT } from "./scripts.ts";

/** Entries that are read at once: few until it is known how large they are. */
const FIRST_PAGE = 16;
const PAGE = 512;
/** Channels in one part. */
const CHANNELS = 512;

/** What the engine says of a log besides its messages, all at one moment. */
interface Snapshot {
  readonly head: number;
  /** The last offset dropped by retention. */
  readonly floor: number;
  /** The same for channels that the engine knows nothing of. */
  readonly channelFloor: number;
  readonly runs: readonly string[];
  /** Offset and time of the last message dropped or purged, by channel. */
  readonly dropped: Readonly<Record<string, string>>;
}

/**
 * Reads what a log on Redis keeps, up to its head now; nodes may go on with it meanwhile. Throws `LOG_UNAVAILABLE` with a
 * sentence for the operator.
 */
export async function openRedisArchive(connection: RedisConnection): Promise<Archive> {
  const snapshot = await look(connection);
  const { head, channelFloor: floor } = snapshot;
  // The run that begins after the head has given out nothing.
  const found = runsIn(snapshot.runs).filter(({ first }) => first <= head);
  const [oldest] = found;
  const runs: Run[] = found.map(({ first, epoch }) => ({ first, epoch }));
  // Cursors from before the first run count as its own.
  if (oldest !== undefined && oldest.first > 0) runs.unshift({ first: 0, epoch: oldest.epoch });
  const lost: Hole[] = found
    .filter(({ first, after }) => first > after + 1)
    .map(({ first, after }) => ({ after, end: first }));
  return { header: { head, floor, runs, ...(lost.length > 0 && { lost }) }, parts: partsOf(connection, snapshot) };
}

async function look(connection: RedisConnection): Promise<Snapshot> {
  const { meta, runs, dropped, purged } = logKeys(connection.key);
  const answers = await connection.run((redis) =>
    redis.multi().hgetall(meta).hgetall(runs).hgetall(dropped).hgetall(purged).exec(),
  );
  const [state = {}, runFields = {}, droppedFields = {}, purgedFields = {}] = (answers ?? []).map(([error, value]) => {
    if (error !== null) throw connection.unavailable(error);
    return value as Record<string, string>;
  });
  const { format, head, floor, alldropped } = state;
  if (format === undefined) {
    throw unusable(`There is no log on this Redis under ${connection.key("…")}; give the URL of one, with its prefix`);
  }
  if (Number(format) > FORMAT) {
    throw unusable(`The log on Redis was written by a newer sse-mcp-server (format ${format}); use that version`);
  }
  return {
    head: Number(head),
    floor: Number(floor),
    channelFloor: Number(alldropped),
    runs: Object.entries(runFields).flat(),
    dropped: furthest(droppedFields, purgedFields),
  };
}

async function* partsOf(connection: RedisConnection, snapshot: Snapshot): AsyncGenerator<ArchivePart> {
  const channels = new Map<ChannelName, ArchivedChannel>();
  for (const [name, fields] of Object.entries(snapshot.dropped)) {
    const [offset, time] = fields.split(" ").map(Number) as [number, number];
    const channel = name as ChannelName;
    channels.set(channel, { channel, last: offset, time, dropped: offset });
  }
  let begin: number | undefined;
  for await (const messages of pagesOf(connection, snapshot)) {
    begin ??= messages[0]?.offset;
    for (const { channel, offset, time } of messages) {
      channels.set(channel, {
        channel,
        last: offset,
        time,
        dropped: channels.get(channel)?.dropped ?? snapshot.channelFloor,
      });
    }
    yield { messages, channels: [] };
  }
  // Retention may have dropped the oldest messages before they were read.
  const isDropping = (begin ?? snapshot.head + 1) > snapshot.floor + 1 && snapshot.head > snapshot.floor;
  if (isDropping) noteDropped(channels, await look(connection), snapshot, begin ?? snapshot.head + 1);
  const all = [...channels.values()].sort((a, b) => a.last - b.last);
  for (let at = 0; at < all.length; at += CHANNELS) yield { messages: [], channels: all.slice(at, at + CHANNELS) };
}

/** The messages from the floor of a snapshot to its head. */
async function* pagesOf(
  connection: RedisConnection,
  { floor, head, runs }: Snapshot,
): AsyncGenerator<readonly Message[]> {
  const { log, meta } = logKeys(connection.key);
  const holes = runsIn(runs);
  let count = FIRST_PAGE;
  // The small first page waits for the second: retention may drop it, and more, while the second is asked for.
  let held: readonly Message[] | undefined;
  for (let after = floor; after < head;) {
    const from = `(${after}-0`;
    const entries = await connection.run((redis) => redis.xrange(log, from, `${head}-0`, "COUNT", count));
    const messages = entries.map((entry) => keyedMessage(entry as Entry));
    const [first] = messages;
    const last = messages.at(-1);
    const isAfterHole = holes.some((run) => run.first === (first?.offset ?? 0) - 1 && run.after >= after);
    const isFirst = after === floor;
    const isOvertaken =
      !isFirst &&
      (first === undefined || (first.offset > after + 1 && !isAfterHole)) &&
      // What is missing beyond that was purged.
      (await floorOf(connection, meta)) > after;
    if (isOvertaken && held === undefined) throw overtaken();
    if (held !== undefined && !isOvertaken) yield held;
    held = undefined;
    if (last === undefined) return;
    if (isFirst) held = messages;
    else yield messages;
    after = last.offset;
    const characters = messages.reduce((sum, { data }) => sum + data.length, 1);
    count = Math.max(1, Math.min(PAGE, Math.floor((PART_CHARACTERS * messages.length) / characters)));
  }
  if (held !== undefined) yield held;
}

/** The later of two offsets of each channel, with its time. */
function furthest(
  dropped: Readonly<Record<string, string>>,
  purged: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const later = Object.entries(purged).filter(([channel, field]) => {
    return Number.parseInt(field, 10) > Number.parseInt(dropped[channel] ?? "0", 10);
  });
  return { ...dropped, ...Object.fromEntries(later) };
}

async function floorOf(connection: RedisConnection, meta: string): Promise<number> {
  return Number(await connection.run((redis) => redis.hget(meta, "floor")));
}

/**
 * Notes what was dropped after the snapshot and before the first message that was read. Of a channel that has lost more
 * since, the last of those is not known: it comes before `begin`.
 */
function noteDropped(
  channels: Map<ChannelName, ArchivedChannel>,
  { dropped, channelFloor }: Snapshot,
  before: Snapshot,
  begin: number,
): void {
  for (const [name, fields] of Object.entries(dropped)) {
    const [offset, time] = fields.split(" ").map(Number) as [number, number];
    if (offset <= before.floor) continue;
    const channel = name as ChannelName;
    const last = Math.min(offset, begin - 1);
    const { last: known = last, time: at = time } = channels.get(channel) ?? {};
    channels.set(channel, { channel, last: Math.max(known, last), time: at, dropped: last });
  }
  if (channelFloor <= before.channelFloor) return;
  // The engine has forgotten which channels lost what.
  for (const one of channels.values()) {
    const last = Math.max(one.dropped, Math.min(channelFloor, begin - 1));
    channels.set(one.channel, { ...one, last: Math.max(one.last, last), dropped: last });
  }
}

function keyedMessage(entry: Entry): Message {
  const key = entry[1][7];
  return { ...entryMessage(entry), ...(key === undefined ? {} : { key }) };
}

function overtaken(): HubError {
  return unusable("Retention dropped messages faster than they were read; try again when less is published");
}

function unusable(sentence: string): HubError {
  return new HubError("LOG_UNAVAILABLE", sentence);
}

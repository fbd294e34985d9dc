import { HubError } from "../../core/errors.ts";
import type { Message } from "../../core/message.ts";
import { ArchiveTally, type Archive, type ArchiveHeader, type TalliedChannel } from "../archive.ts";
import { costOf } from "../channel-index.ts";
import type { Hole } from "../holes.ts";
import type { RedisConnection } from "./connection.ts";
import { logKeys, type LogKeys } from "./keys.ts";
import { recordOf } from "./record.ts";
import { FORMAT, MAX_RUNS, publishArchive } from "./scripts.ts";
import { randomName } from "../random-name.ts";

/** Seconds after which what was written expires, if the writer does not continue. */
const STAGING_TTL = 600;
/** Fields that are written at once. */
const FIELDS = 512;
/** Runs by their first offsets. Nodes take offsets without a message for missing unless a hole covers them. */
type RunMap = Map<number, { readonly epoch: string; after: number }>;

/**
 * Writes an archive into a new log on Redis, under other keys until it is whole; these go by themselves if the process
 * dies. Throws `LOG_UNAVAILABLE` with a sentence for the operator, and leaves nothing then.
 */
export async function writeRedisArchive(connection: RedisConnection, archive: Archive): Promise<ArchiveTally> {
  const staged = new StagedLog(connection, archive.header);
  try {
    await staged.checkNew();
    for await (const part of archive.parts) {
      staged.tally.add(part);
      if (part.messages.length > 0) await staged.add(part.messages);
    }
    staged.tally.finish();
    await staged.publish();
    return staged.tally;
  } catch (error) {
    await staged.discard().catch(() => {});
    throw error;
  }
}

/** A log that nodes do not see yet. */
class StagedLog {
  readonly tally: ArchiveTally;
  readonly #connection: RedisConnection;
  readonly #header: ArchiveHeader;
  readonly #keys: LogKeys;
  /** What is written to; of these, `log`, `idempotency`, `dropped` and `runs`. */
  readonly #staged: LogKeys;
  readonly #runs: RunMap;
  /** Offsets that are left out and not known to be lost, the last of them. */
  readonly #skipped: Hole[] = [];
  /** The last offset dropped by retention; undefined before there is a message. */
  #floor: number | undefined;
  #last = 0;

  constructor(connection: RedisConnection, header: ArchiveHeader) {
    const id = randomName();
    this.tally = new ArchiveTally(header);
    this.#connection = connection;
    this.#header = header;
    this.#keys = logKeys(connection.key);
    this.#staged = logKeys((word) => connection.key(`import:${id}:${word}`));
    this.#runs = new Map(header.runs.map(({ first, epoch }) => [first, { epoch, after: first - 1 }]));
    for (const { after, end } of header.lost ?? []) this.#leaveOut(after, end);
  }

  async checkNew(): Promise<void> {
    const { meta, log } = this.#keys;
    if ((await this.#connection.run((redis) => redis.exists(meta, log))) > 0) throw this.#taken();
  }

  async add(messages: readonly Message[]): Promise<void> {
    for (const { offset } of messages) this.#noteSkippedBefore(offset);
    await this.#connection.run(async (redis) => {
      const pipeline = redis.pipeline();
      const used: string[] = [];
      for (const message of messages) {
        const { offset, time, channel, key } = message;
        const fields = [
          "t",
          time,
          "c",
          costOf(message),
          "r",
          recordOf(message),
          ...(key === undefined ? [] : ["k", key]),
        ];
        pipeline.xadd(this.#staged.log, `${offset}-0`, ...fields);
        if (key !== undefined) used.push(`${channel}\n${key}`, String(offset));
      }
      if (used.length > 0) pipeline.hset(this.#staged.idempotency, ...used);
      pipeline.expire(this.#staged.log, STAGING_TTL).expire(this.#staged.idempotency, STAGING_TTL);
      checkAnswers(await pipeline.exec());
    });
  }

  /** Gives it its name, unless there is a log by now. */
  async publish(): Promise<void> {
    const { head, floor } = this.#header;
    // What is left out before the last message that a channel has lost was purged, and is told of that channel.
    const purged = [...this.tally.channels.values()].reduce((most, { dropped }) => Math.max(most, dropped), 0);
    for (const { after, end } of this.#skipped) if (end > purged) this.#leaveOut(after, end);
    const isHole = this.#header.lost?.some(({ end }) => end === head) === true;
    if (this.#floor !== undefined && this.#last < head && !isHole) this.#leaveOut(this.#last, head);
    const epoch = randomName();
    // What comes after the head has no id that the original gives out.
    this.#runs.set(head + 1, { epoch, after: head });
    const runs = [...this.#runs].sort(([a], [b]) => a - b).slice(-MAX_RUNS);
    // For a channel that is not listed, nodes assume that everything up to the floor was dropped.
    const dropped = [...this.tally.channels].filter((one) => floor > 0 || one[1].dropped > 0).map(droppedField);
    await this.#hash(
      this.#staged.runs,
      runs.map(([first, { epoch: name, after }]) => [String(first), `${name} ${after}`]),
    );
    await this.#hash(this.#staged.dropped, dropped);
    const { messages, bytes } = this.tally;
    const meta = { format: FORMAT, epoch, head, floor: this.#floor ?? head, messages, bytes, alldropped: floor };
    const four = ({ log, idempotency, dropped: lost, runs: all }: LogKeys): string[] => [log, idempotency, lost, all];
    const fields = Object.entries(meta).flat();
    // Not known yet: `trim` finds it.
    const reply = await this.#connection.runScript(
      publishArchive,
      [this.#keys.meta, ...four(this.#keys), ...four(this.#staged)],
      [...fields, "oldest", messages > 0 ? -1 : 0],
    );
    if (reply !== 1) throw this.#taken();
  }

  async discard(): Promise<void> {
    const { log, idempotency, dropped, runs } = this.#staged;
    await this.#connection.run((redis) => redis.unlink(log, idempotency, dropped, runs));
  }

  /** Notes the offsets that are left out before the next message. */
  #noteSkippedBefore(offset: number): void {
    this.#floor ??= offset - 1;
    const before = this.#last;
    this.#last = offset;
    if (before === 0 || offset === before + 1) return;
    const isKnown = this.#header.lost?.some(({ after, end }) => after >= before && end === offset - 1);
    if (isKnown === true) return;
    this.#skipped.push({ after: before, end: offset - 1 });
    if (this.#skipped.length > 2 * MAX_RUNS) this.#skipped.splice(0, MAX_RUNS);
  }

  #leaveOut(after: number, end: number): void {
    const epoch = this.#header.runs.findLast(({ first }) => first <= end)?.epoch ?? "";
    this.#runs.set(end, { epoch, after });
  }

  async #hash(name: string, fields: readonly (readonly [string, string])[]): Promise<void> {
    for (let at = 0; at < fields.length; at += FIELDS) {
      const some = fields.slice(at, at + FIELDS).flat();
      await this.#connection.run(async (redis) => {
        checkAnswers(
          await redis
            .pipeline()
            .hset(name, ...some)
            .expire(name, STAGING_TTL)
            .exec(),
        );
      });
    }
  }

  #taken(): HubError {
    const prefix = this.#connection.key("");
    const sentence = `There is a log on this Redis under ${prefix} already; give another prefix, such as redis://HOST?prefix=NAME`;
    return new HubError("LOG_UNAVAILABLE", sentence);
  }
}

function droppedField([channel, { dropped, time }]: readonly [string, TalliedChannel]): readonly [string, string] {
  return [channel, `${dropped} ${time}`];
}

/** Throws what a command of a pipeline was refused with. */
function checkAnswers(answers: readonly (readonly [Error | null, unknown])[] | null): void {
  const [error] = answers?.find(([refused]) => refused !== null) ?? [];
  if (error != null) throw error;
}

import { close } from "node:fs";
import { promisify } from "node:util";
import type { ChannelName } from "../../protocol/channel.ts";
import type { Cursor } from "../../protocol/cursor.ts";
import type {
  Appended,
  ChannelQuery,
  ChannelState,
  FoundPage,
  Log,
  LogPage,
  LogQuery,
  LogSearch,
  LogSize,
  RecentPage,
  RecentQuery,
  Retention,
} from "../../core/log.ts";
import type { HubError } from "../../core/errors.ts";
import type { Draft, Message } from "../../core/message.ts";
import type { ChannelIndex } from "../channel-index.ts";
import { pageWithLosses, type Hole } from "../holes.ts";
import { ReadTurns } from "../page.ts";
import { SqliteCommitter } from "./committer.ts";
import { stopped, unavailable } from "./errors.ts";
import { AgeClock } from "./expiry.ts";
import { cannotOpen, closeFile, openFile, type OpenFile } from "./open-file.ts";
import { SqliteReader } from "./reader.ts";
import { channelsOf, databaseSize, headOf, holesIn, lastUse } from "./schema.ts";
import { SearchThread } from "./search-thread.ts";
import { openWal, SqliteWal } from "./wal.ts";
import { SqliteRecords } from "./records.ts";
import { MAX_DROPPED, SqliteWriter } from "./writer.ts";

export interface SqliteOptions {
  readonly path: string;
  readonly retention: Retention;
  /** normal: safe when the process dies · full: safe when the machine dies, an fsync for each commit. */
  readonly durability: "normal" | "full";
  readonly now?: () => number;
  /** A monotonic clock in milliseconds, to notice when the time of day is set; `performance.now` by default. */
  readonly elapsed?: () => number;
  /** The bytes that the write-ahead log may reach while another program keeps it from starting over. */
  readonly mostWal?: number;
  /** Called with a sentence for the operator of the server. */
  readonly report?: ((sentence: string) => void) | undefined;
  /** Flushes a file to the disk; `fdatasync` by default. */
  readonly sync?: (file: number) => Promise<void>;
}

/** Milliseconds that a purge waits while the write-ahead log is long. */
const PURGE_WAIT = 50;

const closed = promisify(close);

/** Keeps messages in one SQLite file. */
export class SqliteLog implements Log {
  readonly records: SqliteRecords;
  readonly #file: OpenFile;
  readonly #channels: ChannelIndex;
  readonly #holes: readonly Hole[];
  readonly #reader: SqliteReader;
  readonly #writer: SqliteWriter;
  readonly #committer: SqliteCommitter;
  readonly #wal: SqliteWal;
  readonly #search: SearchThread;
  /** The write-ahead log, open to be synced; only with full durability. */
  readonly #walFile: number | undefined;
  readonly #readTurns = new ReadTurns();
  readonly #upkeep: NodeJS.Timeout;
  #closed: Promise<void> | undefined;

  private constructor(options: SqliteOptions, file: OpenFile) {
    const { database, epochs, replacement, recounted, wasLeftOpen, path } = file;
    const { retention, now = Date.now, elapsed = () => performance.now(), report = () => {}, sync } = options;
    this.#file = file;
    this.#channels = channelsOf(database, retention.channels);
    this.#holes = holesIn(database);
    this.#reader = new SqliteReader(database, this.#channels);
    const end = { head: headOf(database), epoch: epochs.epoch };
    this.#writer = new SqliteWriter(database, this.#channels, this.#reader, retention, end);
    this.#wal = new SqliteWal(path, {
      most: options.mostWal,
      databaseSize: () => databaseSize(database),
      replacement,
      onCheckpoint: (isMoved) => {
        if (isMoved) this.#committer.expire();
        this.#committer.write();
      },
    });
    this.#search = new SearchThread(path, report);
    this.#walFile = options.durability === "full" ? openWal(path) : undefined;
    this.#committer = new SqliteCommitter({
      writer: this.#writer,
      wal: this.#wal,
      walFile: this.#walFile,
      now,
      clock: new AgeClock({ elapsed, age: retention.age, last: lastUse(database), report }),
      report: (sentence) => report(`${sentence} (${path})`),
      sync,
    });
    // With full durability, a record is safe once a commit after it is.
    this.records = new SqliteRecords(database, async () =>
      this.#walFile === undefined ? undefined : this.#committer.check(),
    );
    this.#upkeep = setInterval(() => this.#keepUp(), 1000).unref();
    if (wasLeftOpen) {
      report(
        "the last server with this log was killed or crashed; nothing that it acknowledged is lost, unless the machine lost power with DURABILITY=normal. If a supervisor killed it, make its time-out longer than DRAIN_WAIT and DRAIN together",
      );
    }
    if (recounted > 0)
      report(`${recounted} channels had counters that did not agree with their messages: counted again`);
  }

  /** Opens or creates the file; rejects with `LOG_UNAVAILABLE` and a sentence for the operator. */
  static async open(options: SqliteOptions): Promise<SqliteLog> {
    const file = openFile(options.path);
    try {
      return new SqliteLog(options, file);
    } catch (cause) {
      closeFile(file);
      throw cannotOpen(options.path, cause);
    }
  }

  get epoch(): string {
    return this.#file.epochs.epoch;
  }

  epochAt(offset: number): string {
    return this.#file.epochs.at(offset);
  }

  append(draft: Draft): Promise<Appended> {
    return this.#committer.append(draft);
  }

  appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return this.#committer.appendAll(drafts);
  }

  async read(query: LogQuery): Promise<LogPage> {
    const page = await this.#read(() => this.#reader.page(query, this.#writer.head));
    return pageWithLosses(page, query.after, (offset) => this.#holes.find(({ end }) => end > offset));
  }

  recent(query: RecentQuery): Promise<RecentPage> {
    return this.#read(() => this.#reader.recent(query, this.#writer.head));
  }

  async search(query: LogSearch): Promise<FoundPage | undefined> {
    const found = await this.#search.search(query);
    return found && this.#read(async () => this.#reader.found(found));
  }

  async follow(listener: (messages: readonly Message[]) => void): Promise<number> {
    this.#committer.follower = listener;
    return this.#writer.head;
  }

  knows({ epoch, offset }: Cursor): boolean {
    return offset <= this.#writer.head && epoch === this.epochAt(offset);
  }

  channels(query: ChannelQuery): readonly ChannelState[] {
    return this.#channels.list(query);
  }

  size(): LogSize {
    const { size: channels, lastId: channelsCreated } = this.#channels;
    return { messages: this.#writer.messages, bytes: this.#writer.bytes, channels, channelsCreated };
  }

  async purge(channel: ChannelName, upTo: number): Promise<number> {
    for (let removed = 0; ;) {
      const some = await this.#committer.purge({ channel, upTo });
      removed += some ?? 0;
      if (some === undefined) await new Promise((resolve) => setTimeout(resolve, PURGE_WAIT));
      else if (some < MAX_DROPPED) return this.#forgotten(removed);
    }
  }

  async check(): Promise<void> {
    await this.#committer.check();
    this.#file.lock.renew();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    clearInterval(this.#upkeep);
    await this.#committer.close();
    await this.#search.close();
    await this.#wal.close();
    if (this.#walFile !== undefined) await closed(this.#walFile);
    this.#committer.noteEnd();
    closeFile(this.#file);
  }

  async #read<T>(look: () => Promise<T>): Promise<T> {
    await this.#readTurns.next();
    if (this.#committer.closing) throw stopped();
    try {
      return await look();
    } catch (error) {
      throw this.#committer.closing ? stopped() : unavailable(error);
    }
  }

  /** How many messages were removed, once their words are gone, too. */
  async #forgotten(removed: number): Promise<number> {
    if (removed > 0) await this.#search.forget();
    return removed;
  }

  /** Runs once a second, even if nothing is published. */
  #keepUp(): void {
    try {
      this.#wal.tend();
      this.#file.lock.renew();
    } catch {
      // The next write, or the next `check`, rejects with this error.
    }
    this.#committer.expire();
  }
}

import { close, fdatasync } from "node:fs";
import { promisify } from "node:util";
import type { Cursor } from "../../protocol/cursor.ts";
import { HubError } from "../../core/errors.ts";
import type {
  ChannelQuery,
  ChannelState,
  Log,
  LogPage,
  LogQuery,
  LogSize,
  RecentPage,
  RecentQuery,
  Retention,
} from "../../core/log.ts";
import type { Draft, Message } from "../../core/message.ts";
import { ChannelIndex, type ChannelEntry } from "../channel-index.ts";
import { AgeClock } from "../age-clock.ts";
import { ReadTurns } from "../read-turns.ts";
import { isBusy, isFull, stopped, unavailable } from "./errors.ts";
import { SqliteReader } from "./reader.ts";
import { cannotOpen, closeFile, databaseSize, headOf, lastUse, openFile, type OpenFile } from "./schema.ts";
import { openWal, SqliteWal } from "./wal.ts";
import { SqliteWriter, type Moment, type Written } from "./writer.ts";
import { WriteBatch, type Waiting } from "../write-batch.ts";

export interface SqliteOptions {
  readonly path: string;
  readonly retention: Retention;
  /** normal: safe when the process dies · full: safe when the machine dies, an fsync for each commit. */
  readonly durability: "normal" | "full";
  readonly now?: () => number;
  /** Milliseconds of a clock that cannot be set, by which one that is set is noticed; `performance.now`. */
  readonly elapsed?: () => number;
  /** The bytes that the write-ahead log may reach while another program keeps it from starting over. */
  readonly mostWal?: number;
  /** Called with a sentence that whoever runs the server should read. */
  readonly report?: ((sentence: string) => void) | undefined;
  /** Has the disk take what was written to a file; `fdatasync`, unless a test wants to know of it. */
  readonly sync?: (file: number) => Promise<void>;
}

const RETRY = 5;
/** Milliseconds for which the files are not looked at again while messages are written. */
const LOOK = 10;
/** Milliseconds that publishers wait for a lock of another program. */
const PATIENCE = 2000;

const fdatasynced = promisify(fdatasync);
const closed = promisify(close);

/** Keeps messages in one SQLite file: one commit for what a turn of the event loop appends. */
export class SqliteLog implements Log {
  readonly #file: OpenFile;
  readonly #directory: ChannelIndex;
  readonly #reads: SqliteReader;
  readonly #writes: SqliteWriter;
  readonly #wal: SqliteWal;
  readonly #turn = new WriteBatch(() => this.#write());
  readonly #readTurns = new ReadTurns();
  readonly #now: () => number;
  readonly #clock: AgeClock;
  readonly #report: (sentence: string) => void;
  readonly #sync: (file: number) => Promise<void>;
  readonly #expiry: NodeJS.Timeout;
  /** The write-ahead log, open to be synced; only with full durability. */
  readonly #walFile: number | undefined;
  #listener: (messages: readonly Message[]) => void = () => {};
  #syncing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** When the files were looked at, and found in order. */
  #looked = -Infinity;
  /** Whether the last write failed. */
  #isBroken = false;
  #lockedSince: number | undefined;
  #closing = false;
  #closed: Promise<void> | undefined;

  private constructor(options: SqliteOptions, file: OpenFile) {
    this.#file = file;
    const { database, epochs, recounted } = file;
    const { retention, elapsed = () => performance.now(), report = () => {} } = options;
    this.#now = options.now ?? Date.now;
    this.#report = report;
    this.#clock = new AgeClock({ elapsed, age: retention.age, last: lastUse(database), report });
    this.#sync = options.sync ?? fdatasynced;
    const floor = database.prepare("SELECT value FROM hub WHERE name = 'floor'").get() as { value: string } | undefined;
    this.#directory = new ChannelIndex(Number(floor?.value ?? 0), options.retention.channels);
    for (const entry of database.prepare("SELECT * FROM channels ORDER BY last").iterate()) {
      this.#directory.put(entry as unknown as ChannelEntry);
    }
    this.#reads = new SqliteReader(database, this.#directory);
    const head = headOf(database);
    this.#writes = new SqliteWriter(database, this.#directory, this.#reads, retention, { head, epoch: epochs.epoch });
    this.#wal = new SqliteWal(file.path, {
      most: options.mostWal,
      databaseSize: () => databaseSize(database),
      mark: file.replacement,
      onCheckpoint: (isMoved) => {
        if (isMoved) this.#expire();
        this.#write();
      },
    });
    this.#walFile = options.durability === "full" ? openWal(file.path) : undefined;
    this.#expiry = setInterval(() => this.#lookAfter(), 1000).unref();
    if (recounted > 0)
      report(`${recounted} channels had counters that did not agree with their messages: counted again`);
  }

  /** Opens or creates the file; rejects with `LOG_UNAVAILABLE` and a sentence for the person who starts the server. */
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

  async append(draft: Draft): Promise<Message> {
    return (await this.#add(draft)) as Message;
  }

  read(query: LogQuery): Promise<LogPage> {
    return this.#read(() => this.#reads.page(query, this.#writes.head));
  }

  recent(query: RecentQuery): Promise<RecentPage> {
    return this.#read(() => this.#reads.recent(query, this.#writes.head));
  }

  async follow(listener: (messages: readonly Message[]) => void): Promise<number> {
    this.#listener = listener;
    return this.#writes.head;
  }

  knows({ epoch, offset }: Cursor): boolean {
    return offset <= this.#writes.head && epoch === this.epochAt(offset);
  }

  channels(query: ChannelQuery): readonly ChannelState[] {
    return this.#directory.list(query);
  }

  size(): LogSize {
    const { size: channels, lastId: channelsCreated } = this.#directory;
    return { messages: this.#writes.messages, bytes: this.#writes.bytes, channels, channelsCreated };
  }

  async check(): Promise<void> {
    await this.#add(undefined);
    this.#file.lock.renew();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#expiry);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#write();
    while (this.#syncing !== undefined) await this.#syncing;
    this.#turn.fail(stopped());
    await this.#wal.close();
    if (this.#walFile !== undefined) await closed(this.#walFile);
    try {
      this.#file.database
        .prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('checked', ?)")
        .run(String(this.#moment().aged));
    } catch {
      // The next run takes an earlier time for that of the end.
    }
    closeFile(this.#file);
  }

  async #read<T>(look: () => T | Promise<T>): Promise<T> {
    await this.#readTurns.next();
    if (this.#closing) throw stopped();
    try {
      return await look();
    } catch (error) {
      throw this.#closing ? stopped() : unavailable(error);
    }
  }

  #add(draft: Draft | undefined): Promise<Message | undefined> {
    return this.#closing ? Promise.reject(stopped()) : this.#turn.add(draft);
  }

  #write(): void {
    if (this.#syncing !== undefined || this.#retry !== undefined || this.#turn.size === 0) return;
    if (this.#wal.isBusy && !this.#closing) return;
    const waiting = this.#turn.peek();
    const start = performance.now();
    const check = start - this.#looked >= LOOK || waiting.some(({ draft }) => draft === undefined);
    const moment = { ...this.#moment(), check };
    let written: Written;
    try {
      if (check) this.#wal.look();
      written = this.#writes.write(
        waiting.map(({ draft }) => draft),
        moment,
      );
      if (check) this.#looked = start;
    } catch (error) {
      this.#looked = -Infinity;
      this.#failed(error);
      return;
    }
    this.#lockedSince = undefined;
    this.#isBroken = false;
    this.#turn.take();
    this.#wal.committed();
    if (this.#walFile === undefined) this.#announce(waiting, written);
    else this.#syncing = this.#synced(this.#walFile, waiting, written);
    if (!written.behind) return;
    if (moment.hold) this.#wal.move();
    else this.#expire();
  }

  #moment(): Moment {
    const now = this.#now();
    return { now, aged: this.#clock.time(now), hold: this.#wal.isLong };
  }

  async #synced(wal: number, waiting: readonly Waiting[], written: Written): Promise<void> {
    let failure: unknown;
    try {
      await this.#sync(wal);
    } catch (error) {
      failure = new HubError(
        "LOG_UNAVAILABLE",
        "The message was kept, but the disk did not confirm it: it may be lost if the machine stops now",
        { cause: error },
      );
    }
    this.#syncing = undefined;
    this.#announce(waiting, written, failure);
    this.#write();
  }

  #announce(waiting: readonly Waiting[], { outcomes, published }: Written, failure?: unknown): void {
    if (published.length > 0) this.#listener(published);
    for (const [index, { resolve, reject }] of waiting.entries()) {
      const outcome = outcomes[index];
      if (failure !== undefined) reject(failure);
      else if (outcome instanceof HubError) reject(outcome);
      else resolve(outcome);
    }
  }

  #failed(error: unknown): void {
    const now = performance.now();
    this.#lockedSince ??= now;
    if (isBusy(error) && now - this.#lockedSince < PATIENCE && !this.#closing) {
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#write();
      }, RETRY);
      return;
    }
    this.#lockedSince = undefined;
    // What the write-ahead log takes is room to drop messages in.
    if (isFull(error)) this.#wal.empty();
    const failure = unavailable(error);
    if (!this.#isBroken) this.#report(`${failure.message} (${this.#file.path})`);
    this.#isBroken = true;
    this.#turn.fail(failure);
  }

  /** Done once a second, whether or not anyone publishes. */
  #lookAfter(): void {
    try {
      this.#wal.tend();
      this.#file.lock.renew();
    } catch {
      // The next write, or the next `check`, says so.
    }
    this.#expire();
  }

  #expire(): void {
    if (this.#turn.size > 0 || !this.#writes.isBehind(this.#moment().aged)) return;
    void this.#turn.add(undefined).catch(() => {});
  }
}

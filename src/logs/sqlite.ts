import { close as closeFile, closeSync, fdatasync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import type { Cursor } from "../core/cursor.ts";
import { HubError } from "../core/errors.ts";
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
} from "../core/log.ts";
import type { Draft, Message } from "../core/message.ts";
import { Checkpoints } from "./checkpoint.ts";
import { ChannelDirectory, type ChannelEntry } from "./directory.ts";
import { isBusy, unavailable } from "./sqlite-failure.ts";
import { SqliteReads } from "./sqlite-reads.ts";
import { cannotOpen, headOf, openFile, type OpenFile } from "./sqlite-schema.ts";
import { SqliteWrites, type Written } from "./sqlite-writes.ts";
import { Turn, type Waiting } from "./turn.ts";

export interface SqliteOptions {
  readonly path: string;
  readonly retention: Retention;
  /** normal: safe when the process dies · full: safe when the machine dies, an fsync for each commit. */
  readonly durability: "normal" | "full";
  readonly now?: () => number;
  /** Has the disk take what was written to a file; `fdatasync`, unless a test wants to know of it. */
  readonly sync?: (file: number) => Promise<void>;
}

const RETRY = 5;
/** Milliseconds that publishers wait for a lock of another program. */
const PATIENCE = 2000;

const fdatasynced = promisify(fdatasync);
const closed = promisify(closeFile);

/** Keeps messages in one SQLite file: one commit for what a turn of the event loop appends. */
export class SqliteLog implements Log {
  readonly epoch: string;
  readonly #file: OpenFile;
  readonly #directory: ChannelDirectory;
  readonly #reads: SqliteReads;
  readonly #writes: SqliteWrites;
  readonly #checkpoints: Checkpoints;
  readonly #turn = new Turn(() => this.#write());
  readonly #now: () => number;
  readonly #sync: (file: number) => Promise<void>;
  readonly #expiry: NodeJS.Timeout;
  /** The write-ahead log, open to be synced; only with full durability. */
  readonly #wal: number | undefined;
  #listener: (messages: readonly Message[]) => void = () => {};
  #syncing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #lockedSince: number | undefined;
  #closing = false;
  #closed: Promise<void> | undefined;

  private constructor(options: SqliteOptions, file: OpenFile) {
    this.#file = file;
    const { database, epoch } = file;
    this.epoch = epoch;
    this.#now = options.now ?? Date.now;
    this.#sync = options.sync ?? fdatasynced;
    const floor = database.prepare("SELECT value FROM hub WHERE name = 'floor'").get() as { value: string } | undefined;
    this.#directory = new ChannelDirectory(Number(floor?.value ?? 0), options.retention.channels);
    for (const entry of database.prepare("SELECT * FROM channels ORDER BY last").iterate()) {
      this.#directory.put(entry as unknown as ChannelEntry);
    }
    this.#reads = new SqliteReads(database, this.#directory);
    this.#writes = new SqliteWrites(database, this.#directory, this.#reads, options.retention, headOf(database));
    this.#checkpoints = new Checkpoints(options.path);
    this.#wal = options.durability === "full" ? openWal(options.path) : undefined;
    this.#expiry = setInterval(() => this.#expire(), 1000).unref();
  }

  /** Opens or creates the file; rejects with `LOG_UNAVAILABLE` and a sentence for the person who starts the server. */
  static async open(options: SqliteOptions): Promise<SqliteLog> {
    const file = openFile(options.path);
    try {
      return new SqliteLog(options, file);
    } catch (cause) {
      file.database.close();
      file.lock.close();
      throw cannotOpen(options.path, cause);
    }
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
    if (epoch !== this.epoch || offset > this.#writes.head) return false;
    return !this.#file.holes.some(({ first, last }) => offset >= first && offset < last);
  }

  channels(query: ChannelQuery): readonly ChannelState[] {
    return this.#directory.list(query);
  }

  size(): LogSize {
    const { size: channels, lastId: came } = this.#directory;
    return { messages: this.#writes.messages, bytes: this.#writes.bytes, channels, came };
  }

  async check(): Promise<void> {
    await this.#add(undefined);
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
    await this.#checkpoints.close();
    if (this.#wal !== undefined) await closed(this.#wal);
    const { database, lock } = this.#file;
    try {
      database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('running', 'no')").run();
    } catch {
      // Not noted: the next run takes this end for an unclean one, which costs nothing but a hole.
    }
    database.close();
    lock.close();
  }

  async #read<T>(look: () => T | Promise<T>): Promise<T> {
    // Readers that replay take turns with everything else.
    await new Promise<void>((resolve) => setImmediate(resolve));
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
    // What waits is written together when the disk has taken the commit before, or when a lock is tried again.
    if (this.#syncing !== undefined || this.#retry !== undefined || this.#turn.size === 0) return;
    const waiting = this.#turn.peek();
    let written: Written;
    try {
      written = this.#writes.write(
        waiting.map(({ draft }) => draft),
        this.#now(),
      );
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#lockedSince = undefined;
    const { characters } = this.#turn;
    this.#turn.take();
    this.#checkpoints.committed(characters);
    if (this.#wal === undefined) this.#announce(waiting, written);
    else this.#syncing = this.#synced(this.#wal, waiting, written);
    if (written.behind) void this.#turn.add(undefined).catch(() => {});
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
    this.#turn.fail(unavailable(error));
  }

  #expire(): void {
    if (this.#turn.size === 0 && this.#writes.isBehind(this.#now())) void this.#turn.add(undefined).catch(() => {});
  }
}

function openWal(path: string): number {
  // The name of a new file is in its folder, which has its own fsync.
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
  return openSync(`${path}-wal`, "r+");
}

function stopped(): HubError {
  return new HubError("SHUTTING_DOWN", "The log is closed; publish again in a few seconds");
}

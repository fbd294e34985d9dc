import { fdatasync } from "node:fs";
import { promisify } from "node:util";
import { HubError } from "../../core/errors.ts";
import type { Appended } from "../../core/log.ts";
import type { Draft, Message } from "../../core/message.ts";
import { WriteBatch, type Waiting } from "../write-batch.ts";
import { isBusy, isFull, stopped, unavailable } from "./errors.ts";
import type { AgeClock } from "./expiry.ts";
import type { SqliteWal } from "./wal.ts";
import type { Moment, PurgeStep, SqliteWriter, Written } from "./writer.ts";

export interface CommitterOptions {
  readonly writer: SqliteWriter;
  readonly wal: SqliteWal;
  /** The write-ahead log, open to be synced; only with full durability. */
  readonly walFile: number | undefined;
  readonly now: () => number;
  readonly clock: AgeClock;
  /** Called with a sentence for the operator of the server. */
  readonly report: (sentence: string) => void;
  /** Flushes a file to the disk; `fdatasync`. */
  readonly sync?: ((file: number) => Promise<void>) | undefined;
}

/** What one commit wrote, and which publishers wait for it. */
interface Commit extends Written {
  readonly waiting: readonly Waiting[];
  readonly check: PromiseWithResolvers<void> | undefined;
  readonly purge: WaitingPurge | undefined;
}

/** A step of a purge, and who waits for it. */
interface WaitingPurge extends PromiseWithResolvers<number | undefined> {
  readonly step: PurgeStep;
}

const RETRY = 5;
/** Milliseconds between checks of the files while messages are written. */
const CHECK_INTERVAL = 10;
/** Milliseconds that publishers wait while another program holds a lock. */
const BUSY_TIMEOUT = 2000;

const fdatasynced = promisify(fdatasync);

/** Commits what one turn of the event loop appends, then calls the follower and answers the publishers. */
export class SqliteCommitter {
  /** Called with the published messages, once they are as safe as the durability setting asks. */
  follower: (messages: readonly Message[]) => void = () => {};
  readonly #options: CommitterOptions;
  readonly #batch = new WriteBatch(
    () => this.write(),
    () => (this.#closing ? stopped() : undefined),
  );
  /** Set while callers of `check` wait; they share one promise. */
  #check: PromiseWithResolvers<void> | undefined;
  readonly #purges: WaitingPurge[] = [];
  /** Whether to commit next even if that only drops messages. */
  #isExpiring = false;
  #syncing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** When the files were last checked and found in order. */
  #looked = -Infinity;
  /** Whether the last write failed. */
  #isBroken = false;
  #lockedSince: number | undefined;
  #closing = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  get closing(): boolean {
    return this.#closing;
  }

  append(draft: Draft): Promise<Appended> {
    return this.#batch.add(draft);
  }

  appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return this.#batch.addAll(drafts);
  }

  /** Resolves after a commit that wrote to the file, even without a message; rejects as `append` does. */
  check(): Promise<void> {
    if (this.#closing) return Promise.reject(stopped());
    this.#check ??= Promise.withResolvers<void>();
    this.#batch.schedule();
    return this.#check.promise;
  }

  /** Removes messages of a channel with a commit; resolves with how many, or undefined if it is to be tried again in a moment. */
  purge(step: PurgeStep): Promise<number | undefined> {
    if (this.#closing) return Promise.reject(stopped());
    const waiting = { step, ...Promise.withResolvers<number | undefined>() };
    this.#purges.push(waiting);
    this.#batch.schedule();
    return waiting.promise;
  }

  /** Drops, with the next commit, what is beyond the retention. */
  expire(): void {
    if (this.#batch.size > 0 || !this.#options.writer.isBehind(this.#moment().aged)) return;
    this.#isExpiring = true;
    this.#batch.schedule();
  }

  /** Commits what waits, unless a sync, a retry or a checkpoint has to end first. */
  write(): void {
    const { wal, writer } = this.#options;
    if (this.#syncing !== undefined || this.#retry !== undefined) return;
    const [purge] = this.#purges;
    const isProof = this.#check !== undefined || this.#isExpiring || purge !== undefined;
    if (this.#batch.size === 0 && !isProof) return;
    if (wal.isBusy && !this.#closing) return;
    const waiting = this.#batch.peek();
    const start = performance.now();
    const check = isProof || start - this.#looked >= CHECK_INTERVAL;
    const moment = { ...this.#moment(), check, isProof, purge: purge?.step };
    let written: Written;
    try {
      if (check) wal.look();
      written = writer.write(
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
    const commit = { ...written, waiting: this.#batch.take(), check: this.#takeCheck(), purge: this.#purges.shift() };
    if (this.#purges.length > 0) this.#batch.schedule();
    wal.committed();
    const { walFile } = this.#options;
    if (walFile === undefined) announce(commit, this.follower);
    else this.#syncing = this.#synced(walFile, commit);
    if (!written.behind) return;
    if (moment.hold) wal.checkpoint("move");
    else this.expire();
  }

  /** Makes the last commit, and refuses what comes after that. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.write();
    while (this.#syncing !== undefined) await this.#syncing;
    this.#refuse(stopped());
  }

  /** Records in the file that the log was in use until now; must not run during a checkpoint. */
  noteEnd(): void {
    try {
      this.#options.writer.noteUse(this.#moment().aged);
    } catch {
      // The next run then starts from an earlier recorded time.
    }
  }

  #moment(): Moment {
    const { now, clock, wal } = this.#options;
    const time = now();
    return { now: time, aged: clock.time(time), hold: wal.isLong };
  }

  async #synced(walFile: number, commit: Commit): Promise<void> {
    const { sync = fdatasynced } = this.#options;
    let failure: HubError | undefined;
    try {
      await sync(walFile);
    } catch (error) {
      failure = new HubError(
        "LOG_UNAVAILABLE",
        "The message was kept, but the disk did not confirm it: it may be lost if the machine stops now",
        { cause: error },
      );
    }
    this.#syncing = undefined;
    announce(commit, this.follower, failure);
    this.write();
  }

  #failed(error: unknown): void {
    const { wal, report } = this.#options;
    const now = performance.now();
    this.#lockedSince ??= now;
    if (isBusy(error) && now - this.#lockedSince < BUSY_TIMEOUT && !this.#closing) {
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.write();
      }, RETRY);
      return;
    }
    this.#lockedSince = undefined;
    // Emptying the write-ahead log frees room for the transaction that drops messages.
    if (isFull(error)) wal.checkpoint("empty");
    const failure = unavailable(error);
    if (!this.#isBroken) report(failure.message);
    this.#isBroken = true;
    this.#refuse(failure);
  }

  #refuse(failure: HubError): void {
    this.#batch.fail(failure);
    for (const { reject } of this.#purges.splice(0)) reject(failure);
    this.#takeCheck()?.reject(failure);
  }

  #takeCheck(): PromiseWithResolvers<void> | undefined {
    const check = this.#check;
    this.#check = undefined;
    this.#isExpiring = false;
    return check;
  }
}

function announce(
  { published, purged, outcomes, waiting, check, purge }: Commit,
  follower: (messages: readonly Message[]) => void,
  failure?: HubError,
): void {
  if (published.length > 0) follower(published);
  for (let index = 0; index < waiting.length; index++)
    waiting[index]?.settle(failure ?? (outcomes[index] as Appended | HubError));
  if (failure === undefined) {
    check?.resolve();
    purge?.resolve(purged);
  } else {
    check?.reject(failure);
    purge?.reject(failure);
  }
}

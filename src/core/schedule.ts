import { HubError } from "./errors.ts";
import { CLOCK_CHECK, LeasedWork } from "./leased-work.ts";
import type { Draft } from "./message.ts";
import type { Principal } from "./principal.ts";
import { digestId, randomId } from "./record-id.ts";
import { RecordIndex } from "./record-index.ts";
import type { Records } from "./records.ts";
import {
  checkRoom,
  inOrder,
  scheduledIn,
  scheduledText,
  withoutData,
  type Scheduled,
  type ScheduledWithData,
} from "./scheduled.ts";
import type { SharedStore } from "./shared-store.ts";

export interface ScheduleOptions {
  readonly records: Records;
  readonly shared: SharedStore;
  /** Appends to the log; a draft with the key of one that was appended before is not appended again. */
  readonly publish: (draft: Draft) => Promise<unknown>;
  /** Whether the one who scheduled a message may no longer publish it. */
  readonly isRevoked?: (by: Principal, due: Scheduled) => boolean;
  /** Called when a message is dropped because of that. */
  readonly onDropped?: (due: Scheduled) => void;
  /** Called with a sentence for the operator. */
  readonly report?: (sentence: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** The kind of its records. */
const KIND = "scheduled";
/** Milliseconds before a message that the log refuses, such as for `MAX_CHANNELS`, is tried again. */
const RETRY = 10_000;
/** Messages that are published together. */
const BATCH = 64;
const utf8 = new TextEncoder();

/**
 * Messages to publish at a later time. They are kept in the records, so they survive a restart, and one node at a time
 * publishes them, each once. Overdue messages are published at once, in order of time.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #now: () => number;
  readonly #index: RecordIndex<Scheduled>;
  readonly #work: LeasedWork;
  /** When each message that the log refused is tried again. */
  readonly #retryAt = new Map<string, number>();
  /** Those that are being kept: what is scheduled at once counts, too. */
  readonly #inserting = new Set<Scheduled>();
  #created = 0;
  #isClosed = false;
  /** Since the start of this node: published, and dropped because their principal may no longer publish them. */
  sent = 0;
  dropped = 0;

  constructor(options: ScheduleOptions) {
    const { shared, records, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#index = new RecordIndex({
      shared,
      topic: KIND,
      list: () => records.list(KIND),
      entryIn: (id, text) => withoutData(scheduledIn(id, text)),
      isEntry: ({ at }) => typeof at === "number",
      // The same id may have been scheduled again since.
      isNewer: (change, known, isGone) => !isGone || change.created === known.created,
      onChange: () => this.#work.arm(),
    });
    this.#work = new LeasedWork({
      shared,
      name: KIND,
      now,
      next: () => this.#next(),
      run: (signal) => this.#sendDue(signal),
      prepare: () => this.#index.refresh(),
      report: (error) => options.report?.(`scheduled messages cannot be sent: ${String(error)}`),
    });
  }

  /** Scheduled messages, as far as this node knows. */
  get size(): number {
    return this.#index.size;
  }

  /** Milliseconds since the earliest unpublished message was due; 0 if none is overdue. */
  get late(): number {
    const now = this.#now();
    return this.#index.all().reduce((most, { at }) => Math.max(most, now - at), 0);
  }

  /**
   * Keeps a message to be published at `at`, in milliseconds since 1970. `by` is the principal that must still be allowed
   * to publish it then; undefined for the hub itself. The same idempotency key on the same channel gives the same id, and
   * schedules nothing new. Throws `IDEMPOTENCY_KEY_REUSED` if the key was used for another message,
   * `TOO_MANY_SCHEDULED`, and what the records throw.
   */
  async schedule(
    draft: Draft,
    at: number,
    { by, isExact = true }: { readonly by?: Principal | undefined; readonly isExact?: boolean } = {},
  ): Promise<{ readonly scheduled: Scheduled; readonly repeated: boolean }> {
    if (this.#isClosed) throw new HubError("SHUTTING_DOWN", "The server is stopping; schedule again in a few seconds");
    await this.#index.ready();
    const { data, ...message } = draft;
    const id = draft.key === undefined ? randomId() : await digestId(`${draft.channel}\n${draft.key}`);
    this.#created = Math.max(this.#now(), this.#created + 1);
    const scheduled: Scheduled = { id, at, created: this.#created, by, message, bytes: utf8.encode(data).length };
    if (!this.#index.has(id)) checkRoom(scheduled, [...this.#index.all(), ...this.#inserting]);
    this.#inserting.add(scheduled);
    try {
      return await this.#kept(scheduled, data, isExact);
    } finally {
      this.#inserting.delete(scheduled);
    }
  }

  /** Resolves as `schedule` does, once it is kept. */
  async #kept(
    scheduled: Scheduled,
    data: string,
    isExact: boolean,
  ): Promise<{ readonly scheduled: Scheduled; readonly repeated: boolean }> {
    const { id, at, message } = scheduled;
    while (!(await this.#insert(scheduled, data))) {
      const known = await this.get(id);
      // It was published or cancelled in between.
      if (known === undefined) continue;
      const isSame = known.data === data && known.message.event === message.event && (!isExact || known.at === at);
      if (isSame) {
        // The first call may have failed after the record was written, and then it is not in the index.
        if (!this.#index.has(id)) this.#index.add(withoutData(known));
        return { scheduled: known, repeated: true };
      }
      const sentence = "This Idempotency-Key scheduled another message, or for another time; use a new key";
      throw new HubError("IDEMPOTENCY_KEY_REUSED", sentence);
    }
    this.#index.add(scheduled);
    return { scheduled, repeated: false };
  }

  /** Resolves with true if it will never be published, and false if it does not exist or is being published. */
  async cancel(id: string): Promise<boolean> {
    const { records } = this.#options;
    for (;;) {
      const text = await records.get(KIND, id);
      if (text === undefined) return false;
      const due = scheduledIn(id, text);
      if (due.sending !== undefined) return false;
      if (!(await records.replace(KIND, id, text, undefined))) continue;
      this.#forget(due);
      return true;
    }
  }

  async get(id: string): Promise<ScheduledWithData | undefined> {
    const text = await this.#options.records.get(KIND, id);
    return text === undefined ? undefined : scheduledIn(id, text);
  }

  /** In the order in which they will be published; messages that another node has just scheduled may be missing. */
  list(): readonly Scheduled[] {
    return this.#index.all().sort(inOrder);
  }

  /** Publishes what is due, if this node holds the lease. */
  wake(): void {
    this.#work.wake();
  }

  /** Stops publishing; another node goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work.close();
    this.#index.close();
  }

  #next(): number {
    let next = Infinity;
    for (const { id, at } of this.#index.all()) next = Math.min(next, Math.max(at, this.#retryAt.get(id) ?? 0));
    return next;
  }

  /** Publishes until nothing is due; resolves with the milliseconds to wait before the next attempt. */
  async #sendDue(signal: AbortSignal): Promise<number> {
    for (;;) {
      const now = this.#now();
      const due = this.#index
        .all()
        .filter(({ id, at }) => at <= now && (this.#retryAt.get(id) ?? 0) <= now)
        .sort(inOrder)
        .slice(0, BATCH);
      if (due.length === 0) return 0;
      const claims = await Promise.all(due.map((one) => this.#claim(one)));
      if (signal.aborted) return 0;
      // Each is appended in this turn, so the log has them in this order.
      const goesOn = await Promise.all(claims.map(async (claim) => claim === undefined || this.#send(claim)));
      if (goesOn.includes(false)) return CLOCK_CHECK;
    }
  }

  /** Marks a message as being published: it can no longer be cancelled. Undefined if it must not be published, or was already. */
  async #claim(one: Scheduled): Promise<Claim | undefined> {
    const { records, isRevoked, onDropped, shared } = this.#options;
    const { id } = one;
    for (;;) {
      const text = await records.get(KIND, id);
      if (text === undefined) {
        this.#forget(one);
        return undefined;
      }
      const due = scheduledIn(id, text);
      if (due.by !== undefined && isRevoked?.(due.by, due)) {
        if (!(await records.replace(KIND, id, text, undefined))) continue;
        this.#forget(due);
        this.dropped++;
        onDropped?.(due);
        return undefined;
      }
      // Each node takes it over by writing its name, so that what another gives back is not taken from it.
      const sending = scheduledText(due, due.data, shared.node);
      if (text === sending || (await records.replace(KIND, id, text, sending))) return { due, text: sending };
    }
  }

  /** Resolves with false if the log cannot be reached, so that the rest would fail as well. */
  async #send({ due, text }: Claim): Promise<boolean> {
    const { id, message, data } = due;
    try {
      // A node that was paused may publish it again; the key makes the log keep it once.
      await this.#options.publish({ ...message, data, key: message.key ?? `\nscheduled\n${id}` });
    } catch (error) {
      const goesOn = this.#failed(id, error);
      // The log has refused it, so it can be cancelled until it is tried again.
      if (goesOn && error instanceof HubError)
        await this.#options.records.replace(KIND, id, text, scheduledText(due, data));
      return goesOn;
    }
    // Only this record: the same key may have scheduled another message meanwhile.
    await this.#options.records.replace(KIND, id, text, undefined);
    this.#forget(due);
    this.sent++;
    return true;
  }

  /** What `#send` resolves with after an error. */
  #failed(id: string, error: unknown): boolean {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code === "LOG_UNAVAILABLE" || code === "SHUTTING_DOWN") return false;
    if (!this.#retryAt.has(id))
      this.#options.report?.(`a scheduled message cannot be sent, and is tried again: ${String(message)}`);
    this.#retryAt.set(id, this.#now() + RETRY);
    return true;
  }

  #forget(scheduled: Scheduled): void {
    this.#retryAt.delete(scheduled.id);
    this.#index.remove(withoutData(scheduled));
  }

  /** Resolves with false if a message with its id is already scheduled. */
  async #insert(scheduled: Scheduled, data: string): Promise<boolean> {
    try {
      return await this.#options.records.replace(KIND, scheduled.id, undefined, scheduledText(scheduled, data));
    } catch (error) {
      // The record may have been written all the same.
      void this.#index.refresh();
      throw error;
    }
  }
}

/** A message that this node publishes, and its record. */
interface Claim {
  readonly due: ScheduledWithData;
  readonly text: string;
}

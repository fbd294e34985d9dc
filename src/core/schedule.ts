import { HubError } from "./errors.ts";
import { LeaseHolder, type Lease } from "./lease.ts";
import type { Draft } from "./message.ts";
import type { Principal } from "./principal.ts";
import type { Records } from "./records.ts";
import {
  digestId,
  inOrder,
  randomId,
  scheduledIn,
  scheduledText,
  withoutData,
  type Due,
  type Scheduled,
} from "./scheduled.ts";
import { ScheduleView } from "./schedule-view.ts";
import type { SharedStore } from "./shared-store.ts";

export interface ScheduleOptions {
  readonly records: Records;
  readonly shared: SharedStore;
  /** Appends to the log; a draft with the key of one that was appended before is not appended again. */
  readonly publish: (draft: Draft) => Promise<unknown>;
  /** Whether the one who scheduled a message may not publish it any more. */
  readonly isRevoked?: (by: Principal, due: Scheduled) => boolean;
  /** Called when a message is dropped because of that. */
  readonly onDropped?: (due: Scheduled) => void;
  /** Called with a sentence for the operator. */
  readonly report?: (sentence: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Scheduled messages at once: of all, and of one principal. */
const MAX_SCHEDULED = 10_000;
export const MAX_SCHEDULED_PER_PRINCIPAL = 1000;
/** Bytes of all scheduled messages: every node reads all of them when it starts. */
const MAX_BYTES = 32 * 1024 * 1024;

/** The kind of its records. */
const KIND = "scheduled";
/** Milliseconds after which another node sends them in place of one that died. */
const LEASE = 3000;
/** Milliseconds between two looks at the clock, which may jump. */
const LOOK = 1000;
/** Milliseconds until a message that the log refuses for a reason of its own is tried again. */
const REFUSED = 10_000;
/** Messages that are published together. */
const BATCH = 64;

/**
 * Messages to publish at a time: kept in the records, so that they survive a restart, and published by one of all nodes,
 * once. What is overdue is published at once, in order of time.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #now: () => number;
  readonly #view: ScheduleView;
  readonly #holder: LeaseHolder;
  /** When those that the log refused are tried again, by `#now`. */
  readonly #refused = new Map<string, number>();
  #lease: Lease | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #work: Promise<void> | undefined;
  #created = 0;
  #isClosed = false;
  /** Published since the start of this node, and dropped because their principal may not publish them any more. */
  sent = 0;
  dropped = 0;

  constructor(options: ScheduleOptions) {
    const { shared, records, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#view = new ScheduleView({ shared, list: () => records.list(KIND), onChange: () => this.#arm() });
    this.#holder = new LeaseHolder({
      store: shared,
      name: KIND,
      lifetime: LEASE,
      onHeld: (lease) => {
        this.#lease = lease;
        void this.#view.refresh().then(() => this.wake());
      },
    });
  }

  /** Messages that are scheduled, as far as this node knows. */
  get size(): number {
    return this.#view.size;
  }

  /** Milliseconds since the first of them that is not published was due; 0 if none is. */
  get late(): number {
    const now = this.#now();
    return this.#view.all().reduce((most, { at }) => Math.max(most, now - at), 0);
  }

  /**
   * Keeps a message to be published at `at`, in milliseconds since 1970; `by` is who may publish it, as far as it is not
   * the hub itself. The same idempotency key on the same channel gives the same id, and schedules nothing new. Throws
   * `IDEMPOTENCY_KEY_REUSED` if it was used for another message, `TOO_MANY_SCHEDULED`, and as the records do.
   */
  async schedule(
    draft: Draft,
    at: number,
    { by, isExact = true }: { readonly by?: Principal | undefined; readonly isExact?: boolean } = {},
  ): Promise<{ readonly scheduled: Scheduled; readonly repeated: boolean }> {
    if (this.#isClosed) throw new HubError("SHUTTING_DOWN", "The server is stopping; schedule again in a few seconds");
    await this.#view.known();
    const { data, ...message } = draft;
    const id = draft.key === undefined ? randomId() : await digestId(`${draft.channel}\n${draft.key}`);
    this.#created = Math.max(this.#now(), this.#created + 1);
    const scheduled: Scheduled = { id, at, created: this.#created, by, message, bytes: data.length };
    if (!this.#view.has(id)) this.#checkRoom(scheduled);
    while (!(await this.#insert(scheduled, data))) {
      const known = await this.get(id);
      // It was sent or cancelled in between.
      if (known === undefined) continue;
      const isSame = known.data === data && known.message.event === draft.event && (!isExact || known.at === at);
      if (isSame) {
        // The answer of the first may have been that the log is away.
        if (!this.#view.has(id)) this.#view.add(withoutData(known));
        return { scheduled: known, repeated: true };
      }
      const sentence = "This Idempotency-Key scheduled another message, or for another time; use a new key";
      throw new HubError("IDEMPOTENCY_KEY_REUSED", sentence);
    }
    this.#view.add(scheduled);
    return { scheduled, repeated: false };
  }

  /** Resolves with false if it does not exist, or is being sent already: if with true, it is never published. */
  async cancel(id: string): Promise<boolean> {
    const { records } = this.#options;
    for (;;) {
      const text = await records.get(KIND, id);
      if (text === undefined) return false;
      const due = scheduledIn(id, text);
      if (due.isSending) return false;
      if (!(await records.replace(KIND, id, text, undefined))) continue;
      this.#forget(due);
      return true;
    }
  }

  async get(id: string): Promise<Due | undefined> {
    const text = await this.#options.records.get(KIND, id);
    return text === undefined ? undefined : scheduledIn(id, text);
  }

  /** In the order in which they will be published; what another node has just scheduled may be missing. */
  list(): readonly Scheduled[] {
    return this.#view.all().sort(inOrder);
  }

  /** Publishes what is due, if it is for this node to do; called whenever something may be. */
  wake(): void {
    const lease = this.#lease;
    if (lease === undefined || lease.signal.aborted || this.#isClosed) return;
    this.#work ??= this.#run(lease);
  }

  /** Leaves what is scheduled to another node. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#work;
    await this.#holder.close();
    this.#view.close();
  }

  /** Wakes when the next message is due, and once a second before that, not sooner than in `pause` milliseconds. */
  #arm(pause = 0): void {
    clearTimeout(this.#timer);
    if (this.#isClosed || this.#lease === undefined || this.#lease.signal.aborted || this.#work !== undefined) return;
    let next = Infinity;
    for (const { id, at } of this.#view.all()) next = Math.min(next, Math.max(at, this.#refused.get(id) ?? 0));
    if (next === Infinity) return;
    this.#timer = setTimeout(() => this.wake(), Math.max(Math.min(next - this.#now(), LOOK), pause)).unref();
  }

  async #run(lease: Lease): Promise<void> {
    let pause = LOOK;
    try {
      pause = await this.#sendDue(lease);
    } catch (error) {
      // The log is away, mostly. Nothing is lost: it is tried again until it works.
      if (!(error instanceof HubError)) this.#options.report?.(`scheduled messages cannot be sent: ${String(error)}`);
    }
    this.#work = undefined;
    this.#arm(pause);
  }

  /** Resolves with milliseconds to wait before it goes on. */
  async #sendDue({ signal }: Lease): Promise<number> {
    for (;;) {
      const now = this.#now();
      const due = this.#view
        .all()
        .filter(({ id, at }) => at <= now && (this.#refused.get(id) ?? 0) <= now)
        .sort(inOrder)
        .slice(0, BATCH);
      if (due.length === 0) return 0;
      const claims = await Promise.all(due.map((one) => this.#claim(one)));
      if (signal.aborted) return 0;
      // Each is appended in this turn, so the log has them in this order.
      const goesOn = await Promise.all(claims.map(async (claim) => claim === undefined || this.#send(claim)));
      if (goesOn.includes(false)) return LOOK;
    }
  }

  /** From here on it cannot be cancelled. Undefined if it is not to be sent, or was sent by another node. */
  async #claim(one: Scheduled): Promise<Claim | undefined> {
    const { records, isRevoked, onDropped } = this.#options;
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
      const sending = scheduledText(due, due.data, true);
      if (due.isSending || (await records.replace(KIND, id, text, sending))) return { due, text: sending };
    }
  }

  /** Resolves with false if the log is away, so that nothing else can be sent either. */
  async #send({ due, text }: Claim): Promise<boolean> {
    const { id, message, data } = due;
    try {
      // A node that stood still meanwhile publishes it with the same key, so that the log takes it once.
      await this.#options.publish({ ...message, data, key: message.key ?? `\nscheduled\n${id}` });
    } catch (error) {
      return this.#failed(id, error);
    }
    // Its key may have scheduled another meanwhile.
    await this.#options.records.replace(KIND, id, text, undefined);
    this.#forget(due);
    this.sent++;
    return true;
  }

  /** Resolves as `#send` does. */
  #failed(id: string, error: unknown): boolean {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code === "LOG_UNAVAILABLE" || code === "SHUTTING_DOWN") return false;
    if (!this.#refused.has(id))
      this.#options.report?.(`a scheduled message cannot be sent, and is tried again: ${String(message)}`);
    this.#refused.set(id, this.#now() + REFUSED);
    return true;
  }

  #forget(scheduled: Scheduled): void {
    this.#refused.delete(scheduled.id);
    this.#view.remove(scheduled);
  }

  /** Whether there was none with its id. */
  async #insert(scheduled: Scheduled, data: string): Promise<boolean> {
    try {
      return await this.#options.records.replace(KIND, scheduled.id, undefined, scheduledText(scheduled, data));
    } catch (error) {
      // It may have been kept all the same.
      void this.#view.refresh();
      throw error;
    }
  }

  #checkRoom({ by, bytes }: Scheduled): void {
    const all = this.#view.all();
    const own = by === undefined ? [] : all.filter((other) => other.by?.id === by.id);
    if (own.length >= MAX_SCHEDULED_PER_PRINCIPAL) throw tooMany(`You have ${own.length} scheduled messages`);
    if (all.length >= MAX_SCHEDULED) throw tooMany(`${all.length} messages are scheduled`);
    const total = all.reduce((sum, other) => sum + other.bytes, bytes);
    if (total > MAX_BYTES) throw tooMany(`All scheduled messages together would have ${total} bytes`);
  }
}

/** A message that this node publishes, and its record. */
interface Claim {
  readonly due: Due;
  readonly text: string;
}

function tooMany(what: string): HubError {
  const sentence = `${what}, which is the most there may be; cancel some, or schedule this one when some are sent`;
  return new HubError("TOO_MANY_SCHEDULED", sentence);
}

import { isObject } from "../protocol/json.ts";
import { scheduledIn, withoutData, type Scheduled } from "./scheduled.ts";
import type { SharedStore } from "./shared-store.ts";

export interface ScheduleIndexOptions {
  readonly shared: SharedStore;
  /** The records of all scheduled messages, by id. */
  readonly list: () => Promise<ReadonlyMap<string, string>>;
  /** Called after messages were added. */
  readonly onChange: () => void;
}

/** The topic on which nodes announce what they schedule, publish and cancel. */
const TOPIC = "scheduled";
/** Milliseconds between two reads of all records, since announcements may be lost. */
const REFRESH = 20_000;
/** Milliseconds before a read that failed is tried again. */
const RETRY = 1000;

/** A message was scheduled, or it was published or cancelled. */
interface Change {
  readonly scheduled: Scheduled;
  readonly isGone: boolean;
}

/** All scheduled messages without their data, as far as this node knows: read from the records, then kept up to date by announcements. */
export class ScheduleIndex {
  readonly #options: ScheduleIndexOptions;
  readonly #unsubscribe: () => void;
  readonly #all = new Map<string, Scheduled>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading: Promise<void> | undefined;
  /** Changes since the records began to be read, which the result may not show. */
  #newer: Change[] = [];
  #isRead = false;
  #isClosed = false;

  constructor(options: ScheduleIndexOptions) {
    this.#options = options;
    this.#unsubscribe = options.shared.subscribe(TOPIC, (text) => this.#onAnnouncement(text));
    void this.refresh();
  }

  get size(): number {
    return this.#all.size;
  }

  has(id: string): boolean {
    return this.#all.has(id);
  }

  all(): Scheduled[] {
    return [...this.#all.values()];
  }

  /** Resolves once all records have been read. Rejects as the records do. */
  async ready(): Promise<void> {
    if (!this.#isRead) await (this.#reading ?? this.#read());
  }

  add(scheduled: Scheduled): void {
    this.#announce({ scheduled, isGone: false });
  }

  /** Removes this one, and not another that was scheduled with the same id later. */
  remove(scheduled: Scheduled): void {
    this.#announce({ scheduled: withoutData(scheduled), isGone: true });
  }

  /** Reads all records, and tries again later if that fails. */
  async refresh(): Promise<void> {
    let again = this.#options.shared.isShared ? REFRESH : undefined;
    await this.#read().catch(() => (again = RETRY));
    clearTimeout(this.#timer);
    if (this.#isClosed || again === undefined) return;
    this.#timer = setTimeout(() => void this.refresh(), again).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  #read(): Promise<void> {
    return (this.#reading ??= this.#readAll().finally(() => (this.#reading = undefined)));
  }

  async #readAll(): Promise<void> {
    this.#newer = [];
    const records = await this.#options.list();
    this.#all.clear();
    for (const [id, text] of records) {
      this.#all.set(id, withoutData(scheduledIn(id, text)));
    }
    this.#isRead = true;
    for (const change of this.#newer) this.#put(change);
    this.#options.onChange();
  }

  /** Applies a change that this node made, and tells the other nodes. */
  #announce(change: Change): void {
    this.#apply(change);
    const { shared } = this.#options;
    // A node that misses the announcement reads the change from the records later.
    if (shared.isShared) shared.publish(TOPIC, JSON.stringify({ node: shared.node, ...change })).catch(() => {});
  }

  #onAnnouncement(text: string): void {
    const change = changeIn(text);
    if (change !== undefined && change.node !== this.#options.shared.node) this.#apply(change);
  }

  #apply(change: Change): void {
    if (this.#reading !== undefined) this.#newer.push(change);
    this.#put(change);
    if (!change.isGone) this.#options.onChange();
  }

  #put({ scheduled, isGone }: Change): void {
    const { id, created } = scheduled;
    if (!isGone) this.#all.set(id, scheduled);
    else if (this.#all.get(id)?.created === created) this.#all.delete(id);
  }
}

/** The change in an announcement; undefined if it is not one. */
function changeIn(text: string): (Change & { readonly node: unknown }) | undefined {
  try {
    const { node, scheduled, isGone } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (!isObject(scheduled) || typeof scheduled["id"] !== "string" || typeof scheduled["at"] !== "number")
      return undefined;
    return { node, scheduled: scheduled as unknown as Scheduled, isGone: isGone === true };
  } catch {
    return undefined;
  }
}

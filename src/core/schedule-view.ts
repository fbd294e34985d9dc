import { isObject } from "../protocol/json.ts";
import { scheduledIn, withoutData, type Scheduled } from "./scheduled.ts";
import type { SharedStore } from "./shared-store.ts";

export interface ScheduleViewOptions {
  readonly shared: SharedStore;
  /** All that is scheduled, as it is kept. */
  readonly list: () => Promise<ReadonlyMap<string, string>>;
  /** Called when something was added. */
  readonly onChange: () => void;
}

/** Where nodes tell the others of what they schedule, send and cancel. */
const TOPIC = "scheduled";
/** Milliseconds between two looks at all of it: what others tell may be lost. */
const REFRESH = 20_000;
/** Milliseconds until a look that failed is repeated. */
const AGAIN = 1000;

/** One was scheduled, or is no more. */
interface Change {
  readonly scheduled: Scheduled;
  readonly isGone: boolean;
}

/** What is scheduled, without the payloads, as far as this node knows: it is kept up to date by what the nodes tell. */
export class ScheduleView {
  readonly #options: ScheduleViewOptions;
  readonly #unsubscribe: () => void;
  readonly #all = new Map<string, Scheduled>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading: Promise<void> | undefined;
  /** What was told while everything is read: it may be missing there, or be there no more. */
  #told: Change[] = [];
  #isKnown = false;
  #isClosed = false;

  constructor(options: ScheduleViewOptions) {
    this.#options = options;
    this.#unsubscribe = options.shared.subscribe(TOPIC, (text) => this.#hear(text));
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

  /** Resolves once everything was read. Rejects as the records do. */
  async known(): Promise<void> {
    if (!this.#isKnown) await (this.#reading ?? this.#read());
  }

  add(scheduled: Scheduled): void {
    this.#change({ scheduled, isGone: false });
  }

  /** Not one that was scheduled with the same id later. */
  remove(scheduled: Scheduled): void {
    this.#change({ scheduled: withoutData(scheduled), isGone: true });
  }

  /** Reads everything; what cannot be read now is read later. */
  async refresh(): Promise<void> {
    let again = this.#options.shared.isShared ? REFRESH : undefined;
    await this.#read().catch(() => (again = AGAIN));
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
    this.#told = [];
    const records = await this.#options.list();
    this.#all.clear();
    for (const [id, text] of records) {
      this.#all.set(id, withoutData(scheduledIn(id, text)));
    }
    this.#isKnown = true;
    for (const change of this.#told) this.#put(change);
    this.#options.onChange();
  }

  /** A change that this node makes. */
  #change(change: Change): void {
    this.#take(change);
    const { shared } = this.#options;
    // Whoever is not told reads it later.
    if (shared.isShared) shared.publish(TOPIC, JSON.stringify({ node: shared.node, ...change })).catch(() => {});
  }

  #hear(text: string): void {
    const change = changeIn(text);
    if (change !== undefined && change.node !== this.#options.shared.node) this.#take(change);
  }

  #take(change: Change): void {
    if (this.#reading !== undefined) this.#told.push(change);
    this.#put(change);
    if (!change.isGone) this.#options.onChange();
  }

  #put({ scheduled, isGone }: Change): void {
    const { id, created } = scheduled;
    if (!isGone) this.#all.set(id, scheduled);
    else if (this.#all.get(id)?.created === created) this.#all.delete(id);
  }
}

/** What a node told; undefined if it is not what a node tells. */
function changeIn(text: string): (Change & { readonly node: unknown }) | undefined {
  try {
    const told = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const { node, scheduled, isGone } = told;
    if (!isObject(scheduled) || typeof scheduled["id"] !== "string" || typeof scheduled["at"] !== "number")
      return undefined;
    return { node, scheduled: scheduled as unknown as Scheduled, isGone: isGone === true };
  } catch {
    return undefined;
  }
}

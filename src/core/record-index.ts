import { isObject } from "../protocol/json.ts";
import type { SharedStore } from "./shared-store.ts";

export interface RecordIndexOptions<Entry> {
  readonly shared: SharedStore;
  /** The topic on which nodes announce what they add, change and remove. */
  readonly topic: string;
  /** The texts of all records, by id. */
  readonly list: () => Promise<ReadonlyMap<string, string>>;
  /** What the index holds of a record. */
  readonly entryIn: (id: string, text: string) => Entry;
  /** Whether a value that a node announced is an entry. */
  readonly isEntry: (value: Readonly<Record<string, unknown>>) => boolean;
  /** Whether a change of `known` that is announced later is a newer one: announcements of several nodes may cross. */
  readonly isNewer: (change: Entry, known: Entry, isGone: boolean) => boolean;
  /** Called with each entry that was added or changed, and without one after all records have been read. */
  readonly onChange: (entry?: Entry) => void;
}

/** Milliseconds between two reads of all records, since announcements may be lost. */
const REFRESH = 20_000;
/** Milliseconds before a read that failed is tried again. */
const RETRY = 1000;

/** An entry was added or changed, or its record is gone. */
interface Change<Entry> {
  readonly entry: Entry;
  readonly isGone: boolean;
}

/** What this node knows of all records of a kind: read from the records, then kept up to date by announcements. */
export class RecordIndex<Entry extends { readonly id: string }> {
  readonly #options: RecordIndexOptions<Entry>;
  readonly #unsubscribe: () => void;
  readonly #all = new Map<string, Entry>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading: Promise<void> | undefined;
  /** Changes since the records began to be read, which the result may not show. */
  #newer: Change<Entry>[] = [];
  #isRead = false;
  #isClosed = false;

  constructor(options: RecordIndexOptions<Entry>) {
    this.#options = options;
    this.#unsubscribe = options.shared.subscribe(options.topic, (text) => this.#onAnnouncement(text));
    void this.refresh();
  }

  get size(): number {
    return this.#all.size;
  }

  has(id: string): boolean {
    return this.#all.has(id);
  }

  get(id: string): Entry | undefined {
    return this.#all.get(id);
  }

  all(): Entry[] {
    return [...this.#all.values()];
  }

  /** Resolves once all records have been read. Rejects as the records do. */
  async ready(): Promise<void> {
    if (!this.#isRead) await (this.#reading ?? this.#read());
  }

  /** Adds an entry, or changes the one with its id. */
  add(entry: Entry): void {
    this.#announce({ entry, isGone: false });
  }

  /** Removes this one, and not another that got the same id later. */
  remove(entry: Entry): void {
    this.#announce({ entry, isGone: true });
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
    const { list, entryIn, onChange } = this.#options;
    const records = await list();
    this.#all.clear();
    for (const [id, text] of records) this.#all.set(id, entryIn(id, text));
    this.#isRead = true;
    for (const change of this.#newer) this.#put(change);
    onChange();
  }

  /** Applies a change that this node made, and tells the other nodes. */
  #announce(change: Change<Entry>): void {
    this.#apply(change);
    const { shared, topic } = this.#options;
    // A node that misses the announcement reads the change from the records later.
    if (shared.isShared) shared.publish(topic, JSON.stringify({ node: shared.node, ...change })).catch(() => {});
  }

  #onAnnouncement(text: string): void {
    const change = this.#changeIn(text);
    if (change !== undefined && change.node !== this.#options.shared.node) this.#apply(change);
  }

  #apply(change: Change<Entry>): void {
    if (this.#reading !== undefined) this.#newer.push(change);
    this.#put(change);
    if (!change.isGone) this.#options.onChange(change.entry);
  }

  #put({ entry, isGone }: Change<Entry>): void {
    const { id } = entry;
    const known = this.#all.get(id);
    if (known !== undefined && !this.#options.isNewer(entry, known, isGone)) return;
    if (isGone) this.#all.delete(id);
    else this.#all.set(id, entry);
  }

  /** The change in an announcement; undefined if it is not one. */
  #changeIn(text: string): (Change<Entry> & { readonly node: unknown }) | undefined {
    try {
      const { node, entry, isGone } = JSON.parse(text) as Readonly<Record<string, unknown>>;
      if (!isObject(entry) || typeof entry["id"] !== "string" || !this.#options.isEntry(entry)) return undefined;
      return { node, entry: entry as unknown as Entry, isGone: isGone === true };
    } catch {
      return undefined;
    }
  }
}

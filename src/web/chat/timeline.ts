import type { Gap, Message, Receipt } from "../../client/index.ts";
import { isSaid } from "./relation.ts";

/** A line of the timeline. */
export type Entry =
  | { readonly kind: "message"; readonly key: string; readonly message: Message; receipt?: Receipt | undefined }
  | { readonly kind: "gap"; readonly key: string; readonly gap: Gap }
  /** What follows was not read yet. */
  | { readonly kind: "new"; readonly key: string };

/** Rows in the page at most; what is older or newer is fetched again when it is wanted. */
const MAX_ROWS = 400;
/** Rows left when there are too many: so that not every message that comes pushes one out. */
const LEFT = 350;
/** Messages that are counted while the end is out of sight; more are "1000+". */
const COUNTED = 1000;

let keys = 0;

/** An entry of a message; one that is kept has a key that is the same however it came. */
export function entryOf(message: Message, receipt?: Receipt): Entry {
  return { kind: "message", key: message.id ?? `entry ${keys++}`, message, receipt };
}

export function gapEntry(gap: Gap): Entry {
  return { kind: "gap", key: `entry ${keys++}`, gap };
}

/**
 * The messages in the page, in order: a bounded number. At the end, new ones push out the oldest; further up, new ones
 * are left out when there is no room, and counted.
 */
export class Timeline {
  entries: readonly Entry[] = [];
  /** Whether there are messages before the first row. */
  hasOlder = false;
  /** Whether newer ones are not in the page. */
  isCutOff = false;
  /** Whether it is scrolled to the end of what is in the page. */
  isScrolledDown = true;
  /** Whether what is in sight stays where it is with the next change, even at the end. */
  holds = false;
  /** Whether the next rendering goes to the end, wherever the view is. */
  goesToEnd = true;
  /** The message that the next rendering brings into sight. */
  goesTo: string | undefined;
  /** The message that someone was led to. */
  marked: string | undefined;
  readonly #changed: () => void;
  /** What came in while the end was out of sight, by key: what comes again counts once. */
  readonly #unseen = new Set<string>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether the newest message is in sight. */
  get isAtEnd(): boolean {
    return this.isScrolledDown && !this.isCutOff;
  }

  /** Messages that came while the end was out of sight, as it is said. */
  get unseen(): string {
    const { size } = this.#unseen;
    return size === 0 ? "" : size === 1 ? "1 new message" : `${size}${size < COUNTED ? "" : "+"} new messages`;
  }

  /** The id of the oldest message in the page. */
  get oldest(): string | undefined {
    return this.entries.find(isKept)?.key;
  }

  get newest(): string | undefined {
    return this.entries.findLast(isKept)?.key;
  }

  /** The last message in the page for which something holds. */
  lastMessage(holds: (message: Message) => boolean): Message | undefined {
    const entry = this.entries.findLast((each) => each.kind === "message" && holds(each.message));
    return entry?.kind === "message" ? entry.message : undefined;
  }

  /** Who sent what is in the page, each once. */
  get senders(): readonly string[] {
    const senders = this.entries.flatMap((entry) => (entry.kind === "message" ? [entry.message.sender] : []));
    return [...new Set(senders)];
  }

  has(id: string): boolean {
    return this.entries.some(({ key }) => key === id);
  }

  clear(): void {
    this.entries = [];
    this.isCutOff = false;
    this.isScrolledDown = true;
    this.goesToEnd = true;
    this.goesTo = undefined;
    this.marked = undefined;
    this.hasOlder = false;
    this.#unseen.clear();
    this.#changed();
  }

  /** Adds what came, at the end. */
  append(entries: readonly Entry[]): void {
    const fresh = this.#fresh(entries);
    if (this.isAtEnd) {
      this.entries = [...this.entries, ...fresh];
      this.#dropOldest();
    } else {
      const room = this.isCutOff ? 0 : Math.max(MAX_ROWS - this.entries.length, 0);
      this.entries = [...this.entries, ...fresh.slice(0, room)];
      if (fresh.length > room) this.isCutOff = true;
      for (const entry of fresh) {
        if (entry.kind === "message" && isSaid(entry.message) && this.#unseen.size < COUNTED)
          this.#unseen.add(entry.key);
      }
    }
    this.#changed();
  }

  /** Adds older messages before the first. */
  prepend(entries: readonly Entry[]): void {
    this.entries = [...this.#fresh(entries), ...this.entries];
    if (this.entries.length > MAX_ROWS) this.isCutOff = true;
    this.entries = this.entries.slice(0, MAX_ROWS);
    this.#hold();
  }

  /** Adds what was left out after the last. `more`: there is still more. */
  extend(entries: readonly Entry[], more: boolean): void {
    this.entries = [...this.entries, ...this.#fresh(entries)];
    this.#dropOldest();
    this.isCutOff = more;
    this.#hold();
  }

  /** Whether a page of older messages would push nothing out. */
  get hasRoom(): boolean {
    return this.entries.length <= LEFT;
  }

  /** The receipt of a message, if this page has sent it. */
  receiptOf(id: string): Receipt | undefined {
    const entry = this.entries.find(({ key }) => key === id);
    return entry?.kind === "message" ? entry.receipt : undefined;
  }

  /** A message turned out to be one of ours. */
  mark(id: string, receipt: Receipt): void {
    const entry = this.entries.find(({ key }) => key === id);
    if (entry?.kind === "message") entry.receipt ??= receipt;
    this.#changed();
  }

  toEnd(): void {
    this.scrolled(true);
    this.goesToEnd = true;
    this.#changed();
  }

  /** Brings a message into sight that is in the page, and marks it. */
  goTo(id: string): void {
    this.goesTo = id;
    this.goesToEnd = false;
    this.marked = id;
    this.#changed();
  }

  /** The view is at the end of what is in the page, or not. */
  scrolled(isDown: boolean): void {
    const wasAtEnd = this.isAtEnd;
    this.isScrolledDown = isDown;
    if (this.isAtEnd && this.#unseen.size > 0) this.#unseen.clear();
    else if (this.isAtEnd === wasAtEnd) return;
    this.#changed();
  }

  #hold(): void {
    this.holds = true;
    this.#changed();
  }

  #fresh(entries: readonly Entry[]): readonly Entry[] {
    return entries.filter(({ key }) => !this.has(key));
  }

  #dropOldest(): void {
    if (this.entries.length <= MAX_ROWS) return;
    this.entries = this.entries.slice(-LEFT);
    this.hasOlder = true;
  }
}

function isKept(entry: Entry): boolean {
  return entry.kind === "message" && entry.message.id !== null;
}

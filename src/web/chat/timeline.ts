import type { Gap, Message, Receipt } from "../../client/index.ts";
import { kept, rowOf, type Entry } from "./rows.ts";

/** Rows in the page at most; what is older or newer is fetched again when it is wanted. */
const MOST = 400;
/** Rows left when there are too many: so that not each message that comes pushes one out. */
const LEFT = 350;
/** Messages that are counted while the end is out of sight; more are "1000+". */
const COUNTED = 1000;
/** Pixels from the end that count as being there. */
const NEAR = 40;

interface Line {
  readonly entry: Entry;
  row: HTMLLIElement;
}

export interface TimelineElements {
  /** What scrolls. */
  readonly log: HTMLElement;
  readonly rows: HTMLElement;
}

/**
 * The messages in the page, in order: no more than so many, whatever comes. At the end, new ones push out the oldest;
 * further up, new ones are left out when there is no room, and counted.
 */
export class Timeline {
  /** Whether there are messages before the first row. */
  hasOlder = false;
  readonly #log: HTMLElement;
  readonly #rows: HTMLElement;
  readonly #changed: () => void;
  #lines: Line[] = [];
  #byId = new Map<string, Line>();
  #isAtEnd = true;
  #isCutOff = false;
  /** What came in while the end was out of sight, by id: what comes again counts once. */
  #unseen = new Set<string | Entry>();

  constructor({ log, rows }: TimelineElements, changed: () => void) {
    this.#log = log;
    this.#rows = rows;
    this.#changed = changed;
    log.addEventListener("scroll", () => this.#look(), { passive: true });
    new ResizeObserver(() => this.stick()).observe(log);
  }

  /** Whether the newest message is in sight. */
  get isAtEnd(): boolean {
    return this.#isAtEnd && !this.#isCutOff;
  }

  /** Whether newer ones are not in the page. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  /** Messages that came while the end was out of sight, as it is said. */
  get unseen(): string {
    const { size } = this.#unseen;
    return size === 0 ? "" : size === 1 ? "1 new message" : `${size}${size < COUNTED ? "" : "+"} new messages`;
  }

  /** The id of the oldest message in the page. */
  get oldest(): string | undefined {
    for (const { entry } of this.#lines) {
      if (entry.kind === "message" && entry.message.id !== null) return entry.message.id;
    }
    return undefined;
  }

  get newest(): string | undefined {
    const last = this.#lines.findLast(({ entry }) => entry.kind === "message" && entry.message.id !== null);
    return last?.entry.kind === "message" ? (last.entry.message.id ?? undefined) : undefined;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  clear(): void {
    this.#lines = [];
    this.#byId = new Map();
    this.#isCutOff = false;
    this.#unseen.clear();
    this.#isAtEnd = true;
    this.hasOlder = false;
    this.#rows.replaceChildren();
    this.#changed();
  }

  /** Adds what came, at the end. */
  append(entries: readonly Entry[]): void {
    const fresh = entries.filter((entry) => !this.#knows(entry));
    const follows = this.isAtEnd;
    const room = this.#isCutOff ? 0 : Math.max(MOST - this.#lines.length, 0);
    const added = follows ? fresh.slice(-MOST) : fresh.slice(0, room);
    // Rows that all go need not be taken out one by one.
    if (added.length === MOST) this.#drop(0, this.#lines.length);
    this.#rows.append(...added.map((entry) => this.#push(entry)));
    if (follows) {
      if (added.length < fresh.length) this.hasOlder = true;
      if (this.#lines.length > MOST) this.#drop(0, this.#lines.length - LEFT);
    } else {
      for (const entry of fresh) this.#count(entry);
      if (added.length < fresh.length) this.#isCutOff = true;
    }
    this.stick();
    this.#changed();
  }

  /** Adds older messages in front; what is in sight stays where it is. */
  prepend(messages: readonly Message[]): void {
    const fresh = messages.filter(({ id }) => id === null || !this.#byId.has(id));
    const fromEnd = this.#log.scrollHeight - this.#log.scrollTop;
    const after = this.#lines;
    this.#lines = [];
    const rows = fresh.map((message) => this.#push({ kind: "message", message }));
    this.#lines.push(...after);
    this.#rows.prepend(...rows);
    this.#renew(rows.length);
    this.#log.scrollTop = this.#log.scrollHeight - fromEnd;
    const surplus = this.#lines.length - MOST;
    if (surplus > 0) {
      this.#drop(this.#lines.length - surplus, surplus);
      this.#isCutOff = true;
    }
    this.#look();
  }

  /** Adds what was left out behind the last row; what is in sight stays where it is. `more`: there is still more. */
  extend(entries: readonly Entry[], more: boolean): void {
    const held = this.#lines.at(-1);
    const place = this.#log.scrollTop - (held?.row.offsetTop ?? 0);
    const fresh = entries.filter((entry) => !this.#knows(entry));
    this.#rows.append(...fresh.map((entry) => this.#push(entry)));
    if (this.#lines.length > MOST) this.#drop(0, this.#lines.length - LEFT);
    this.#isCutOff = more;
    if (held !== undefined) this.#log.scrollTop = held.row.offsetTop + place;
    this.#look();
  }

  /** A message turned out to be one of ours. */
  mark(id: string, receipt: Receipt): void {
    const line = this.#byId.get(id);
    if (line?.entry.kind !== "message" || line.entry.receipt !== undefined) return;
    line.entry.receipt = receipt;
    line.row.append(kept(receipt));
  }

  gap(gap: Gap): void {
    this.append([{ kind: "gap", gap }]);
  }

  /** Goes to the end of what is in the page. */
  toEnd(): void {
    this.#isAtEnd = true;
    this.stick();
    this.#look();
  }

  /** Stays at the end, where it was there. */
  stick(): void {
    if (this.#isAtEnd) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #look(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.isAtEnd) this.#unseen.clear();
    this.#changed();
  }

  #count(entry: Entry): void {
    if (entry.kind === "message" && this.#unseen.size < COUNTED) this.#unseen.add(entry.message.id ?? entry);
  }

  #knows(entry: Entry): boolean {
    return entry.kind === "message" && entry.message.id !== null && this.#byId.has(entry.message.id);
  }

  #push(entry: Entry): HTMLLIElement {
    const line = { entry, row: rowOf(entry, this.#above(this.#lines.length)) };
    this.#lines.push(line);
    if (entry.kind === "message" && entry.message.id !== null) this.#byId.set(entry.message.id, line);
    return line.row;
  }

  /** Takes rows out. */
  #drop(start: number, count: number): void {
    if (count <= 0) return;
    for (const { entry, row } of this.#lines.splice(start, count)) {
      row.remove();
      if (entry.kind === "message" && entry.message.id !== null) this.#byId.delete(entry.message.id);
    }
    if (start > 0) return;
    this.hasOlder = true;
    this.#renew(0);
  }

  /** What a row needs to know of those above it. */
  #above(index: number): Entry[] {
    return this.#lines.slice(Math.max(index - 2, 0), index).map(({ entry }) => entry);
  }

  /** Makes a row anew: another one is above it now. */
  #renew(index: number): void {
    const line = this.#lines[index];
    if (line === undefined) return;
    const row = rowOf(line.entry, this.#above(index));
    line.row.replaceWith(row);
    line.row = row;
  }
}

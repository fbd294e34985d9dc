import { Kept } from "./kept.ts";

export interface RowsOptions<Item> {
  /** Where rows scroll: a listbox. */
  readonly box: HTMLElement;
  /** Shows all of the item that is chosen. */
  readonly detail: HTMLElement;
  /** Brings the newest back into view. */
  readonly newest: HTMLButtonElement;
  /** Items that are kept. */
  readonly capacity: number;
  /** Writes an item into an empty row. */
  readonly fill: (row: HTMLElement, item: Item) => void;
  /** All there is to say about an item. */
  readonly describe: (item: Item) => string;
  /** Called with every change, at most once a frame. */
  readonly onFrame: () => void;
}

interface Entry<Item> {
  readonly row: HTMLElement;
  item: Item | undefined;
  index: number;
}

/** Pixels; the stylesheet says the same. */
const ROW = 28;
/** Milliseconds that what comes may wait to be drawn: nobody reads faster. */
const PATIENCE = 60;
/** Rows beyond each edge, so that none is missing while it scrolls. */
const MARGIN = 6;

/** A list of any length of which only the rows in view exist; it follows the newest until somebody scrolls away. */
export class Rows<Item> {
  readonly kept: Kept<Item>;
  readonly #options: RowsOptions<Item>;
  readonly #space = document.createElement("div");
  /** The rows there are, and what each shows. */
  readonly #pool: Entry<Item>[] = [];
  #following = true;
  /** Where it scrolled by itself last. */
  #ownTop = -1;
  #scheduled = false;
  /** Set while what came waits to be drawn. */
  #waiting: ReturnType<typeof setTimeout> | undefined;
  #chosen: Item | undefined;
  /** How many rows have gone at the front since the last frame. */
  #gone = 0;

  constructor(options: RowsOptions<Item>) {
    this.#options = options;
    this.kept = new Kept(options.capacity);
    const { box, newest } = options;
    this.#space.setAttribute("role", "presentation");
    box.append(this.#space);
    box.addEventListener("scroll", () => {
      // Only who scrolls away, or back, says what is to be followed.
      if (box.scrollTop !== this.#ownTop) {
        this.#following = box.scrollTop + box.clientHeight > box.scrollHeight - ROW;
        this.#ownTop = -1;
      }
      this.draw();
    });
    box.addEventListener("click", ({ target }) => {
      const found = this.#pool.find(({ row }) => target instanceof Node && row.contains(target));
      this.#choose(found?.item);
    });
    box.addEventListener("keydown", (event) => this.#key(event));
    newest.addEventListener("click", () => {
      this.#follow();
      box.focus();
    });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  push(item: Item): void {
    this.#gone += this.kept.push(item);
    this.#waiting ??= setTimeout(() => this.draw(), PATIENCE);
  }

  filter(matches: (item: Item) => boolean): void {
    this.kept.filter(matches);
    this.#follow();
  }

  pause(paused: boolean): void {
    this.#gone += this.kept.pause(paused);
    this.draw();
  }

  /** Has everything drawn anew with the next frame. */
  draw(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      clearTimeout(this.#waiting);
      this.#waiting = undefined;
      this.#draw();
    });
  }

  #draw(): void {
    const { box, newest, onFrame } = this.#options;
    const { shown } = this.kept;
    // A height that shrinks moves it, too.
    const top = box.scrollTop;
    this.#space.style.height = `${shown.length * ROW}px`;
    if (this.#following) this.#scrollTo(shown.length * ROW);
    else if (this.#gone > 0) this.#scrollTo(top - this.#gone * ROW);
    this.#gone = 0;
    const first = Math.max(Math.floor(box.scrollTop / ROW) - MARGIN, 0);
    const last = Math.min(first + Math.ceil(box.clientHeight / ROW) + 2 * MARGIN, shown.length);
    const wanted = last - first;
    while (this.#pool.length < wanted) this.#add();
    let active = "";
    for (const [place, entry] of this.#pool.entries()) {
      // Each item goes into the same row as long as it is in view, so that most rows stay as they are.
      const index = first + ((((place - first) % this.#pool.length) + this.#pool.length) % this.#pool.length);
      const item = index < last ? shown[index] : undefined;
      this.#show(entry, item, index, shown.length);
      if (item !== undefined && item === this.#chosen) active = entry.row.id;
    }
    if (active === "") box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", active);
    newest.hidden = this.#following;
    onFrame();
  }

  #show(entry: Entry<Item>, item: Item | undefined, index: number, size: number): void {
    const { row } = entry;
    row.hidden = item === undefined;
    if (item === undefined) return;
    if (entry.index !== index) row.style.transform = `translateY(${index * ROW}px)`;
    entry.index = index;
    row.setAttribute("aria-posinset", String(index + 1));
    row.setAttribute("aria-setsize", String(size));
    row.setAttribute("aria-selected", String(item === this.#chosen));
    if (entry.item === item) return;
    entry.item = item;
    row.className = "row";
    row.replaceChildren();
    this.#options.fill(row, item);
  }

  #add(): void {
    const row = document.createElement("div");
    row.id = `${this.#options.box.id}-row-${this.#pool.length}`;
    row.setAttribute("role", "option");
    this.#pool.push({ row, item: undefined, index: -1 });
    this.#space.append(row);
  }

  #scrollTo(top: number): void {
    const { box } = this.#options;
    box.scrollTop = top;
    this.#ownTop = box.scrollTop;
  }

  #follow(): void {
    this.#following = true;
    this.draw();
  }

  #choose(item: Item | undefined): void {
    const { detail, describe } = this.#options;
    this.#chosen = item === this.#chosen ? undefined : item;
    detail.hidden = this.#chosen === undefined;
    if (this.#chosen !== undefined) {
      detail.textContent = describe(this.#chosen);
      this.#following = false;
    }
    this.draw();
  }

  #key(event: KeyboardEvent): void {
    const { box } = this.#options;
    const { shown } = this.kept;
    const at = this.#chosen === undefined ? shown.length : shown.lastIndexOf(this.#chosen);
    const next = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0 }[event.key];
    if (event.key === "Escape") this.#choose(undefined);
    else if (event.key === "End") {
      this.#choose(undefined);
      this.#follow();
    } else if (next !== undefined) {
      const index = Math.min(Math.max(next, 0), shown.length - 1);
      const item = shown[index];
      if (item === undefined) return;
      if (item !== this.#chosen) this.#choose(item);
      const top = index * ROW;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
    } else return;
    event.preventDefault();
  }
}

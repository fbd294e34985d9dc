import { element, labelled } from "../page.ts";
import { compact, COMPACT_FROM, count, decimal } from "../shared/format.ts";
import { rove, stopAt } from "../roving.ts";
import { Rates } from "./rates.ts";

/** A channel as `list_channels` tells of it. */
export interface ListedChannel {
  readonly channel: string;
  readonly readers: number;
  readonly messages: number;
}

interface Row {
  readonly row: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
}

/** Seconds over which the rate is taken. */
const SECONDS = 10;
/** Channels whose rates are counted. */
const COUNTED = 2000;
/** Rows of the table. */
const SHOWN = 50;
const BY_NAME = new Intl.Collator(undefined, { numeric: true });
/** What chooses a channel; together they are one stop of the Tab key. */
const NAMES = "th button";

/** The channels with their readers and rates, the busiest first. */
export class Channels {
  readonly rates: Rates = new Rates(SECONDS, COUNTED);
  readonly #body = element("channel-rows", HTMLTableSectionElement);
  readonly #count = element("channels-count", HTMLElement);
  readonly #rows = new Map<string, Row>();
  readonly #choose: (channel: string) => void;
  #listed = new Map<string, ListedChannel>();
  #more = false;

  /** `choose` is called with the channel whose name is pressed. */
  constructor(choose: (channel: string) => void) {
    this.#choose = choose;
    rove(this.#body, NAMES);
  }

  list(channels: readonly ListedChannel[], more: boolean): void {
    this.#listed = new Map(channels.map((listed) => [listed.channel, listed]));
    this.#more = more;
    this.draw();
  }

  /** Brings the table up to date. */
  draw(): void {
    const names = new Set([...this.#listed.keys(), ...this.rates.channels]);
    const busiest = [...names]
      .map((name) => ({ name, rate: this.rates.of(name) }))
      .sort((a, b) => b.rate - a.rate || BY_NAME.compare(a.name, b.name))
      .slice(0, SHOWN);
    const wanted = new Set(busiest.map(({ name }) => name));
    for (const [name, { row }] of this.#rows) {
      if (wanted.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    const focused = document.activeElement;
    for (const [place, { name, rate }] of busiest.entries()) {
      const { row, cells } = this.#row(name);
      const listed = this.#listed.get(name);
      const messages = listed?.messages ?? NaN;
      const texts = [
        compact(listed?.readers ?? NaN),
        rate < COMPACT_FROM ? decimal(rate) : compact(rate),
        compact(messages),
      ];
      for (const [index, cell] of cells.entries()) labelled(cell, texts[index] ?? "");
      if (cells[2] !== undefined && messages >= COMPACT_FROM) cells[2].title = count(messages);
      const there = this.#body.children[place];
      if (there !== row) this.#body.insertBefore(row, there ?? null);
    }
    // What is moved loses the focus.
    if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) focused.focus();
    const stops = [...this.#body.querySelectorAll<HTMLElement>(NAMES)];
    stopAt(
      stops,
      stops.find((stop) => stop === document.activeElement),
    );
    const all = `${names.size === 1 ? "1 channel" : `${count(names.size)} channels`}${this.#more ? " and more" : ""}`;
    labelled(this.#count, names.size === 0 ? "None yet" : names.size > SHOWN ? `${all}, the busiest ${SHOWN}` : all);
  }

  #row(name: string): Row {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.title = "Show only its messages";
    button.addEventListener("click", () => this.#choose(name));
    head.append(button);
    const cells = [1, 2, 3].map(() => document.createElement("td"));
    row.append(head, ...cells);
    const made = { row, cells };
    this.#rows.set(name, made);
    return made;
  }
}

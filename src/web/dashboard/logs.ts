import { made } from "../made.ts";
import { element, labelled, onPause } from "../page.ts";
import { clock, count } from "../shared/format.ts";
import { Rows } from "./rows.ts";

/** What `hub.logs` brings. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
}

const CAPACITY = 2000;
const LEVELS: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal"];

/** The lines that the server logs. */
export class Logs {
  readonly #rows: Rows<LogLine>;
  readonly #text = element("logs-text", HTMLInputElement);
  readonly #level = element("logs-level", HTMLSelectElement);
  readonly #count = element("logs-count", HTMLElement);

  constructor() {
    this.#rows = new Rows<LogLine>({
      box: element("logs", HTMLElement),
      detail: element("logs-detail", HTMLElement),
      newest: element("logs-newest", HTMLButtonElement),
      capacity: CAPACITY,
      fill,
      describe: ({ level, time, msg }) => `${time}  ${level}\n${msg}`,
      onFrame: () => this.#tell(),
    });
    for (const field of [this.#text, this.#level]) field.addEventListener("input", () => this.#filter());
    onPause(element("logs-pause", HTMLButtonElement), (paused) => this.#rows.pause(paused));
  }

  add(line: LogLine): void {
    this.#rows.push(line);
  }

  #filter(): void {
    const words = this.#text.value.trim().toLowerCase();
    const least = LEVELS.indexOf(this.#level.value);
    this.#rows.filter(({ level, msg }) => LEVELS.indexOf(level) >= least && msg.toLowerCase().includes(words));
  }

  #tell(): void {
    const { kept } = this.#rows;
    const all = kept.size === 1 ? "1 line" : `${count(kept.size)} lines`;
    const shown = kept.shown.length === kept.size ? all : `${count(kept.shown.length)} of ${all}`;
    labelled(this.#count, kept.size === 0 ? "None since this page opened" : shown + (kept.paused ? ", paused" : ""));
  }
}

function fill(row: HTMLElement, { level, time, msg }: LogLine): void {
  row.classList.add(`level-${LEVELS.includes(level) ? level : "info"}`);
  row.append(made("time", "", clock(Date.parse(time))), made("b", "", level), made("span", "", msg));
}

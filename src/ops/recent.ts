import type { Figures, RecentActivity, RecentLine } from "../protocol/server-info.ts";

/** Figures that are kept: ten minutes of them, one a second. */
const MAX_FIGURES = 600;
/** Log lines that are kept. */
const MAX_LINES = 500;

/** What this node did lately, for whoever begins to look at it. In memory: a restart forgets it. */
export class Recent {
  readonly #figures: Figures[] = [];
  readonly #lines: RecentLine[] = [];

  figures(figures: Figures): void {
    this.#figures.push(figures);
    if (this.#figures.length > MAX_FIGURES) this.#figures.shift();
  }

  line(line: RecentLine): void {
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
  }

  /** The oldest first. */
  get activity(): RecentActivity {
    return { stats: [...this.#figures], logs: [...this.#lines] };
  }
}

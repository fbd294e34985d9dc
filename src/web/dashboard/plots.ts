import type UPlot from "uplot";
import type { ServerInfo } from "../../wire/server-info.ts";
import { count, decimal, mebibytes, milliseconds, percent } from "../shared/format.ts";
import { Plot } from "./plot.ts";
import { StatsRing } from "./stats-ring.ts";

/** One line of a plot. */
type Reading = (info: ServerInfo) => number | null;

interface Plotted {
  readonly show: (value: number) => string;
  readonly readings: readonly Reading[];
  /** The top of the scale is at least here. */
  readonly top: number;
  readonly unit: string;
}

const MEBIBYTE = 2 ** 20;
/** Seconds that are kept. */
const KEPT = 600;
/** Seconds that are shown at least. */
const SHORTEST = 30;
/** Seconds without news after which the lines are broken. */
const SILENCE = 3;

/** Each plot by its name in the page. */
const PLOTTED: Readonly<Record<string, Plotted>> = {
  messages: {
    show: decimal,
    readings: [({ messages }) => messages.publishedPerSecond, ({ messages }) => messages.deliveredPerSecond],
    top: 10,
    unit: "/s",
  },
  delivery: {
    show: milliseconds,
    readings: [({ delivery }) => delivery.p50Ms, ({ delivery }) => delivery.p99Ms],
    top: 1,
    unit: " ms",
  },
  connections: {
    show: count,
    readings: [
      ({ connections }) => connections.sse,
      ({ connections }) => connections.websocket,
      ({ connections }) => connections.mcp,
      ({ connections }) => connections.waiting,
    ],
    top: 4,
    unit: "",
  },
  cpu: { show: percent, readings: [({ cpu }) => cpu.percent], top: 20, unit: " %" },
  memory: {
    show: mebibytes,
    readings: [({ memory }) => memory.rssBytes / MEBIBYTE, ({ memory }) => memory.heapUsedBytes / MEBIBYTE],
    top: 64,
    unit: " MiB",
  },
  loop: {
    show: milliseconds,
    readings: [({ eventLoop }) => eventLoop.delayMeanMs, ({ eventLoop }) => eventLoop.delayP99Ms],
    top: 10,
    unit: " ms",
  },
};

const READINGS: readonly Reading[] = Object.values(PLOTTED).flatMap(({ readings }) => readings);

/** The plots of the last ten minutes. */
export class Plots {
  readonly #ring = new StatsRing(1 + READINGS.length, KEPT);
  readonly #plots: readonly { readonly plot: Plot; readonly columns: readonly number[] }[];

  constructor() {
    let column = 1;
    this.#plots = Object.entries(PLOTTED).map(([name, { show, readings, top, unit }]) => {
      const figure = document.querySelector<HTMLElement>(`[data-plot="${name}"]`);
      if (figure === null) throw new Error(`the page has no plot ${name}`);
      return { plot: new Plot(figure, { show, top, unit }), columns: readings.map(() => column++) };
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const { plot } of this.#plots) plot.recolour();
    });
  }

  add(info: ServerInfo): void {
    const now = Date.now() / 1000;
    const last = this.#ring.last(0);
    if (now - last > SILENCE) this.#ring.push([last + 1]);
    this.#ring.push([now, ...READINGS.map((reading) => reading(info) ?? NaN)]);
    const times = this.#ring.column(0);
    for (const { plot, columns } of this.#plots) {
      const lines = columns.map((column) =>
        Array.from(this.#ring.column(column), (value) => (Number.isNaN(value) ? null : value)),
      );
      plot.draw([times, ...lines] as UPlot.AlignedData, [
        Math.max(now - KEPT, Math.min(times[0] ?? now, now - SHORTEST)),
        now,
      ]);
    }
  }
}

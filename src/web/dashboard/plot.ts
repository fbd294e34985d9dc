import UPlot from "uplot";
import { clock, scale } from "../shared/format.ts";
import { made } from "../made.ts";
import { labelled } from "../page.ts";

export interface PlotOptions {
  readonly show: (value: number) => string;
  /** The top of the scale is at least here. */
  readonly top: number;
  /** The unit after a number of the scale. */
  readonly unit: string;
}

/** Pixels of half a time. */
const HALF = 28;
/** Points that are under the pointer together. */
const SYNC = "dashboard";
const NOTHING = "–";

/** One figure: its lines, and the value of each beside its name, now or under the pointer. */
export class Plot {
  readonly #options: PlotOptions;
  readonly #plot: UPlot;
  readonly #image: HTMLElement;
  readonly #title: string;
  readonly #values: readonly HTMLElement[];
  /** When what is told was so, under the pointer. */
  readonly #time = made("time", "at");
  #colours: readonly string[] = [];
  #grid = "";
  #text = "";
  #range: [number, number] = [0, 1];

  constructor(figure: HTMLElement, options: PlotOptions) {
    this.#options = options;
    this.#image = figure.querySelector<HTMLElement>(".plot") as HTMLElement;
    this.#title = figure.querySelector("h2")?.textContent ?? "";
    this.#values = [...figure.querySelectorAll("dd")];
    this.#image.append(this.#time);
    this.#readColours();
    const lines = this.#values.map((_, index) => ({
      stroke: () => this.#colours[index] ?? "",
      width: 1.5,
      // A value between two moments without one is no line.
      points: { show: true, size: 4, filter: (plot: UPlot, series: number) => lonely(plot.data[series] ?? []) },
      // Under the first line only, or they would cover each other.
      ...(index === 0 && { fill: () => (this.#colours[0] ?? "").replace("rgb(", "rgba(").replace(")", ", 0.1)") }),
    }));
    const axis = {
      stroke: () => this.#text,
      grid: { stroke: () => this.#grid, width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    this.#plot = new UPlot(
      {
        ...this.#size,
        legend: { show: false },
        padding: [8, 4, 0, 0],
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: SYNC } },
        scales: {
          x: { range: () => this.#range },
          y: { range: (_, __, most) => [0, Math.max(most * 1.1, options.top)] },
        },
        axes: [
          {
            ...axis,
            size: 20,
            gap: 2,
            space: 80,
            values: (plot, splits) => splits.map((split) => (hasRoom(plot, split) ? clock(split * 1000) : "")),
          },
          {
            ...axis,
            size: 54,
            gap: 4,
            space: 30,
            values: (_, splits) => splits.map((split) => `${scale(split)}${options.unit}`),
          },
        ],
        series: [{}, ...lines],
        hooks: { setCursor: [() => this.#tell()] },
      },
      [[], ...lines.map(() => [])],
      this.#image,
    );
    new ResizeObserver(() => this.#plot.setSize(this.#size)).observe(this.#image);
  }

  draw(data: UPlot.AlignedData, range: [number, number]): void {
    this.#range = range;
    this.#plot.setData(data);
    this.#tell();
  }

  /** Takes the colours of the page anew. */
  recolour(): void {
    this.#readColours();
    this.#plot.redraw(false, true);
  }

  get #size(): { width: number; height: number } {
    return { width: Math.max(this.#image.clientWidth, 100), height: Math.max(this.#image.clientHeight, 60) };
  }

  /** The stylesheet says what colours there are: as the text of each name, and of the picture. */
  #readColours(): void {
    this.#colours = this.#values.map((value) => getComputedStyle(value.parentElement as HTMLElement).color);
    const { color, borderTopColor } = getComputedStyle(this.#image);
    this.#text = color;
    this.#grid = borderTopColor;
  }

  #tell(): void {
    const { data, cursor } = this.#plot;
    const isPointed = typeof cursor.idx === "number" && (cursor.left ?? -1) >= 0;
    // Before the first moment there is nothing, though the first is the nearest.
    const moment = isPointed ? this.#plot.posToVal(cursor.left ?? 0, "x") : NaN;
    const isBefore = moment < (data[0][0] ?? Infinity) - 1;
    const index = cursor.idx ?? data[0].length - 1;
    labelled(this.#time, isPointed ? clock((isBefore ? moment : (data[0][index] ?? moment)) * 1000) : "");
    const told = this.#values.map((value, line) => {
      const at = isBefore ? undefined : data[line + 1]?.[index];
      const text = at === null || at === undefined ? NOTHING : this.#options.show(at);
      labelled(value, text);
      return `${value.previousElementSibling?.textContent ?? ""} ${text}`;
    });
    this.#image.setAttribute("aria-label", `${this.#title}: ${told.join(", ")}`);
  }
}

/** Where there is a value and none beside it. */
function lonely(values: UPlot.AlignedData[number]): number[] {
  const isNone = (index: number): boolean => (values[index] ?? null) === null;
  return [...values.keys()].filter((index) => !isNone(index) && isNone(index - 1) && isNone(index + 1));
}

/** Whether the time of a moment would lie neither over the numbers at the side nor over the edge. */
function hasRoom(plot: UPlot, moment: number): boolean {
  const at = plot.valToPos(moment, "x");
  return at >= HALF && at <= plot.over.clientWidth - HALF;
}

import UPlot from "uplot";
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, scale } from "../shared/format.ts";

/** One line of a plot. */
export interface Series {
  readonly name: string;
  /** What the name stands for, if it is short for something. */
  readonly title?: string;
  readonly id?: string;
}

export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly show: (value: number) => string;
  /** The top of the scale is at least here. */
  readonly top: number;
  /** What stands after a number of the scale. */
  readonly unit: string;
  readonly series: readonly Series[];
}

interface PlotProps {
  readonly figure: Figure;
  /** The times, in seconds, and the values of each line. */
  readonly data: UPlot.AlignedData;
  readonly range: readonly [from: number, to: number];
}

interface Hooks {
  readonly range: () => [from: number, to: number];
  /** The pointer is elsewhere now. */
  readonly moved: () => void;
}

/** Pixels of half a time. */
const HALF = 28;
/** Points of all plots that are under the pointer together. */
const SYNC = "dashboard";
const NOTHING = "–";

/** One figure: its lines, and the value of each beside its name, now or under the pointer. */
export function Plot({ figure, data, range }: PlotProps) {
  const { name, title, series, show } = figure;
  const image = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLDListElement>(null);
  const plot = useRef<UPlot>(undefined);
  const shown = useRef(range);
  shown.current = range;
  const [, point] = useState<number>();
  useEffect(() => {
    const [box, names] = [image.current as HTMLElement, legend.current as HTMLElement];
    const drawn = create(figure, box, names, {
      range: () => [...shown.current],
      moved: () => point(drawn.cursor.left),
    });
    plot.current = drawn;
    const observer = new ResizeObserver(() => drawn.setSize(sizeOf(box)));
    observer.observe(box);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const recolour = (): void => drawn.redraw(false, true);
    dark.addEventListener("change", recolour);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", recolour);
      drawn.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [data]);

  const { time, index } = pointed(plot.current, data);
  const texts = series.map((_, line) => {
    const value = index === undefined ? null : (data[line + 1]?.[index] ?? null);
    return value === null ? NOTHING : show(value);
  });
  return (
    <figure data-plot={name}>
      <figcaption>
        <h2>{title}</h2>
        <dl ref={legend}>
          {series.map((line, place) => (
            <div key={line.name} class={`series-${place + 1}`}>
              <dt>{line.title === undefined ? line.name : <abbr title={line.title}>{line.name}</abbr>}</dt>
              <dd id={line.id}>{texts[place]}</dd>
            </div>
          ))}
        </dl>
      </figcaption>
      <div
        ref={image}
        class="plot"
        role="img"
        aria-label={`${title}: ${series.map((line, place) => `${line.name} ${texts[place]}`).join(", ")}`}
      >
        <time class="at">{time}</time>
      </div>
    </figure>
  );
}

/** What is under the pointer, and when that was; the newest, and no time, if it is elsewhere. */
function pointed(
  plot: UPlot | undefined,
  [times]: UPlot.AlignedData,
): { readonly time: string; readonly index?: number } {
  const { idx, left = -1 } = plot?.cursor ?? {};
  if (plot === undefined || typeof idx !== "number" || left < 0) return { time: "", index: times.length - 1 };
  const moment = plot.posToVal(left, "x");
  // Before the first moment there is nothing, though the first is the nearest.
  if (moment < (times[0] ?? Infinity) - 1) return { time: clock(moment * 1000) };
  return { time: clock((times[idx] ?? moment) * 1000), index: idx };
}

/** Draws a figure in colours of the stylesheet: the text of each name, and the text and edge of the picture. */
function create({ series, top, unit }: Figure, box: HTMLElement, names: HTMLElement, { range, moved }: Hooks): UPlot {
  const colourOf = (line: number): string => getComputedStyle(names.children[line] ?? names).color;
  const lines = series.map((_, line) => ({
    stroke: () => colourOf(line),
    width: 1.5,
    // A value between two moments without a value does not make a line: it is drawn as a point.
    points: { show: true, size: 4, filter: (plot: UPlot, index: number) => lonely(plot.data[index] ?? []) },
    // Under the first line only, or they would cover each other.
    ...(line === 0 && { fill: () => colourOf(0).replace("rgb(", "rgba(").replace(")", ", 0.1)") }),
  }));
  const axis = {
    stroke: () => getComputedStyle(box).color,
    grid: { stroke: () => getComputedStyle(box).borderTopColor, width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return new UPlot(
    {
      ...sizeOf(box),
      legend: { show: false },
      padding: [8, 4, 0, 0],
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: SYNC } },
      scales: { x: { range }, y: { range: (_, __, most) => [0, Math.max(most * 1.1, top)] } },
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
          values: (_, splits) => splits.map((split) => `${scale(split)}${unit}`),
        },
      ],
      series: [{}, ...lines],
      hooks: { setCursor: [moved] },
    },
    [[], ...series.map(() => [])],
    box,
  );
}

function sizeOf(box: HTMLElement): { readonly width: number; readonly height: number } {
  return { width: Math.max(box.clientWidth, 100), height: Math.max(box.clientHeight, 60) };
}

/** The places of values that have none beside them. */
function lonely(values: UPlot.AlignedData[number]): number[] {
  const isNone = (index: number): boolean => (values[index] ?? null) === null;
  return [...values.keys()].filter((index) => !isNone(index) && isNone(index - 1) && isNone(index + 1));
}

/** Whether the time of a moment would lie neither over the numbers at the side nor over the edge. */
function hasRoom(plot: UPlot, moment: number): boolean {
  const at = plot.valToPos(moment, "x");
  return at >= HALF && at <= plot.over.clientWidth - HALF;
}

import { useMemo } from "preact/hooks";
import type UPlot from "uplot";
import type { Figures, RecentActivity } from "../../protocol/server-info.ts";
import { count, decimal, mebibytes, milliseconds, percent } from "../shared/format.ts";
import { Plot, type Figure, type Series } from "./plot.tsx";

/** What is plotted of one moment; without `figures` if the lines break here. */
export interface Moment {
  /** Seconds since 1970. */
  readonly time: number;
  readonly figures: Omit<Figures, "time"> | undefined;
}

const MEBIBYTE = 2 ** 20;
/** Seconds that are kept. */
const KEPT = 600;
/** Seconds that are shown at least. */
const SHORTEST = 30;
/** Seconds without news after which the lines break. */
const SILENCE = 3;

/** A line of a plot, and where its values come from. */
interface Line extends Series {
  readonly of: (figures: Omit<Figures, "time">) => number | null;
}

const FIGURES: readonly (Omit<Figure, "series"> & { readonly series: readonly Line[] })[] = [
  {
    name: "messages",
    title: "Messages per second",
    show: decimal,
    top: 10,
    unit: "/s",
    series: [
      { name: "in", of: ({ messages }) => messages.publishedPerSecond },
      { name: "out", of: ({ messages }) => messages.deliveredPerSecond },
    ],
  },
  {
    name: "delivery",
    title: "Delivery latency",
    show: milliseconds,
    top: 1,
    unit: " ms",
    series: [
      { name: "p50", of: ({ delivery }) => delivery.p50Ms },
      { name: "p99", of: ({ delivery }) => delivery.p99Ms },
    ],
  },
  {
    name: "connections",
    title: "Connections",
    show: count,
    top: 4,
    unit: "",
    series: [
      { name: "SSE", id: "sse", of: ({ connections }) => connections.sse },
      { name: "WS", title: "WebSocket", id: "websocket", of: ({ connections }) => connections.websocket },
      { name: "MCP", id: "mcp", of: ({ connections }) => connections.mcp },
      {
        name: "calls",
        title: "tool calls that wait for messages",
        id: "waiting",
        of: ({ connections }) => connections.waiting,
      },
    ],
  },
  {
    name: "cpu",
    title: "CPU",
    show: percent,
    top: 20,
    unit: " %",
    series: [{ name: "of one core", of: ({ cpu }) => cpu.percent }],
  },
  {
    name: "memory",
    title: "Memory",
    show: mebibytes,
    top: 64,
    unit: " MiB",
    series: [
      { name: "process", of: ({ memory }) => memory.rssBytes / MEBIBYTE },
      { name: "heap", of: ({ memory }) => memory.heapUsedBytes / MEBIBYTE },
    ],
  },
  {
    name: "loop",
    title: "Event-loop delay",
    show: milliseconds,
    top: 10,
    unit: " ms",
    series: [
      { name: "mean", of: ({ eventLoop }) => eventLoop.delayMeanMs },
      { name: "p99", of: ({ eventLoop }) => eventLoop.delayP99Ms },
    ],
  },
];

/** The moments with one more; after a silence, the lines break. */
export function withMoment(
  moments: readonly Moment[],
  figures: Moment["figures"],
  time: number = Date.now() / 1000,
): readonly Moment[] {
  const last = moments.at(-1)?.time ?? time;
  const silence = time - last > SILENCE ? [{ time: last + 1, figures: undefined }] : [];
  return [...moments, ...silence, { time, figures }].slice(-KEPT);
}

/** The moments that the server remembers, and those after them that the page has seen. */
export function withPast(moments: readonly Moment[], stats: RecentActivity["stats"]): readonly Moment[] {
  let all: readonly Moment[] = [];
  for (const { time, ...figures } of stats) all = withMoment(all, figures, Date.parse(time) / 1000);
  const end = all.at(-1)?.time ?? 0;
  return [...all, ...moments.filter(({ time }) => time > end)].slice(-KEPT);
}

/** The plots of the last ten minutes. */
export function Plots({ moments }: { readonly moments: readonly Moment[] }) {
  const times = useMemo(() => moments.map(({ time }) => time), [moments]);
  const data = useMemo(
    () =>
      FIGURES.map(({ series }) => [
        times,
        ...series.map(({ of }) => moments.map(({ figures }) => figures && of(figures))),
      ]),
    [moments],
  );
  const now = times.at(-1) ?? 0;
  const range = [Math.max(now - KEPT, Math.min(times[0] ?? now, now - SHORTEST)), now] as const;
  return (
    <section class="plots" aria-label="The last ten minutes">
      {FIGURES.map((figure, place) => (
        <Plot key={figure.name} figure={figure} data={data[place] as UPlot.AlignedData} range={range} />
      ))}
    </section>
  );
}

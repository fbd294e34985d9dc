/** Memory at one moment, in MiB. */
export interface Sample {
  readonly minute: number;
  readonly rss: number;
  readonly heap: number;
}

/** A straight line through a series. */
export interface Drift {
  /** Its rise over the series as a part of the mean. */
  readonly growth: number;
  readonly perHour: number;
}

/** The trend of a figure after the first third, in which a server warms up. */
export function drift(samples: readonly Sample[], figure: (sample: Sample) => number): Drift {
  const settled = samples.slice(Math.floor(samples.length / 3));
  const points = settled.map((sample) => ({ x: sample.minute, y: figure(sample) }));
  const mean = { x: average(points.map(({ x }) => x)), y: average(points.map(({ y }) => y)) };
  const over = points.reduce((sum, { x, y }) => sum + (x - mean.x) * (y - mean.y), 0);
  const under = points.reduce((sum, { x }) => sum + (x - mean.x) ** 2, 0);
  const slope = under === 0 ? 0 : over / under;
  const span = (points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0);
  return { growth: mean.y === 0 ? 0 : (slope * span) / mean.y, perHour: slope * 60 };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

import type { ConnectReport, DrainReport, FaultyReader, PublishReport } from "./orders.ts";
import { Histogram } from "./histogram.ts";
import type { Counts, Percentiles } from "./histogram.ts";
import type { Plan } from "./plan.ts";

const SECOND = 1e6;

/** What a run has shown. */
export interface Result {
  readonly connects: {
    readonly wanted: number;
    readonly connected: number;
    readonly seconds: number;
    readonly perSecond: number;
    readonly troubles: readonly string[];
  };
  readonly publishes: {
    readonly answered: number;
    readonly failed: number;
    readonly trouble: string | undefined;
    /** Messages that the rate asked for and that were never sent. */
    readonly behind: number;
    readonly perSecond: number;
    readonly latency: Percentiles;
  };
  readonly deliveries: {
    readonly expected: number;
    readonly delivered: number;
    readonly lost: number;
    readonly duplicated: number;
    readonly disordered: number;
    readonly perSecond: number;
    readonly latency: Percentiles;
    readonly faultyReaders: number;
    /** The first of them. */
    readonly readers: readonly FaultyReader[];
  };
}

/** What the processes of a run reported. */
export interface Reports {
  readonly plan: Plan;
  readonly connects: ConnectReport;
  readonly publishes: PublishReport;
  readonly drain: DrainReport;
}

/** Adds the reports of a run up. */
export function addUp({ plan, connects, publishes, drain }: Reports): Result {
  const sent = publishes.counts.reduce((sum, number) => sum + number, 0);
  const { delivered, lost, duplicated, disordered, faulty, readers } = drain;
  return {
    connects: {
      wanted: plan.readers,
      connected: connects.connected,
      seconds: connects.seconds,
      perSecond: connects.connected / connects.seconds,
      troubles: connects.troubles,
    },
    publishes: {
      answered: publishes.answered,
      failed: sent - publishes.answered,
      trouble: publishes.trouble,
      behind: publishes.behind,
      perSecond: publishes.answered / publishes.seconds,
      latency: percentiles(publishes.latencies),
    },
    deliveries: {
      expected: publishes.answered * connects.connected,
      delivered,
      lost,
      duplicated,
      disordered,
      perSecond: delivered === 0 ? 0 : (delivered * SECOND) / Math.max(1, drain.end - publishes.start),
      latency: percentiles(drain.latencies),
      faultyReaders: faulty,
      readers,
    },
  };
}

function percentiles(counts: Counts): Percentiles {
  const histogram = new Histogram();
  histogram.add(counts);
  return histogram.percentiles();
}

import type { Outcome, Published } from "./faults.ts";
import type { Counts } from "./histogram.ts";
import type { Plan } from "./plan.ts";

/** What the bench tells one of its processes. */
export type Order =
  | { readonly kind: "readers"; readonly plan: Plan; readonly first: number; readonly count: number }
  | { readonly kind: "publishers"; readonly plan: Plan }
  | { readonly kind: "publish"; readonly awake: boolean }
  | { readonly kind: "drain"; readonly published: Published };

/** What a process tells the bench. */
export type Report = ConnectReport | PublishReport | DrainReport | ProgressReport;

/** All connections of the process are open, or will not be. */
export interface ConnectReport {
  readonly kind: "connected";
  readonly connected: number;
  readonly seconds: number;
  /** What kept the others out, the first few. */
  readonly troubles: readonly string[];
}

/** Messages taken by the server, and arrived at readers, so far. */
export interface ProgressReport {
  readonly kind: "progress";
  readonly published: number;
  readonly delivered: number;
}

/** The publishers are done. */
export interface PublishReport extends Published {
  readonly kind: "published";
  readonly answered: number;
  /** Messages the rate asked for that were never sent, because publishers waited for answers. */
  readonly behind: number;
  readonly seconds: number;
  /** When the first message was sent. */
  readonly start: number;
  readonly latencies: Counts;
  readonly trouble: string | undefined;
}

/** One reader with something wrong. */
export interface FaultyReader extends Outcome {
  readonly reader: number;
  /** Why its connection ended too early, if it did. */
  readonly trouble: string | undefined;
}

/** The readers of one process have all they will get. */
export interface DrainReport {
  readonly kind: "drained";
  /** Messages that arrived, each counted once per reader. */
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly disordered: number;
  readonly faulty: number;
  /** The first faulty readers. */
  readonly readers: readonly FaultyReader[];
  /** When the last message arrived. */
  readonly end: number;
  readonly latencies: Counts;
}

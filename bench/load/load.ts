import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import type { ConnectReport, DrainReport, Order, ProgressReport, PublishReport, Report } from "./orders.ts";
import type { Published } from "./faults.ts";
import { Histogram } from "./histogram.ts";
import type { Plan } from "./plan.ts";

const MOST_PROCESSES = 8;
const NAMED = 20;
const WORKER = new URL(`./worker${extname(import.meta.filename)}`, import.meta.url);

type Kind = Exclude<Report, ProgressReport>["kind"];

/** How far a run has come. */
export interface Progress {
  readonly published: number;
  readonly delivered: number;
}

/** A run of the load in processes of its own: one with the publishers, the others with the readers. */
export class Load {
  readonly #plan: Plan;
  readonly #readers: readonly Worker[];
  readonly #publishers: Worker;

  constructor(plan: Plan) {
    const processes = Math.max(1, Math.min(MOST_PROCESSES, availableParallelism() - 1, Math.ceil(plan.readers / 100)));
    this.#plan = plan;
    this.#publishers = new Worker();
    this.#readers = plan.awake === true ? [this.#publishers] : Array.from({ length: processes }, () => new Worker());
  }

  get progress(): Progress {
    const delivered = this.#readers.reduce((sum, worker) => sum + worker.progress.delivered, 0);
    return { published: this.#publishers.progress.published, delivered };
  }

  /** The processes of the load. */
  get pids(): readonly number[] {
    return [...new Set([this.#publishers, ...this.#readers])].map(({ pid }) => pid);
  }

  /** Connects the readers. */
  async connect(): Promise<ConnectReport> {
    const { readers } = this.#plan;
    const share = Math.ceil(readers / this.#readers.length);
    const reports = await Promise.all(
      this.#readers.map((worker, index) => {
        const first = index * share;
        const count = Math.min(share, readers - first);
        return worker.ask({ kind: "readers", plan: this.#plan, first, count }, "connected");
      }),
    );
    return {
      kind: "connected",
      connected: reports.reduce((sum, { connected }) => sum + connected, 0),
      seconds: Math.max(...reports.map(({ seconds }) => seconds)),
      troubles: [...new Set(reports.flatMap(({ troubles }) => troubles))],
    };
  }

  /** Connects the publishers. */
  prepare(): Promise<ConnectReport> {
    return this.#publishers.ask({ kind: "publishers", plan: this.#plan }, "connected");
  }

  /** Publishes for as long as planned. */
  publish(): Promise<PublishReport> {
    return this.#publishers.ask({ kind: "publish", awake: this.#plan.awake ?? false }, "published");
  }

  /** Waits for what is still on its way, and adds up what the readers got. */
  async drain({ counts, unanswered }: Published): Promise<DrainReport> {
    const order: Order = { kind: "drain", published: { counts, unanswered } };
    const reports = await Promise.all(this.#readers.map((worker) => worker.ask(order, "drained")));
    const latencies = new Histogram();
    const sum = { delivered: 0, lost: 0, duplicated: 0, disordered: 0, faulty: 0, end: 0 };
    for (const report of reports) {
      latencies.add(report.latencies);
      sum.delivered += report.delivered;
      sum.lost += report.lost;
      sum.duplicated += report.duplicated;
      sum.disordered += report.disordered;
      sum.faulty += report.faulty;
      sum.end = Math.max(sum.end, report.end);
    }
    const readers = reports.flatMap((report) => report.readers).slice(0, NAMED);
    return { kind: "drained", ...sum, readers, latencies: latencies.counts() };
  }

  [Symbol.dispose](): void {
    for (const worker of [this.#publishers, ...this.#readers]) worker.end();
  }
}

/** One process of the load. */
class Worker {
  progress: Progress = { published: 0, delivered: 0 };
  readonly #child: ChildProcess;
  #waiting: { kind: Kind; resolve(report: Report): void; reject(error: Error): void } | undefined;

  constructor() {
    this.#child = fork(WORKER, {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (report: Report) => this.#take(report));
    this.#child.on("exit", (code, signal) => {
      this.#waiting?.reject(new Error(`A process of the bench ended with ${signal ?? code}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  ask<K extends Kind>(order: Order, kind: K): Promise<Extract<Report, { kind: K }>> {
    const { promise, resolve, reject } = Promise.withResolvers<Extract<Report, { kind: K }>>();
    this.#waiting = { kind, resolve: (report) => resolve(report as Extract<Report, { kind: K }>), reject };
    this.#child.send(order);
    return promise;
  }

  end(): void {
    this.#waiting = undefined;
    this.#child.kill("SIGKILL");
  }

  #take(report: Report): void {
    if (report.kind === "progress") {
      this.progress = report;
    } else if (this.#waiting?.kind === report.kind) {
      this.#waiting.resolve(report);
      this.#waiting = undefined;
    }
  }
}

import { measureCell, measureQuietly, WARM_UP } from "./cell.ts";
import type { Cell } from "./cell.ts";
import { median, medianRatio } from "./median.ts";
import { ServerProcess } from "./server-process.ts";
import { table } from "./table.ts";
import type { Contender, ServerKind } from "./targets.ts";

/** What to measure. */
export interface MatrixOptions {
  readonly contenders: readonly Contender[];
  readonly readers: readonly number[];
  readonly publishers: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** The measurements of every contender under every load, one of each per round. */
export class Matrix {
  readonly #options: MatrixOptions;
  readonly #cells = new Map<string, Cell[]>();

  private constructor(options: MatrixOptions) {
    this.#options = options;
  }

  static async measure(options: MatrixOptions): Promise<Matrix> {
    const matrix = new Matrix(options);
    for (let round = 0; round < options.rounds; round += 1) await matrix.#measureRound(round);
    return matrix;
  }

  /** One figure of one contender under one load, by round. */
  figures(name: string, readers: number, publishers: number, figure: (cell: Cell) => number): readonly number[] {
    return (this.#cells.get(key(name, readers, publishers)) ?? []).map(figure);
  }

  /** The tables, one for each number of readers. */
  text(): string {
    return this.#options.readers
      .map((readers) => `#### ${readers.toLocaleString("en")} readers\n\n${this.#table(readers)}`)
      .join("\n\n");
  }

  async #measureRound(round: number): Promise<void> {
    const { contenders, readers, publishers, seconds, rounds, say } = this.#options;
    await using servers = await Servers.start(contenders.map(({ server }) => server));
    for (const contender of contenders) await measureCell(contender, servers.get(contender.server), WARM_UP);
    for (const count of readers) {
      for (const publishing of publishers) {
        // The order rotates, so that no server always runs after the same one.
        for (let turn = 0; turn < contenders.length; turn += 1) {
          const contender = contenders[(turn + round * 2) % contenders.length];
          if (contender === undefined) continue;
          const load = { readers: count, publishers: publishing, seconds, rate: 0 };
          const cell = await measureQuietly(contender, servers.get(contender.server), load);
          const name = key(contender.name, count, publishing);
          this.#cells.set(name, [...(this.#cells.get(name) ?? []), cell]);
          say(
            `round ${round + 1} of ${rounds}, ${count} readers, ${publishing} publishers, ${contender.title}: ` +
              `${cell.cpuMicrosPerDelivery.toFixed(2)} µs, ${Math.round(cell.deliveries.perSecond)}/s, disturbed ${cell.disturbed.toFixed(2)}`,
          );
        }
      }
    }
  }

  #table(readers: number): string {
    const { contenders, publishers } = this.#options;
    const head = [
      "publishers",
      "server",
      "CPU µs/delivery",
      "× naive",
      "deliveries/s",
      "× Nchan",
      "p50 ms",
      "p99 ms",
      "lost",
      "doubled",
      "server busy",
    ];
    return table(
      2,
      head,
      publishers.flatMap((count) => contenders.map((contender) => this.#row(contender, readers, count))),
    );
  }

  #row(contender: Contender, readers: number, publishers: number): readonly string[] {
    const of = (figure: (cell: Cell) => number, name = contender.name): readonly number[] =>
      this.figures(name, readers, publishers, figure);
    const cpu = of(cpuPerDelivery);
    const pace = of(deliveriesPerSecond);
    const sum = (figure: (cell: Cell) => number): string =>
      of(figure)
        .reduce((total, value) => total + value, 0)
        .toLocaleString("en");
    return [
      String(publishers),
      contender.title,
      median(cpu).toFixed(2),
      ratio(medianRatio(cpu, of(cpuPerDelivery, "naive"))),
      Math.round(median(pace)).toLocaleString("en"),
      ratio(medianRatio(pace, of(deliveriesPerSecond, "nchan"))),
      median(of(({ deliveries }) => deliveries.latency.p50)).toFixed(1),
      median(of(({ deliveries }) => deliveries.latency.p99)).toFixed(1),
      sum(({ deliveries }) => deliveries.lost),
      sum(({ deliveries }) => deliveries.duplicated),
      `${Math.round(median(of(({ busy }) => busy)) * 100)} %`,
    ];
  }
}

export function cpuPerDelivery(cell: Cell): number {
  return cell.cpuMicrosPerDelivery;
}

export function deliveriesPerSecond(cell: Cell): number {
  return cell.deliveries.perSecond;
}

/** One process of each kind. */
class Servers implements AsyncDisposable {
  readonly #processes = new Map<ServerKind, ServerProcess>();

  static async start(kinds: readonly ServerKind[]): Promise<Servers> {
    const servers = new Servers();
    for (const kind of new Set(kinds)) servers.#processes.set(kind, await ServerProcess.start(kind));
    return servers;
  }

  get(kind: ServerKind): ServerProcess {
    const server = this.#processes.get(kind);
    if (server === undefined) throw new Error(`${kind.name} was not started`);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#processes.values()) await server[Symbol.asyncDispose]();
  }
}

function key(name: string, readers: number, publishers: number): string {
  return `${name} ${readers} ${publishers}`;
}

function ratio(value: number): string {
  return Number.isNaN(value) ? "" : value.toFixed(2);
}

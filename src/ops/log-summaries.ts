import type { Hub } from "../core/hub.ts";
import type { Connections } from "./connections.ts";

/** Something that happens any number of times a second. */
interface Happening {
  readonly level: "debug" | "warn";
  /** How often it has happened so far. */
  readonly count: () => number;
  readonly sentence: (times: number) => string;
  told: number;
}

/** What the lines go to. */
type Log = Record<Happening["level"], (fields: object, sentence: string) => void>;

const INTERVAL = 1000;

/** Logs what happened to readers and sessions: at most a line a second of each kind, with how often. */
export class LogSummaries {
  readonly #log: Log;
  readonly #happenings: readonly Happening[];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(log: Log, hub: Hub, connections: Connections, sessions: { readonly evicted: number }) {
    this.#log = log;
    this.#happenings = [
      {
        level: "warn",
        count: () => hub.stats.slow,
        sentence: (times) => `${counted(times, "reader")} cut: too much of what was sent was left untaken`,
        told: 0,
      },
      {
        level: "warn",
        count: () => connections.refused,
        sentence: (times) =>
          `${counted(times, "reader")} refused: as many are connected, in all or of one address, as may be`,
        told: 0,
      },
      {
        level: "warn",
        count: () => sessions.evicted,
        sentence: (times) => `${counted(times, "MCP session")} ended to make room for others`,
        told: 0,
      },
      {
        level: "debug",
        count: () => connections.accepted,
        sentence: (times) =>
          `${times === 1 ? "1 reader" : `${times} readers`} came; ${connections.total} are connected`,
        told: 0,
      },
    ];
    this.#timer = setInterval(() => this.#tell(), INTERVAL).unref();
  }

  /** Tells what has not been told, and ends. */
  close(): void {
    clearInterval(this.#timer);
    this.#tell();
  }

  #tell(): void {
    for (const happening of this.#happenings) {
      const { level, count, sentence, told } = happening;
      const now = count();
      happening.told = now;
      if (now > told) this.#log[level]({ count: now - told }, sentence(now - told));
    }
  }
}

function counted(times: number, what: string): string {
  return times === 1 ? `1 ${what} was` : `${times} ${what}s were`;
}

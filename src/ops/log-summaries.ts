import type { Hub } from "../core/hub.ts";
import type { Connections } from "./connections.ts";

/** Something that happens any number of times a second. */
interface Happening {
  readonly level: "debug" | "warn";
  /** How often it has happened so far. */
  readonly count: () => number;
  readonly sentence: (times: number) => string;
  reported: number;
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
        sentence: (times) => `${counted(times, "reader")} cut: they lagged too far`,
        reported: 0,
      },
      {
        level: "warn",
        count: () => connections.refused,
        sentence: (times) =>
          `${counted(times, "reader")} refused: as many are connected, in all or of one address, as may be`,
        reported: 0,
      },
      {
        level: "warn",
        count: () => sessions.evicted,
        sentence: (times) => `${counted(times, "MCP session")} ended to make room for others`,
        reported: 0,
      },
      {
        level: "debug",
        count: () => connections.accepted,
        sentence: (times) =>
          `${times === 1 ? "1 reader" : `${times} readers`} came; ${connections.total} are connected`,
        reported: 0,
      },
    ];
    this.#timer = setInterval(() => this.#report(), INTERVAL).unref();
  }

  /** Reports what has not been reported, and ends. */
  close(): void {
    clearInterval(this.#timer);
    this.#report();
  }

  #report(): void {
    for (const happening of this.#happenings) {
      const { level, count, sentence, reported } = happening;
      const now = count();
      happening.reported = now;
      if (now > reported) this.#log[level]({ count: now - reported }, sentence(now - reported));
    }
  }
}

function counted(times: number, what: string): string {
  return times === 1 ? `1 ${what} was` : `${times} ${what}s were`;
}

import type { RedisConnection } from "./connection.ts";
import type { RedisEngine } from "./engine.ts";

/** Milliseconds without an announcement after which a node asks for one, and those that the answer may take. */
const SILENCE = 900;
const PING_TIMEOUT = 900;
/** Milliseconds without an announcement after which they count as broken. */
const BROKEN = 2800;

export interface AnnouncementWatchOptions {
  readonly engine: RedisEngine;
  readonly connection: RedisConnection;
  readonly report: (sentence: string) => void;
}

/** Notices when announcements do not arrive any more, although the engine takes commands. */
export class AnnouncementWatch {
  readonly #options: AnnouncementWatchOptions;
  #heard = performance.now();
  /** Since when an announcement that was asked for is waited for. */
  #asked: number | undefined;

  constructor(options: AnnouncementWatchOptions) {
    this.#options = options;
  }

  /** Whether none has come for too long. */
  get isBroken(): boolean {
    return performance.now() - this.#heard > BROKEN;
  }

  /** An announcement has come. */
  heard(): void {
    this.#heard = performance.now();
    this.#asked = undefined;
  }

  /** Asks for an announcement, or subscribes again if none has come; to be called once a second. */
  async check(): Promise<void> {
    const { engine, connection, report } = this.#options;
    const now = performance.now();
    // What came while this process did not run is heard first.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#asked !== undefined && now - this.#asked > PING_TIMEOUT) {
      this.#asked = undefined;
      report("announcements of Redis do not arrive: subscribing again");
      connection.resubscribe();
    } else if (this.#asked === undefined && now - this.#heard > SILENCE) {
      await engine.ping();
      this.#asked = now;
    }
  }
}

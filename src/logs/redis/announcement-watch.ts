import type { RedisConnection } from "./connection.ts";
import type { RedisEngine } from "./engine.ts";

/** Milliseconds without an announcement after which a node asks for one, and those that the answer may take. */
const SILENCE = 900;
const PING_TIMEOUT = 900;
/** Milliseconds that a new subscription may take, on a slow link or a busy machine. */
const SUBSCRIBE_TIMEOUT = 5000;
/** Milliseconds without an announcement after which they count as broken. */
const BROKEN = 2800;

export interface AnnouncementWatchOptions {
  readonly engine: Pick<RedisEngine, "ping">;
  readonly connection: Pick<RedisConnection, "isListening" | "resubscribe">;
  readonly report: (sentence: string) => void;
}

/** Notices when announcements do not arrive any more, although the engine takes commands. */
export class AnnouncementWatch {
  readonly #options: AnnouncementWatchOptions;
  #heard = performance.now();
  /** Since when an announcement that was asked for is waited for. */
  #asked: number | undefined;
  /** Since when there is no subscription. */
  #notListening: number | undefined;

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
    if (connection.isListening) this.#notListening = undefined;
    if (now - this.#heard <= SILENCE) return;
    if (!connection.isListening) {
      this.#asked = undefined;
      this.#notListening ??= now;
      if (now - this.#notListening > SUBSCRIBE_TIMEOUT) this.#resubscribe();
    } else if (this.#asked === undefined) {
      // First, since the announcement may come before the answer.
      this.#asked = now;
      await engine.ping().catch((error: unknown) => {
        this.#asked = undefined;
        throw error;
      });
    } else if (now - this.#asked > PING_TIMEOUT) {
      report("announcements of Redis do not arrive: subscribing again");
      this.#resubscribe();
    }
  }

  #resubscribe(): void {
    this.#asked = undefined;
    this.#notListening = undefined;
    this.#options.connection.resubscribe();
  }
}

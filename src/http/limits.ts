import { HubError } from "../core/errors.ts";

/** What is held open: readers by their door, and tool calls that wait. */
export type StreamDoor = "sse" | "websocket" | "mcp" | "waiting";

/** Counts open readers by door, and refuses more than there may be. */
export class Connections {
  readonly limit: number;
  readonly #open: Record<StreamDoor, number> = { sse: 0, websocket: 0, mcp: 0, waiting: 0 };
  /** Readers let in so far. */
  came = 0;
  /** Readers refused so far because there were as many as may be. */
  refused = 0;
  #draining = false;

  constructor(limit: number) {
    this.limit = limit;
  }

  get total(): number {
    const { sse, websocket, mcp, waiting } = this.#open;
    return sse + websocket + mcp + waiting;
  }

  by(door: StreamDoor): number {
    return this.#open[door];
  }

  /** Refuses every reader from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** Lets a reader in; the function returned counts it out. Throws `TOO_MANY_CONNECTIONS` or `SHUTTING_DOWN`. */
  enter(door: StreamDoor): () => void {
    if (this.#draining) throw new HubError("SHUTTING_DOWN", "The server is stopping; come back in a few seconds");
    if (this.total >= this.limit) {
      this.refused++;
      throw new HubError("TOO_MANY_CONNECTIONS", `${this.limit} readers are connected, the limit; come back later`);
    }
    this.#open[door]++;
    this.came++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#open[door]--;
    };
  }
}

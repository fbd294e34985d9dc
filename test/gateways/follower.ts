import { setTimeout as wait } from "node:timers/promises";
import type { EventReader } from "../support/event-reader.ts";
import type { Gateway } from "./gateway.ts";

/** Milliseconds before it comes back. */
const RETRY = 100;

/** Reads a channel through a gateway, and comes back with its last id whenever the stream ends, as a browser does. */
export class Follower {
  readonly gateway: Gateway;
  /** The data of all messages, in the order in which they came. */
  readonly data: string[] = [];
  gaps = 0;
  readonly #channel: string;
  readonly #stop: AbortController = new AbortController();
  readonly #run: Promise<void>;
  #reader: EventReader | undefined;

  constructor(gateway: Gateway, channel: string) {
    this.gateway = gateway;
    this.#channel = channel;
    this.#run = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#reader?.close();
    await this.#run;
  }

  async #follow(): Promise<void> {
    // From the first on, so that all readers are to be given the same.
    let lastEventId = "earliest";
    while (!this.#stop.signal.aborted) {
      const reader = await this.gateway.events(`?channel=${this.#channel}`, { lastEventId }).catch(() => undefined);
      this.#reader = reader;
      if (this.#stop.signal.aborted) reader?.close();
      if (reader !== undefined) lastEventId = await this.#read(reader, lastEventId);
      await wait(RETRY, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  /** Reads until the stream ends; resolves with the last id. */
  async #read(reader: EventReader, after: string): Promise<string> {
    let lastEventId = after;
    try {
      for (;;) {
        const { event, data, id } = await reader.next();
        if (event === "gap") this.gaps++;
        if (event === "message") this.data.push(data);
        lastEventId = id ?? lastEventId;
      }
    } catch {
      // It ended; what it gave before was read first.
      return lastEventId;
    } finally {
      reader.close();
    }
  }
}

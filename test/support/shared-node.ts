import { HubError } from "../../src/core/errors.ts";
import type { Counted, SharedStore } from "../../src/core/shared-store.ts";
import type { LocalStore } from "../../src/logs/local-store.ts";

/** What one of several nodes sees of a store that they share: this process stands for all of them. */
export class SharedNode implements SharedStore {
  readonly node: string;
  readonly isShared = true;
  /** While it is true, the engine cannot be reached from this node. */
  isAway = false;
  /** Calls that failed since the engine could not be reached. */
  failures = 0;
  /** Texts that are lost on their way to this node, while it is true for them. */
  loses: (text: string) => boolean = () => false;
  readonly #store: LocalStore;

  constructor(store: LocalStore, name: string) {
    this.#store = store;
    this.node = name.padEnd(10, "0");
  }

  get(key: string): Promise<string | undefined> {
    return this.#reach(() => this.#store.get(key));
  }

  set(key: string, value: string, lifetime: number): Promise<void> {
    return this.#reach(() => this.#store.set(key, value, lifetime));
  }

  setNew(key: string, value: string, lifetime?: number): Promise<string> {
    return this.#reach(() => this.#store.setNew(key, value, lifetime));
  }

  take(key: string): Promise<string | undefined> {
    return this.#reach(() => this.#store.take(key));
  }

  delete(key: string): Promise<void> {
    return this.#reach(() => this.#store.delete(key));
  }

  add(key: string, points: number, lifetime: number): Promise<Counted> {
    return this.#reach(() => this.#store.add(key, points, lifetime));
  }

  publish(topic: string, text: string): Promise<void> {
    return this.#reach(() => this.#store.publish(topic, text));
  }

  subscribe(topic: string, listener: (text: string) => void): () => void {
    return this.#store.subscribe(topic, (text) => {
      if (!this.isAway && !this.loses(text)) listener(text);
    });
  }

  async #reach<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    if (!this.isAway) return call();
    this.failures++;
    throw new HubError("LOG_UNAVAILABLE", "away");
  }
}

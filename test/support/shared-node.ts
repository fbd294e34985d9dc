import { HubError } from "../../src/core/errors.ts";
import type { Counted, SharedStore } from "../../src/core/shared-store.ts";

/** One of several nodes that share a store, in one process. */
export class SharedNode implements SharedStore {
  readonly node: string;
  readonly isShared = true;
  /** Whether it cannot reach what is shared. */
  isAway = false;
  /** Whether what is published here is lost. */
  isMute = false;
  /** Calls that failed since the engine could not be reached. */
  failures = 0;
  /** Texts that are lost on their way to this node, while it is true for them. */
  loses: (text: string) => boolean = () => false;
  readonly #store: SharedStore;

  constructor(store: SharedStore, node: string) {
    this.#store = store;
    this.node = node.padEnd(10, "0");
  }

  get(key: string): Promise<string | undefined> {
    return this.#reach((store) => store.get(key));
  }

  set(key: string, value: string, lifetime: number): Promise<void> {
    return this.#reach((store) => store.set(key, value, lifetime));
  }

  getOrSet(key: string, value: string, lifetime?: number): Promise<string> {
    return this.#reach((store) => store.getOrSet(key, value, lifetime));
  }

  replace(key: string, before: string, value: string, lifetime: number): Promise<boolean> {
    return this.#reach((store) => store.replace(key, before, value, lifetime));
  }

  take(key: string): Promise<string | undefined> {
    return this.#reach((store) => store.take(key));
  }

  delete(key: string): Promise<void> {
    return this.#reach((store) => store.delete(key));
  }

  increment(key: string, points: number, lifetime: number): Promise<Counted> {
    return this.#reach((store) => store.increment(key, points, lifetime));
  }

  publish(topic: string, text: string, node?: string): Promise<void> {
    const of = node === undefined ? topic : `${topic} of ${node}`;
    return this.#reach((store) => (this.isMute ? Promise.resolve() : store.publish(of, text)));
  }

  subscribe(topic: string, listener: (text: string) => void): () => void {
    const hear = (text: string): void => {
      if (!this.isAway && !this.loses(text)) listener(text);
    };
    const ends = [topic, `${topic} of ${this.node}`].map((of) => this.#store.subscribe(of, hear));
    return () => {
      for (const end of ends) end();
    };
  }

  async #reach<T>(use: (store: SharedStore) => Promise<T>): Promise<T> {
    if (!this.isAway) return use(this.#store);
    this.failures++;
    throw new HubError("LOG_UNAVAILABLE", "The engine cannot be reached");
  }
}

/** A counter after something was added to it. */
export interface Counted {
  readonly total: number;
  /** Milliseconds until it begins at 0 again. */
  readonly resetsIn: number;
}

/**
 * What the nodes of one hub share besides the log: values with a lifetime, counters, and texts that are sent to all of
 * them. With one node, it is the memory of the process. Every method but `subscribe` rejects with `LOG_UNAVAILABLE`
 * while the engine cannot be reached; nothing is kept then, to be done later.
 */
export interface SharedStore {
  /** The name of this node: its own in each process, 10 lower-case letters and digits. */
  readonly node: string;
  /** Whether there may be other nodes. */
  readonly isShared: boolean;
  /** The value of a key; undefined if there is none, or its time is over. */
  get(key: string): Promise<string | undefined>;
  /** Sets a value for so many milliseconds. */
  set(key: string, value: string, lifetime: number): Promise<void>;
  /** Resolves with the value of the key, which is set to this one if there is none; without a lifetime it does not expire. */
  getOrSet(key: string, value: string, lifetime?: number): Promise<string>;
  /** Sets a value for so many milliseconds if it is still `before`; resolves with whether it was. */
  replace(key: string, before: string, value: string, lifetime: number): Promise<boolean>;
  /** Removes a value and resolves with it: of several callers, one gets it. */
  take(key: string): Promise<string | undefined>;
  delete(key: string): Promise<void>;
  /** Adds to a counter, which begins at 0 and ends so many milliseconds after its first use. */
  increment(key: string, points: number, lifetime: number): Promise<Counted>;
  /**
   * Sends a text to the subscribers of a topic on all nodes, this one included, or on the one named: at most once, in
   * order for each sender.
   */
  publish(topic: string, text: string, node?: string): Promise<void>;
  /** Calls back with what is published on a topic from now on, until the returned function is called. */
  subscribe(topic: string, listener: (text: string) => void): () => void;
}

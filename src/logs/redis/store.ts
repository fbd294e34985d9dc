import type { Counted, SharedStore } from "../../core/shared-store.ts";
import type { RedisConnection } from "./connection.ts";
import { count, replace } from "./scripts.ts";

/** What the nodes share on a Redis: a key for each value, a channel for all topics, and one for each node. */
export class RedisStore implements SharedStore {
  readonly node: string;
  readonly isShared: boolean = true;
  readonly #connection: RedisConnection;
  readonly #listeners = new Map<string, Set<(text: string) => void>>();

  private constructor(connection: RedisConnection, node: string) {
    this.#connection = connection;
    this.node = node;
  }

  static async open(connection: RedisConnection, node: string): Promise<RedisStore> {
    const store = new RedisStore(connection, node);
    for (const word of ["topics", `topics:${node}`]) {
      await connection.listen(word, (bytes) => store.#published(bytes.toString()));
    }
    return store;
  }

  async get(key: string): Promise<string | undefined> {
    const name = this.#name(key);
    return (await this.#connection.run((redis) => redis.get(name))) ?? undefined;
  }

  async set(key: string, value: string, lifetime: number): Promise<void> {
    const name = this.#name(key);
    await this.#connection.run((redis) => redis.set(name, value, "PX", Math.max(Math.ceil(lifetime), 1)));
  }

  async getOrSet(key: string, value: string, lifetime?: number): Promise<string> {
    const name = this.#name(key);
    const before = await this.#connection.run((redis) =>
      lifetime === undefined
        ? redis.set(name, value, "NX", "GET")
        : redis.set(name, value, "PX", Math.max(Math.ceil(lifetime), 1), "NX", "GET"),
    );
    return before ?? value;
  }

  async replace(key: string, before: string, value: string, lifetime: number): Promise<boolean> {
    const most = Math.max(Math.ceil(lifetime), 1);
    return (await this.#connection.runScript(replace, [this.#name(key)], [before, value, most])) === 1;
  }

  async take(key: string): Promise<string | undefined> {
    const name = this.#name(key);
    return (await this.#connection.run((redis) => redis.getdel(name))) ?? undefined;
  }

  async delete(key: string): Promise<void> {
    const name = this.#name(key);
    await this.#connection.run((redis) => redis.del(name));
  }

  async increment(key: string, points: number, lifetime: number): Promise<Counted> {
    const reply = await this.#connection.runScript(
      count,
      [this.#name(key)],
      [points, Math.max(Math.ceil(lifetime), 1)],
    );
    const [total, resetsIn] = reply as [number, number];
    return { total, resetsIn };
  }

  async publish(topic: string, text: string, node?: string): Promise<void> {
    const channel = this.#connection.key(node === undefined ? "topics" : `topics:${node}`);
    await this.#connection.run((redis) => redis.publish(channel, `${topic}\n${text}`));
  }

  subscribe(topic: string, listener: (text: string) => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  #name(key: string): string {
    return this.#connection.key(`value:${key}`);
  }

  #published(text: string): void {
    const end = text.indexOf("\n");
    for (const listener of this.#listeners.get(text.slice(0, end)) ?? []) listener(text.slice(end + 1));
  }
}

import type { Records } from "../../core/records.ts";
import type { RedisConnection } from "./connection.ts";
import { replaceField } from "./scripts.ts";

/** The records of a log on Redis: a hash for each kind. */
export class RedisRecords implements Records {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async get(kind: string, name: string): Promise<string | undefined> {
    return (await this.#connection.run((redis) => redis.hget(this.#key(kind), name))) ?? undefined;
  }

  async set(kind: string, name: string, value: string): Promise<void> {
    await this.#connection.run((redis) => redis.hset(this.#key(kind), name, value));
  }

  async replace(kind: string, name: string, before: string | undefined, value: string | undefined): Promise<boolean> {
    const [found, next] = [before, value].map((text) => (text === undefined ? "" : `=${text}`));
    return (await this.#connection.runScript(replaceField, [this.#key(kind)], [name, found ?? "", next ?? ""])) === 1;
  }

  async delete(kind: string, name: string): Promise<void> {
    await this.#connection.run((redis) => redis.hdel(this.#key(kind), name));
  }

  async list(kind: string): Promise<ReadonlyMap<string, string>> {
    return new Map(Object.entries(await this.#connection.run((redis) => redis.hgetall(this.#key(kind)))));
  }

  #key(kind: string): string {
    return this.#connection.key(`records:${kind}`);
  }
}

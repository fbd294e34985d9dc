import type { Log } from "../../src/core/log.ts";
import type { Message } from "../../src/core/message.ts";
import { redisAddress } from "../../src/logs/redis/address.ts";
import { RedisConnection } from "../../src/logs/redis/connection.ts";
import { RedisLog, type RedisLogOptions } from "../../src/logs/redis/log.ts";
import { BEGINNING } from "../../src/protocol/cursor.ts";
import { FOREVER, patternsOf } from "./sample.ts";

/** The log of one node, with what it told its hub. */
export interface RedisNode extends AsyncDisposable {
  readonly log: Log;
  readonly connection: RedisConnection;
  readonly followed: Message[];
  /** Where it went on after something was missing. */
  readonly resets: number[];
  readonly reports: string[];
  /** The data of what was followed. */
  data(): string[];
}

/** Opens a log on a Redis as one more node. */
export async function openNode(url: string, options: Partial<RedisLogOptions> = {}): Promise<RedisNode> {
  const reports: string[] = [];
  const report = (sentence: string): void => void reports.push(sentence);
  const connection = await RedisConnection.open({ address: redisAddress(url), ca: "", cert: "", key: "", report });
  const close = (): void => connection.close();
  const log = await RedisLog.open({ connection, retention: FOREVER, durability: "normal", report, ...options }).catch(
    (error: unknown) => {
      close();
      throw error;
    },
  );
  const followed: Message[] = [];
  const resets: number[] = [];
  await log.follow(
    (messages) => void followed.push(...messages),
    (head) => void resets.push(head),
  );
  return {
    log,
    connection,
    followed,
    resets,
    reports,
    data: () => followed.map(({ data }) => data),
    [Symbol.asyncDispose]: async () => {
      await log.close();
      close();
    },
  };
}

/** The data of everything that a log keeps. */
export async function kept(log: Log): Promise<string[]> {
  const found: string[] = [];
  for (let after = BEGINNING; ;) {
    const { messages, end } = await log.read({ after, channels: patternsOf("*"), limit: 100 });
    found.push(...messages.map(({ data }) => data));
    if (end <= after) return found;
    after = end;
  }
}

import { RedisConnection } from "../../src/logs/redis/connection.ts";
import { redisAddress } from "../../src/logs/redis/address.ts";
import { RedisLog } from "../../src/logs/redis/log.ts";
import type { Message } from "../../src/core/message.ts";
import { FOREVER } from "./sample.ts";

/** A log on an engine, as one node of many has it, and what it handed on. */
export interface RedisNode extends AsyncDisposable {
  readonly log: RedisLog;
  /** What the log handed on, in the order it did. */
  readonly heard: Message[];
  /** Where it said that messages may be missing. */
  readonly resets: number[];
  /** What it would tell an operator. */
  readonly reports: string[];
}

/** Opens a node on an engine: `url` as in `DATA`. */
export async function openRedisNode(url: string, durability: "normal" | "full" = "normal"): Promise<RedisNode> {
  const reports: string[] = [];
  const report = (sentence: string): void => void reports.push(sentence);
  const files = { ca: "", cert: "", key: "" };
  const connection = await RedisConnection.open({ address: redisAddress(url), ...files, report });
  const log = await RedisLog.open({ connection, retention: FOREVER, durability, report }).catch((error: unknown) => {
    connection.close();
    throw error;
  });
  const heard: Message[] = [];
  const resets: number[] = [];
  await log.follow(
    (messages) => heard.push(...messages),
    (head) => resets.push(head),
  );
  return {
    log,
    heard,
    resets,
    reports,
    async [Symbol.asyncDispose]() {
      await log.close();
      connection.close();
    },
  };
}

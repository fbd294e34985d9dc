import { after, before, describe } from "node:test";
import { RedisConnection } from "../../../src/logs/redis/connection.ts";
import { redisAddress } from "../../../src/logs/redis/address.ts";
import { RedisLog } from "../../../src/logs/redis/log.ts";
import { ENGINES, startEngine, type Engine } from "../../support/redis.ts";
import { describeLog } from "../log.suite.ts";

for (const kind of ENGINES) {
  describe(`on ${kind}`, () => {
    let engine: Engine;
    let logs = 0;
    before(async () => {
      engine = await startEngine({ kind });
    });
    after(() => engine[Symbol.asyncDispose]());

    describeLog(`a log on ${kind}`, async ({ retention, now, elapsed }) => {
      const connection = await RedisConnection.open({
        address: redisAddress(`${engine.url}?prefix=log${++logs}`),
        ca: "",
        cert: "",
        key: "",
        report: () => {},
      });
      const clocks = now === Date.now ? {} : { now, elapsed };
      const log = await RedisLog.open({ connection, retention, durability: "normal", ...clocks });
      return Object.assign(log, {
        [Symbol.asyncDispose]: async () => {
          await log.close();
          connection.close();
        },
      });
    });
  });
}

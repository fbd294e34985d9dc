import { startRedisStreams } from "../support/buses/redis-streams.ts";
import { needsEngine } from "../support/redis.ts";
import { describeBridge } from "./bridge.suite.ts";

describeBridge("a bridge to Redis streams", {
  needs: (test) => needsEngine(test),
  start: startRedisStreams,
  prefix: "ce_",
  isDurable: true,
});

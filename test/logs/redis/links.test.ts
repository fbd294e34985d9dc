import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openNode } from "../../support/redis-node.ts";
import { needsEngine, startEngine } from "../../support/redis.ts";
import { draftOf } from "../../support/sample.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { until } from "../../support/until.ts";

describe("a node whose links to the engine are bad", { concurrency: 2 }, () => {
  it("goes on after its connections broke at any point of being made", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    await using node = await openNode(`redis://127.0.0.1:${proxy.port}`);
    for (let cuts = 0; cuts < 300; cuts++) {
      proxy.cut();
      await pause(cuts % 40);
    }
    await until("it publishes again", () =>
      node.log.append(draftOf("c", "last")).then(
        () => true,
        () => false,
      ),
    );
    assert.equal(node.followed.at(-1)?.data, '"last"');
  });
});

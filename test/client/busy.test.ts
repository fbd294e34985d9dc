import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../src/client/index.ts";
import { Cli } from "../support/cli.ts";
import { until } from "../support/until.ts";

/** Milliseconds; the server itself gives up a WebSocket that answers no beat. */
const SILENCE = 3200;

describe("the client under load", () => {
  for (const transport of ["sse", "websocket"] as const) {
    it(`a process that was itself too busy to read keeps its connection over ${transport}`, async () => {
      // A process of its own: it beats while this one does nothing else.
      await using server = new Cli(["serve", "--port", "0", "--data", "memory:", "--heartbeat", "2"]);
      await using hub = connect(await server.url(), { transport, silence: SILENCE });
      const got: unknown[] = [];
      await hub.subscribe("a", { onMessage: ({ data }) => got.push(data) }).ready;
      const states: string[] = [];
      hub.onState(({ kind }) => states.push(kind));
      const end = Date.now() + SILENCE + 200;
      while (Date.now() < end);
      await hub.publish("a", 1);
      await until("the message", () => got.length === 1);
      assert.deepEqual(states, []);
    });
  }
});

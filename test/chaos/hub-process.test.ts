import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { HubProcess } from "./hub-process.ts";

describe("a node of the fault harness", () => {
  it("is not healthy while another program answers on its port, and starts once that is gone", async () => {
    const port = await freePort();
    await using node = new HubProcess("node", port, { DATA: "memory:" });
    {
      await using other = createServer((_, response) => response.end()).listen(port, "127.0.0.1");
      await once(other, "listening");
      node.start();
      await until("it found its port in use", () => node.output.includes("is in use"));
      assert.equal(await node.isHealthy(), false);
    }
    await until("it is healthy", () => node.isHealthy());
    await node.kill("SIGKILL");
    assert.equal(await node.isHealthy(), false);
  });
});

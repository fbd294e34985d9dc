import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../../support/until.ts";
import { ComposeProject } from "../compose-project.ts";

const NODES = ["hub-1", "hub-2", "hub-3"] as const;

describe("compose.cluster.yaml", () => {
  it("is one hub of three nodes: what goes in at any comes out at all, also while one restarts after another", async () => {
    using project = new ComposeProject("compose.cluster.yaml", "deploy/nginx.conf", "deploy/certificate.sh");
    project.compose("up", "--detach", "--no-build");
    await project.healthy("valkey", ...NODES, "nginx");
    const key = project.compose("exec", "-T", "hub-1", "sse-mcp-server", "key", "create", "--name", "me", "--admin");
    await until("the key counts on all", async () => {
      const tries = await Promise.all(Array.from({ length: 9 }, () => project.publish("warm", key)));
      return tries.every((status) => status === 201);
    });
    const info = async (): Promise<string> =>
      (await project.request("/metrics", { headers: { authorization: `Bearer ${key}` } })).text;
    await until("each has heard of the others", async () => /^sse_mcp_hub_nodes 3$/m.test(await info()));

    // Readers on all nodes: nginx gives each to the one with the fewest.
    const readers = await Promise.all(Array.from({ length: 6 }, () => project.events(key)));
    assert.equal(await project.publish("to all", key), 201);
    const ids = await Promise.all(
      readers.map(async (reader) => {
        const { data, id } = await reader.next();
        assert.equal(data, "to all");
        return id ?? "";
      }),
    );
    assert.equal(new Set(ids).size, 1, "not one order");

    let sent = 0;
    for (const node of NODES) {
      project.compose("restart", node);
      await project.healthy(node);
      await until("it publishes", async () => (await project.publish(`while ${node}`, key)) === 201);
      sent++;
    }
    assert.equal(sent, 3);
    for (const reader of readers) reader.close();
    using again = await project.events(key, { lastEventId: ids[0] ?? "" });
    for (const node of NODES) assert.equal((await again.next()).data, `while ${node}`);
  });
});

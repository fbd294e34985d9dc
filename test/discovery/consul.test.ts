import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Consul } from "../../src/discovery/consul.ts";
import { ConsulDouble } from "../support/consul-double.ts";
import { hurriedDiscovery, INSTANCE } from "../support/discovery-rig.ts";
import type { Failure } from "../support/registry-double.ts";
import { until } from "../support/until.ts";

const REGISTER = "PUT /v1/agent/service/register";
const LOOK = `GET /v1/agent/service/${INSTANCE.id}`;

describe("discovery with Consul", { concurrency: true }, () => {
  it("registers with a health check and metadata, and sends its token with every request", async () => {
    await using agent = await new ConsulDouble().listen();
    agent.token = "6f1d2c1e";
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Consul(agent.url, "6f1d2c1e", INSTANCE));
    await until("it looks whether it is still there", () => agent.count(LOOK) >= 3);
    assert.deepEqual(agent.services.get(INSTANCE.id), {
      ID: "hub-127.0.0.1-8000",
      Name: "hub",
      Address: "127.0.0.1",
      Port: 8000,
      Tags: ["mcp", "sse", "websocket"],
      Meta: { version: "1.2.3", mcpPath: "/mcp", basePath: "/" },
      Check: {
        CheckID: "hub-127.0.0.1-8000-health",
        Name: "Whether messages are delivered",
        HTTP: "http://127.0.0.1:8000/health",
        Interval: "10s",
        Timeout: "5s",
        DeregisterCriticalServiceAfter: "1m",
      },
    });
    assert.deepEqual([discovery.state, discovery.isRegistered, discovery.failures], ["ok", true, 0]);
    await discovery.close();
    assert.deepEqual([agent.services.size, agent.count(REGISTER), agent.complaint], [0, 1, undefined]);
    assert.deepEqual(lines, ["info registered with Consul", "info deregistered from Consul"]);
  });

  it("has the agent check a server with TLS over https, under the name in its certificate", async () => {
    await using agent = await new ConsulDouble().listen();
    const { discovery } = hurriedDiscovery();
    const url = "https://127.0.0.1:8000";
    discovery.start(new Consul(agent.url, "", { ...INSTANCE, url, isSecure: true, tlsServerName: "hub.example" }));
    await until("it is registered", () => discovery.isRegistered);
    const { Check, Meta } = agent.services.get(INSTANCE.id) ?? {};
    assert.deepEqual(
      [Check?.["HTTP"], Check?.["TLSServerName"], Meta?.["secure"]],
      [`${url}/health`, "hub.example", "true"],
    );
    assert.equal(agent.complaint, undefined);
    await discovery.close();
  });

  it("registers again when the agent has forgotten it", async () => {
    await using agent = await new ConsulDouble().listen();
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Consul(agent.url, "", INSTANCE));
    await until("it is registered", () => discovery.isRegistered);
    agent.forget();
    await until("it is there again", () => agent.services.size === 1 && lines.length === 2);
    assert.deepEqual(lines, ["info registered with Consul", "info registered again with Consul, which had forgotten"]);
    await discovery.close();
  });

  it("is put into maintenance while it drains, stays so, and is gone at the end", async () => {
    await using agent = await new ConsulDouble().listen();
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Consul(agent.url, "", INSTANCE));
    await until("it is registered", () => discovery.isRegistered);
    discovery.drain();
    await until("it is out of service", () => discovery.state === "out of service");
    assert.deepEqual([agent.maintenance.get(INSTANCE.id), discovery.isRegistered], ["draining", false]);
    const looks = agent.count(LOOK);
    await until("it still looks", () => agent.count(LOOK) > looks + 1);
    // Whoever is forgotten while it drains is where it should be.
    agent.forget();
    const before = agent.count(LOOK);
    await until("it has looked again", () => agent.count(LOOK) > before);
    assert.deepEqual([agent.services.size, agent.count(REGISTER)], [0, 1]);
    await discovery.close();
    assert.deepEqual(lines.slice(0, 2), ["info registered with Consul", "info out of service at Consul"]);
  });

  it("ends the maintenance that a killed process left behind", async () => {
    await using agent = await new ConsulDouble().listen();
    const first = hurriedDiscovery().discovery;
    first.start(new Consul(agent.url, "", INSTANCE));
    await until("it is registered", () => first.isRegistered);
    agent.maintenance.set(INSTANCE.id, "draining");
    const { discovery } = hurriedDiscovery();
    discovery.start(new Consul(agent.url, "", INSTANCE));
    await until("it is registered, too", () => discovery.isRegistered);
    assert.equal(agent.maintenance.size, 0);
    await Promise.all([first.close(), discovery.close()]);
  });

  const failures: readonly (readonly [Failure, string])[] = [
    ["500", "it answers 500"],
    ["garbage", "it does not send JSON"],
    ["flood", "it sends more than 262144 bytes"],
    ["reset", "it cannot be reached (ECONNRESET)"],
    ["never", "it does not answer in time"],
  ];
  for (const [failure, reason] of failures) {
    it(`goes on trying while the agent fails (${failure}), and says so once`, async () => {
      await using agent = await new ConsulDouble().listen();
      agent.failure = failure;
      // Long enough for an answer on a busy machine.
      const { discovery, lines } = hurriedDiscovery(failure === "never" ? { timeout: 1000 } : {});
      discovery.start(new Consul(agent.url, "", INSTANCE));
      await until("it has tried", () => discovery.failures >= (failure === "never" ? 1 : 3));
      assert.deepEqual([discovery.state, discovery.isRegistered], [`Consul: ${reason}`, false]);
      agent.failure = undefined;
      await until("it is registered", () => discovery.isRegistered);
      agent.failure = failure;
      await until("that fails, too", () => !discovery.isRegistered);
      const failed = discovery.failures;
      await until("it tries on", () => discovery.failures > failed);
      agent.failure = undefined;
      await until("it is well again", () => discovery.isRegistered);
      const warning = `warn Consul: ${reason}; the server goes on and keeps trying`;
      assert.deepEqual(lines, [warning, "info registered with Consul", warning, "info Consul answers again"]);
      await discovery.close();
      assert.equal(agent.services.size, 0);
    });
  }

  it("says which right a token lacks", async () => {
    await using agent = await new ConsulDouble().listen();
    agent.token = "another";
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Consul(agent.url, "", INSTANCE));
    await until("it was refused", () => lines.length > 0);
    assert.match(lines[0] ?? "", /it answers 403; set CONSUL_TOKEN to a token with service:write on hub;/);
    await discovery.close();
  });

  it("waits longer after each failure", async () => {
    await using agent = await new ConsulDouble().listen();
    await agent.stop();
    const { discovery } = hurriedDiscovery();
    const started = performance.now();
    discovery.start(new Consul("http://127.0.0.1:9", "", INSTANCE));
    await until("it has tried six times", () => discovery.failures === 6);
    // Pauses of 5, 10, 20, 20 and 20 ms, each a fifth shorter at most.
    assert.ok(performance.now() - started >= 60 - 5, `${performance.now() - started} ms`);
    await discovery.close();
  });

  it("ends soon though the agent never answers, and says that it may still be listed", async () => {
    await using agent = await new ConsulDouble().listen();
    const { discovery, lines } = hurriedDiscovery({ deregisterTimeout: 100 });
    discovery.start(new Consul(agent.url, "", INSTANCE));
    await until("it is registered", () => discovery.isRegistered);
    agent.failure = "never";
    const looks = agent.count(LOOK);
    await until("a look is under way", () => agent.count(LOOK) > looks);
    const closing = performance.now();
    await discovery.close();
    assert.ok(performance.now() - closing < 30_000);
    assert.equal(lines.at(-1), "warn still registered with Consul: it does not answer in time");
  });
});

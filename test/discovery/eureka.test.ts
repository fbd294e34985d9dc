import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Eureka } from "../../src/discovery/eureka.ts";
import { hurriedDiscovery, INSTANCE } from "../support/discovery-rig.ts";
import { EUREKA_INSTANCE, EurekaDouble, type EurekaInstance } from "../support/eureka-double.ts";
import { until } from "../support/until.ts";

const PATH = `/eureka/apps/HUB/${INSTANCE.id}`;

describe("discovery with Eureka", { concurrency: true }, () => {
  it("registers, renews and deregisters", async () => {
    await using registry = await new EurekaDouble().listen();
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Eureka([`${registry.url}/eureka`], INSTANCE));
    await until("it renews", () => registry.count(`PUT ${PATH}`) >= 3);
    assert.deepEqual(registry.instances.get(INSTANCE.id), {
      ...EUREKA_INSTANCE,
      metadata: { version: "1.2.3", mcpPath: "/mcp", basePath: "/" },
    });
    assert.deepEqual([discovery.state, discovery.isRegistered, discovery.failures], ["ok", true, 0]);
    await discovery.close();
    assert.deepEqual([registry.instances.size, registry.complaint], [0, undefined]);
    assert.deepEqual(lines, ["info registered with Eureka", "info deregistered from Eureka"]);
  });

  it("gives a server with TLS a secure port only, and the address of a name", async () => {
    await using registry = await new EurekaDouble().listen();
    const { discovery } = hurriedDiscovery();
    const url = "https://localhost:8000";
    discovery.start(new Eureka([`${registry.url}/eureka/`], { ...INSTANCE, host: "localhost", url, isSecure: true }));
    await until("it is registered", () => discovery.isRegistered);
    const { hostName, ipAddr, port, securePort, ...other } = registry.instances.get(INSTANCE.id) as EurekaInstance;
    assert.equal(hostName, "localhost");
    assert.match(ipAddr ?? "", /^(?:127\.0\.0\.1|::1)$/);
    assert.deepEqual(
      [port, securePort],
      [
        { $: 80, "@enabled": "false" },
        { $: 8000, "@enabled": "true" },
      ],
    );
    assert.deepEqual([other["secureHealthCheckUrl"], other["healthCheckUrl"]], [`${url}/health`, undefined]);
    assert.equal(registry.complaint, undefined);
    await discovery.close();
  });

  it("registers again after 404, with a server that was restarted", async () => {
    await using registry = await new EurekaDouble().listen();
    const { port } = registry;
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Eureka([`${registry.url}/eureka`], INSTANCE));
    await until("it is registered", () => discovery.isRegistered);
    await registry.stop();
    await until("that is noticed", () => !discovery.isRegistered);
    registry.forget();
    await registry.listen(port);
    await until("it is there again", () => registry.instances.size === 1 && discovery.isRegistered);
    const [first, failed = "", again] = lines;
    assert.deepEqual(
      [first, again],
      ["info registered with Eureka", "info registered again with Eureka, which had forgotten"],
    );
    assert.match(failed, /^warn Eureka: it cannot be reached \(E/);
    await discovery.close();
  });

  it("is out of service while it drains, and one that comes after a killed one is not", async () => {
    await using registry = await new EurekaDouble().listen();
    const { discovery } = hurriedDiscovery();
    discovery.start(new Eureka([`${registry.url}/eureka`], INSTANCE));
    await until("it is registered", () => discovery.isRegistered);
    assert.equal(registry.statusOf(INSTANCE.id), "UP");
    discovery.drain();
    await until("it is out of service", () => discovery.state === "out of service");
    assert.equal(registry.statusOf(INSTANCE.id), "OUT_OF_SERVICE");
    const renewals = registry.count(`PUT ${PATH}`);
    await until("it renews on", () => registry.count(`PUT ${PATH}`) > renewals + 1);
    assert.equal(registry.statusOf(INSTANCE.id), "OUT_OF_SERVICE");
    const { discovery: next } = hurriedDiscovery();
    next.start(new Eureka([`${registry.url}/eureka`], INSTANCE));
    await until("the next is registered", () => next.isRegistered);
    assert.equal(registry.statusOf(INSTANCE.id), "UP");
    await Promise.all([discovery.close(), next.close()]);
    assert.equal(registry.complaint, undefined);
  });

  it("asks the next server while one fails, and stays with the one that answers", async () => {
    await using away = await new EurekaDouble().listen();
    await using broken = await new EurekaDouble().listen();
    await using good = await new EurekaDouble().listen();
    const urls = [away, broken, good].map(({ url }) => `${url}/eureka`);
    await away.stop();
    broken.failure = "500";
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Eureka(urls, INSTANCE, 60_000));
    await until("it is registered", () => good.instances.size === 1 && discovery.isRegistered);
    await until("it renews", () => good.count(`PUT ${PATH}`) >= 2);
    assert.deepEqual([lines, broken.requests.length], [["info registered with Eureka"], 1]);
    good.failure = "500";
    await until("none answers", () => discovery.failures > 0);
    assert.match(discovery.state, /^Eureka: it answers 500; it cannot be reached \(ECONNREFUSED\)$/);
    broken.failure = undefined;
    await until("the second one does", () => broken.instances.size === 1);
    await discovery.close();
  });

  for (const [password, written] of [
    ["p@ss", "p%40ss"],
    ["100%", "100%"],
  ] as const) {
    it(`logs in with the user and password of the URL, which is ${written}`, async () => {
      await using registry = await new EurekaDouble().listen();
      registry.authorization = `Basic ${Buffer.from(`hub:${password}`).toString("base64")}`;
      const { discovery } = hurriedDiscovery();
      discovery.start(new Eureka([`${registry.url.replace("://", `://hub:${written}@`)}/eureka`], INSTANCE));
      await until("it is registered", () => discovery.isRegistered);
      await discovery.close();
    });
  }

  it("does not take another server for a Eureka", async () => {
    await using registry = await new EurekaDouble().listen();
    registry.failure = "garbage";
    const { discovery, lines } = hurriedDiscovery();
    discovery.start(new Eureka([`${registry.url}/eureka`], INSTANCE));
    await until("it has tried", () => discovery.failures >= 2);
    assert.deepEqual(lines, ["warn Eureka: it does not send JSON; the server goes on and keeps trying"]);
    await discovery.close();
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, defaults } from "../../src/config.ts";
import { instanceOf, type DiscoverySettings } from "../../src/discovery/open.ts";
import { createServer, version, type ServerOptions } from "../../src/server.ts";
import { Authority } from "../support/certificates.ts";
import { Cli } from "../support/cli.ts";
import { ConsulDouble } from "../support/consul-double.ts";
import { EurekaDouble } from "../support/eureka-double.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface Health {
  readonly status: string;
  readonly checks: { readonly discovery?: string };
}

describe("a server that registers itself", { concurrency: true }, () => {
  it("registers where it listens, with a health check that is answered", async () => {
    await using agent = await new ConsulDouble().listen();
    await using server = await startServer({ discovery: `consul:${agent.url}`, serviceName: "orders-hub" });
    await until("it is registered", () => agent.services.size === 1);
    const [service] = agent.services.values();
    assert.deepEqual(
      [service?.ID, service?.Name, service?.Address, service?.Port],
      [`orders-hub-127.0.0.1-${server.port}`, "orders-hub", "127.0.0.1", server.port],
    );
    assert.deepEqual(service?.Meta, { version, mcpPath: "/mcp", basePath: "/" });
    const check = await fetch(service?.Check["HTTP"] ?? "");
    assert.equal(check.status, 200);
    await until("that is in /health and /metrics", async () => {
      const { checks } = (await server.request("/health")).json() as Health;
      return checks.discovery === "ok" && (await server.metric("sse_mcp_discovery_registered")) === 1;
    });
  });

  it("is found by https if it has a certificate", async () => {
    using folder = new TemporaryFolder();
    await using registry = await new EurekaDouble().listen();
    const tls = new Authority(folder.path).server();
    await using server = await startServer({ discovery: `eureka:${registry.url}/eureka`, ...tls });
    await until("it is registered", () => registry.instances.size === 1);
    const [instance] = registry.instances.values();
    assert.deepEqual(instance?.securePort, { $: server.port, "@enabled": "true" });
    assert.equal(instance?.["secureHealthCheckUrl"], `https://127.0.0.1:${server.port}/health`);
  });

  it("starts, is healthy and stops though the registry fails or never answers", async () => {
    await using agent = await new ConsulDouble().listen();
    agent.failure = "500";
    await using server = await startServer({ discovery: `consul:${agent.url}` });
    await until("it has tried", () => agent.requests.length > 0);
    await until("that is in /health", async () => {
      const { checks } = (await server.request("/health")).json() as Health;
      return checks.discovery === "Consul: it answers 500";
    });
    const answer = await server.request("/health");
    assert.deepEqual([answer.status, (answer.json() as Health).status], [200, "healthy"]);
    assert.equal(await server.metric("sse_mcp_discovery_registered"), 0);
    assert.ok((await server.metric("sse_mcp_discovery_failures_total")) > 0);
    agent.failure = "never";
    const closing = performance.now();
    await server.close();
    // The last request may take two seconds, and this machine its time.
    assert.ok(performance.now() - closing < 20_000);
  });

  it("has nothing about a registry in /health and /metrics if there is none", async () => {
    await using server = await startServer();
    assert.deepEqual(Object.keys(((await server.request("/health")).json() as Health).checks), [
      "delivery",
      "accepting",
    ]);
    assert.doesNotMatch((await server.request("/metrics")).text, /discovery/);
  });

  it("is out of service for DRAIN_WAIT, then gone from the registry, while readers are still there", async () => {
    await using agent = await new ConsulDouble().listen();
    await using server = await startServer({ discovery: `consul:${agent.url}`, drainWait: 60, drain: 2 });
    await until("it is registered", () => agent.services.size === 1);
    using reader = await server.events();
    const skip = new AbortController();
    const drained = server.drain(skip.signal);
    await until("it is in maintenance", () => agent.maintenance.size === 1);
    const { checks } = (await server.request("/health")).json() as Health;
    assert.equal(checks.discovery, "out of service");
    skip.abort();
    await drained;
    const closing = server.close();
    await until("it is deregistered", () => agent.services.size === 0);
    await Promise.all([closing, reader.ended]);
    assert.equal(agent.complaint, undefined);
  });

  it("is deregistered after SIGTERM, and not when it is killed", async () => {
    await using agent = await new ConsulDouble().listen();
    const env = { PORT: "0", DATA: "memory:", DRAIN: "0", DISCOVERY: `consul:${agent.url}`, CONSUL_TOKEN: "6f1d" };
    for (const [signal, left] of [
      ["SIGTERM", 0],
      ["SIGKILL", 1],
    ] as const) {
      await using cli = new Cli(["serve"], { env });
      await cli.url();
      await until("it is registered", () => agent.services.size === 1);
      cli.kill(signal);
      await cli.exit();
      assert.equal(agent.services.size, left, signal);
      assert.doesNotMatch(cli.stdout + cli.stderr, /6f1d/);
    }
  });

  const wrong: readonly (readonly [ServerOptions, RegExp])[] = [
    [
      { host: "0.0.0.0", discovery: "consul:http://127.0.0.1:8500" },
      /^DISCOVERY is set and HOST is "0\.0\.0\.0", which is every address .+; set ADVERTISE to the HOST:PORT where others reach this server$/,
    ],
    [{ host: "::", discovery: "eureka:http://127.0.0.1:8761/eureka" }, /HOST is "::", which is every address/],
    [
      { discovery: "eureka:http://eureka.example:8761/eureka" },
      /HOST is "127\.0\.0\.1", where only this machine reaches it, but the registry is on another one/,
    ],
  ];
  for (const [options, sentence] of wrong) {
    it(`does not start with HOST ${options.host ?? "left out"} and ${options.discovery}, and says what to set`, async () => {
      const starting = createServer({ port: 0, data: "memory:", logLevel: "silent", auth: "none", ...options });
      await assert.rejects(starting, (error) => error instanceof ConfigError && sentence.test(error.message));
    });
  }
});

describe("what a registry is told", () => {
  const listening = { address: "10.0.0.7", port: 8000, version: "1.2.3" };
  const told = (options: Partial<DiscoverySettings>): ReturnType<typeof instanceOf> =>
    instanceOf({ ...defaults(), ...options }, listening);

  it("is where the server listens, or what ADVERTISE says", () => {
    const { host, port, url, id } = told({});
    assert.deepEqual([host, port, url, id], ["10.0.0.7", 8000, "http://10.0.0.7:8000", "sse-mcp-server-10.0.0.7-8000"]);
    const other = told({ advertise: "[fd00::7]:80" });
    assert.deepEqual(
      [other.host, other.port, other.url, other.id],
      ["fd00::7", 80, "http://[fd00::7]:80", "sse-mcp-server-fd00--7-80"],
    );
  });

  it("is https if the server has a certificate, and if it is the proxy that has one", () => {
    const publicUrl = "https://hub.example";
    const behind = told({ publicUrl });
    assert.deepEqual([behind.isSecure, behind.url, behind.tlsServerName], [false, "http://10.0.0.7:8000", ""]);
    assert.equal(behind.metadata["publicUrl"], publicUrl);
    const proxy = told({ publicUrl, advertise: "hub.example:443" });
    assert.deepEqual([proxy.isSecure, proxy.url, proxy.tlsServerName], [true, "https://hub.example:443", ""]);
    const own = told({ publicUrl, tlsCert: "hub.pem" });
    assert.deepEqual([own.isSecure, own.url, own.tlsServerName], [true, "https://10.0.0.7:8000", "hub.example"]);
  });

  it("has the base path in its metadata", () => {
    const { metadata, url } = told({ basePath: "/hub" });
    assert.deepEqual([metadata["mcpPath"], metadata["basePath"], url], ["/hub/mcp", "/hub", "http://10.0.0.7:8000"]);
  });
});

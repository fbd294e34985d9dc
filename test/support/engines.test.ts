import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { startCluster } from "./redis-cluster.ts";
import { startSentinels } from "./redis-sentinels.ts";
import { needsEngine, startEngine } from "./redis.ts";
import { TcpProxy, type LinkFault } from "./tcp-proxy.ts";
import { until } from "./until.ts";

for (const kind of ["redis", "valkey"] as const) {
  describe(`${kind} in tests`, { concurrency: 1 }, () => {
    it("keeps what it was told over a restart, and over its death", async (test) => {
      if (!needsEngine(test, kind)) return;
      await using engine = await startEngine({ kind });
      await engine.cli("SET", "name", "value");
      await engine.restart();
      assert.equal(await engine.cli("GET", "name"), "value");
      await engine.kill("SIGKILL");
      assert.equal(engine.isRunning, false);
      await engine.restart();
      assert.equal(await engine.cli("GET", "name"), "value");
      await assert.rejects(engine.cli("NO-SUCH-COMMAND"), /unknown command/);
    });

    it("has a new primary soon after the old one died, by Sentinels and in a cluster", async (test) => {
      if (!needsEngine(test, kind)) return;
      await using group = await startSentinels({ kind });
      await using cluster = await startCluster({ kind, replicas: 1 });
      assert.equal(await group.primary(), 0);
      const first = await cluster.primaryOf("{hub}");
      await Promise.all([group.engines[0]?.kill(), first?.kill()]);
      await until("another is the primary", async () => (await group.primary()) === 1);
      await until("another has the slot", async () => {
        const next = await cluster.primaryOf("{hub}");
        return next !== undefined && next !== first;
      });
    });
  });
}

describe("the proxy of engines", () => {
  const ask = async (port: number): Promise<{ readonly say: (text: string) => void; text: string; ended: boolean }> => {
    const socket = connect(port, "127.0.0.1");
    const client = { say: (text: string) => void socket.write(text), text: "", ended: false };
    socket.setEncoding("utf8").on("data", (more: string) => (client.text += more));
    socket.on("error", () => {}).on("close", () => (client.ended = true));
    await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
    return client;
  };

  it("passes on, whatever size the pieces have, and however late", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    const client = await ask(proxy.port);
    const faults: readonly LinkFault[] = [{}, { piece: 1 }, { delay: 30 }, { piece: 2, delay: 10 }];
    for (const fault of faults) {
      proxy.treat(fault);
      client.text = "";
      const start = performance.now();
      client.say("PING\r\nECHO hello\r\n");
      await until("both replies", () => client.text === "+PONG\r\n$5\r\nhello\r\n");
      assert.ok(performance.now() - start >= 2 * (fault.delay ?? 0) - 5);
    }
  });

  it("holds one direction, and lets go of what it held", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    const client = await ask(proxy.port);
    proxy.treat({ stall: "replies" });
    client.say("SET held yes\r\n");
    await until("the engine did it", async () => (await engine.cli("GET", "held")) === "yes");
    assert.equal(client.text, "");
    proxy.treat({ stall: "requests" });
    await until("the reply came", () => client.text === "+OK\r\n");
    client.say("SET held no\r\n");
    assert.equal(await engine.cli("GET", "held"), "yes");
    proxy.treat();
    await until("the engine did that, too", async () => (await engine.cli("GET", "held")) === "no");
  });

  it("loses a reply to what was done, cuts, and refuses, for those it is told to", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    const client = await ask(proxy.port);
    const [port] = proxy.clients as [number];
    const other = await ask(proxy.port);
    proxy.treat((asked) => (asked === port ? { repliesBeforeLoss: 3 } : {}));
    client.say("SET lost reply\r\n");
    await until("the engine did it", async () => (await engine.cli("GET", "lost")) === "reply");
    await until("the reply began", () => client.text === "+OK");
    proxy.cut((asked) => asked === port);
    await until("it was cut", () => client.ended);
    other.say("PING\r\n");
    await until("the other one goes on", () => other.text === "+PONG\r\n");
    proxy.halfOpen();
    other.say("SET lost request\r\n");
    assert.equal(await engine.cli("GET", "lost"), "reply");
    assert.equal(other.ended, false);
    proxy.treat({ refuse: true });
    const late = await ask(proxy.port);
    await until("it is refused", () => late.ended);
  });
});

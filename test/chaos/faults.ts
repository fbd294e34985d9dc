import { setTimeout as pause } from "node:timers/promises";
import type { Engine } from "../support/redis.ts";
import type { HubProcess } from "./hub-process.ts";
import type { Random } from "./random.ts";
import type { Party, World } from "./world.ts";

/** Does its harm and takes it back; `done` is called when it is done. */
export type Fault = (world: World, random: Random, done: (what: string) => void) => Promise<void>;

const HOUR = 3_600_000;

/** Faults of nodes, for every kind of log. */
export const NODE_FAULTS: Readonly<Record<string, Fault>> = {
  async "node killed"(world, random, done) {
    const node = random.of(world.nodes);
    await node.kill("SIGKILL");
    done(node.name);
    await pause(random.between(0, 2000));
    node.start();
  },

  async "all nodes killed"(world, random, done) {
    await Promise.all(world.nodes.map((node) => node.kill("SIGKILL")));
    done("");
    await pause(random.between(0, 1000));
    for (const node of world.nodes) node.start();
  },

  async "node stopped"(world, random, done) {
    const node = random.of(world.nodes);
    await node.kill("SIGSTOP");
    done(node.name);
    await pause(random.between(200, 4000));
    await node.kill("SIGCONT");
  },

  async "rolling restart"(world, random, done) {
    for (const node of world.nodes) {
      await node.kill("SIGTERM");
      done(node.name);
      await pause(random.between(0, 300));
      node.start();
      await healthy(node);
    }
  },

  async "clock jumped"(world, random, done) {
    const node = random.of(world.nodes);
    const hours = random.of([-24, -1, 1, 24]);
    await node.kill("SIGKILL");
    node.start(hours * HOUR);
    done(`${node.name} by ${hours} hours`);
    await healthy(node);
    await pause(random.between(0, 1000));
    await node.kill("SIGUSR2");
  },
};

/** Faults of the engine, and of the links to it. */
export const ENGINE_FAULTS: Readonly<Record<string, Fault>> = {
  async "primary killed"(world, random, done) {
    const [engine] = await primary(world);
    await engine.kill("SIGKILL");
    done("");
    await pause(random.between(200, 6000));
    await engine.restart();
  },

  async "primary killed, ahead of its replica"(world, random, done) {
    const [engine, index] = await primary(world);
    const heal = world.spoil(["engine"], index, { stall: "replies" });
    await pause(random.between(200, 900));
    await engine.kill("SIGKILL");
    done("");
    await pause(random.between(3500, 6000));
    heal();
    await engine.restart();
  },

  async "primary stopped"(world, random, done) {
    const [engine] = await primary(world);
    await engine.kill("SIGSTOP");
    done("");
    await pause(random.between(200, 6000));
    await engine.kill("SIGCONT");
  },

  async "primary apart from its Sentinels"(world, random, done) {
    const [, index] = await primary(world);
    const heal = world.spoil(["sentinel", "engine"], index, { stall: "both" });
    done("");
    await pause(random.between(3500, 6000));
    heal();
  },

  async "replica killed"(world, random, done) {
    const [, index] = await primary(world);
    const replica = enginesOf(world)[1 - index] as Engine;
    await replica.kill("SIGKILL");
    done("");
    await pause(random.between(0, 2000));
    await replica.restart();
  },

  async "link cut"(world, random, done) {
    const node = random.of(world.nodes);
    const heal = world.spoil([node.name as Party], "any", { refuse: true });
    done(node.name);
    await pause(random.of([0, random.between(0, 5000)]));
    heal();
  },

  async "all links cut"(world, random, done) {
    const heal = world.spoil(["node 1", "node 2", "node 3"], "any", { refuse: true });
    done("");
    await pause(random.between(0, 3000));
    heal();
  },

  async "link slow"(world, random, done) {
    const node = random.of(world.nodes);
    const delay = random.between(20, 400);
    const heal = world.spoil([node.name as Party], "any", { delay });
    done(`${node.name} by ${delay} ms`);
    await pause(random.between(500, 4000));
    heal();
  },

  async "link in pieces"(world, random, done) {
    const node = random.of(world.nodes);
    // Bytes that go one by one would keep this process busy, in which the proxies are.
    const heal = world.spoil([node.name as Party], "any", { piece: random.between(50, 500) });
    done(node.name);
    await pause(random.between(500, 2000));
    heal();
  },

  async "link halved"(world, random, done) {
    const node = random.of(world.nodes);
    const stall = random.of(["requests", "replies", "both"] as const);
    const heal = world.spoil([node.name as Party], "any", { stall });
    done(`${node.name}, ${stall}`);
    await pause(random.between(500, 5000));
    heal();
  },

  async "link half open"(world, random, done) {
    const node = random.of(world.nodes);
    world.breakLinks("halfOpen", [node.name as Party]);
    done(node.name);
  },

  async "reply lost"(world, random, done) {
    const node = random.of(world.nodes);
    const heal = world.spoil([node.name as Party], "any", { repliesBeforeLoss: random.between(0, 2000) });
    await pause(random.between(50, 500));
    world.breakLinks("cut", [node.name as Party]);
    done(node.name);
    heal();
  },

  async flush(world, _, done) {
    const [engine] = await primary(world);
    await engine.cli("FLUSHALL");
    done("done");
  },

  async "subscriptions killed"(world, random, done) {
    const [engine] = await primary(world);
    const times = random.between(1, 10);
    for (let time = 0; time < times; time++) {
      // Those of nodes alone: Sentinels without theirs take the primary for dead.
      const clients = (await engine.cli("CLIENT", "LIST", "TYPE", "pubsub")).split("\n");
      const ids = clients
        .filter((client) => client.includes("name=sse-mcp-server"))
        .map((client) => /id=(\d+)/.exec(client)?.[1]);
      for (const id of ids) await engine.cli("CLIENT", "KILL", "ID", id ?? "").catch(() => {});
      await pause(100);
    }
    done(`${times} times`);
  },

  async "output buffers full"(world, random, done) {
    const [engine] = await primary(world);
    const node = random.of(world.nodes);
    await engine.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1kb 1kb 1");
    const heal = world.spoil([node.name as Party], "any", { stall: "replies" });
    done(node.name);
    await pause(random.between(1000, 3000));
    heal();
    await engine.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60");
  },

  async "engine restarted"(world, random, done) {
    const [engine] = await primary(world);
    // Faster than the Sentinels notice: the same engine comes back as another run of it.
    await engine.kill(random.of(["SIGKILL", "SIGTERM"] as const));
    await engine.restart();
    done("");
  },
};

function enginesOf({ group }: World): readonly Engine[] {
  if (group === undefined) throw new Error("there is no engine in this world");
  return group.engines;
}

/** The primary and its index; the first engine while the Sentinels do not agree. */
async function primary(world: World): Promise<readonly [Engine, number]> {
  const index = Math.max(0, (await world.group?.primary()) ?? 0);
  return [enginesOf(world)[index] as Engine, index];
}

async function healthy(node: HubProcess): Promise<void> {
  for (let tries = 0; tries < 100 && !(await node.isHealthy()); tries++) await pause(100);
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import type { Engine, EngineKind } from "../support/redis.ts";
import { startSentinels, type Sentinels } from "../support/redis-sentinels.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import type { LinkFault } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { Balancer } from "./balancer.ts";
import { HubProcess } from "./hub-process.ts";
import type { Place } from "./place.ts";
import { ownerOf } from "./socket-owners.ts";

/** `file`: one node with its log in a file. Otherwise three nodes on a primary with a replica and three Sentinels. */
export type WorldKind = "file" | EngineKind;

/** Who connects to an engine. */
export type Party = "node 1" | "node 2" | "node 3" | "engine" | "sentinel" | "other";

interface Rule {
  readonly from: readonly Party[];
  /** The index of the engine. */
  readonly to: number | "any";
  readonly fault: LinkFault;
}

/** Milliseconds: a busy machine may keep an engine from answering for a second. */
const DOWN_AFTER = 2000;
/** Milliseconds for everything to be well again after the last fault. */
const RECOVERY = 30_000;

/** All processes of a run, on loopback, and the links between them. */
export class World implements AsyncDisposable {
  readonly kind: WorldKind;
  readonly nodes: readonly HubProcess[];
  readonly balancer: Balancer;
  readonly group: Sentinels | undefined;
  readonly #stack: AsyncDisposableStack;
  readonly #rules: Set<Rule> = new Set();

  private constructor(
    kind: WorldKind,
    nodes: readonly HubProcess[],
    balancer: Balancer,
    group: Sentinels | undefined,
    stack: AsyncDisposableStack,
  ) {
    this.kind = kind;
    this.nodes = nodes;
    this.balancer = balancer;
    this.group = group;
    this.#stack = stack;
  }

  static async open(kind: WorldKind): Promise<World> {
    await using opening = new AsyncDisposableStack();
    const folder = opening.use(new TemporaryFolder());
    const group = kind === "file" ? undefined : opening.use(await startSentinels({ kind, downAfter: DOWN_AFTER }));
    const nodes: HubProcess[] = [];
    for (let index = 1; index <= (group === undefined ? 1 : 3); index++) {
      const own = join(folder.path, `node-${index}`);
      mkdirSync(own);
      const data = group === undefined ? `file:${join(own, "hub.db")}` : group.url;
      // One of them begins with what it had before it died, the others with nothing.
      const mirror = index === 1 ? `file:${join(own, "mirror.db")}` : "temporary:";
      nodes.push(opening.use(new HubProcess(`node ${index}`, await freePort(), environment(data, mirror))));
    }
    for (const node of nodes) node.start();
    const balancer = opening.use(await Balancer.open(folder.path, nodes));
    await until("all nodes are ready", () => areHealthy(nodes), 2 * RECOVERY).catch((error: Error) => {
      throw new Error(`${error.message}\n${nodes.map(({ name, output }) => `=== ${name}\n${output}`).join("\n")}`);
    });
    return new World(kind, nodes, balancer, group, opening.move());
  }

  /** What all processes wrote, for whoever looks for the cause of something. */
  get output(): string {
    const { engines = [], sentinels = [] } = this.group ?? {};
    const named = (name: string) => (one: { readonly output: string }, index: number) =>
      `=== ${name} ${index + 1}\n${one.output}\n`;
    return [
      ...this.nodes.map(named("node")),
      ...engines.map(named("engine")),
      ...sentinels.map(named("sentinel")),
    ].join("");
  }

  /** Where clients connect to: half of them by the balancer. */
  get places(): readonly Place[] {
    return [...this.nodes, ...this.nodes.map(() => this.balancer)];
  }

  /** Lets a fault act on links; returns what ends it. */
  spoil(from: readonly Party[], to: number | "any", fault: LinkFault): () => void {
    const rule = { from, to, fault };
    this.#rules.add(rule);
    this.#treat();
    return () => {
      this.#rules.delete(rule);
      this.#treat();
    };
  }

  /** Resets links, or lets only the engine notice that they are gone. */
  breakLinks(how: "cut" | "halfOpen", from: readonly Party[], to: number | "any" = "any"): void {
    this.group?.proxies.forEach((proxy, index) => {
      if (to === "any" || to === index) proxy[how]((port) => from.includes(this.#partyOf(port)));
    });
  }

  /** Ends every fault; resolves with what did not recover, or null. */
  async heal(): Promise<string | null> {
    this.#rules.clear();
    this.#treat();
    for (const engine of this.group?.engines ?? []) {
      await engine.kill("SIGCONT");
      if (!engine.isRunning) await engine.restart();
    }
    for (const node of this.nodes) {
      await node.kill("SIGCONT");
      node.start();
    }
    if (!(await this.#hasOnePrimary())) return `the engines do not agree on a primary after ${2 * RECOVERY} ms`;
    try {
      await until("all nodes are well", () => areHealthy(this.nodes), RECOVERY);
      return null;
    } catch {
      const states = await Promise.all(this.nodes.map(async (node) => `${node.name} ${await node.isHealthy()}`));
      return `not healthy after ${RECOVERY} ms: ${states.join(", ")}`;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** Whether one engine is the primary, soon enough, and all others follow: Sentinels demote an old one late. */
  async #hasOnePrimary(): Promise<boolean> {
    const { engines = [] } = this.group ?? {};
    const isPrimary = async (engine: Engine): Promise<boolean> => (await engine.cli("ROLE")).startsWith("master");
    return until(
      "one primary",
      async () => (await Promise.all(engines.map(isPrimary))).filter(Boolean).length === Math.min(1, engines.length),
      2 * RECOVERY,
    ).then(
      () => true,
      () => false,
    );
  }

  #treat(): void {
    this.group?.proxies.forEach((proxy, index) => {
      const rules = [...this.#rules].filter(({ to }) => to === "any" || to === index);
      if (rules.length === 0) proxy.treat();
      else {
        proxy.treat((port) => {
          const party = this.#partyOf(port);
          const faults = rules.flatMap(({ from, fault }) => (from.includes(party) ? [fault] : []));
          return Object.assign({}, ...faults) as LinkFault;
        });
      }
    });
  }

  #partyOf(port: number): Party {
    const parties = new Map<number, Party>();
    for (const engine of this.group?.engines ?? []) parties.set(engine.pid, "engine");
    for (const sentinel of this.group?.sentinels ?? []) parties.set(sentinel.pid, "sentinel");
    for (const node of this.nodes) parties.set(node.pid, node.name as Party);
    return parties.get(ownerOf(port, [...parties.keys()])) ?? "other";
  }
}

async function areHealthy(nodes: readonly HubProcess[]): Promise<boolean> {
  return (await Promise.all(nodes.map((node) => node.isHealthy()))).every(Boolean);
}

function environment(data: string, mirror: string): Readonly<Record<string, string>> {
  return {
    DATA: data,
    MIRROR: mirror,
    HEARTBEAT: "1",
    DRAIN: "1",
    DRAIN_WAIT: "1",
    RATE_LIMITS: "off",
    LOG_LEVEL: "info",
    AUTH: "none",
  };
}

import { startEngine, type Engine, type EngineKind } from "./redis.ts";
import { until } from "./until.ts";

const PRIMARIES = 3;

export interface ClusterOptions {
  readonly kind?: EngineKind;
  /** Replicas of each primary; none without it. */
  readonly replicas?: number;
}

/** A cluster with three primaries. */
export interface Cluster extends AsyncDisposable {
  /** For `DATA`. */
  readonly url: string;
  readonly engines: readonly Engine[];
  /** The engine that is the primary of a key at the moment; undefined while there is none. */
  primaryOf(key: string): Promise<Engine | undefined>;
}

export async function startCluster({ kind, replicas = 0 }: ClusterOptions = {}): Promise<Cluster> {
  const stack = new AsyncDisposableStack();
  const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"];
  const engines: Engine[] = [];
  try {
    for (let index = 0; index < PRIMARIES * (1 + replicas); index++) {
      engines.push(stack.use(await startEngine({ kind, args })));
    }
    const [first] = engines as [Engine];
    const addresses = engines.map(({ port }) => `127.0.0.1:${port}`);
    const spread = ["--cluster-replicas", String(replicas), "--cluster-yes"];
    await first.cli("--cluster", "create", ...addresses, ...spread);
    await until("the cluster serves", async () => {
      const infos = await Promise.all(engines.map((engine) => engine.cli("CLUSTER", "INFO")));
      const nodes = await first.cli("CLUSTER", "NODES");
      return (
        infos.every((info) => info.includes("cluster_state:ok")) &&
        nodes.split(" slave ").length - 1 === PRIMARIES * replicas
      );
    });
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  return {
    url: `redis+cluster://${engines.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    engines,
    async primaryOf(key) {
      const asked = engines.find((engine) => engine.isRunning);
      const slot = Number(await asked?.cli("CLUSTER", "KEYSLOT", key));
      const nodes = (await asked?.cli("CLUSTER", "NODES")) ?? "";
      for (const line of nodes.split("\n")) {
        const [, address = "", flags = "", , , , , , ...slots] = line.split(" ");
        const has = slots.some((range) => {
          const [from = 0, to = from] = range.split("-").map(Number);
          return from <= slot && slot <= to;
        });
        const port = Number(/:(\d+)@/.exec(address)?.[1]);
        if (has && !flags.includes("fail")) return engines.find((engine) => engine.port === port);
      }
      return undefined;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

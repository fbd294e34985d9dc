import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type Engine, type EngineKind } from "./redis.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

const NAME = "mymaster";

export interface SentinelsOptions {
  readonly kind?: EngineKind;
  /** How many besides the primary; 1 without it. */
  readonly replicas?: number;
  /** More words for the command line of each engine. */
  readonly args?: readonly string[];
  /** Milliseconds without an answer after which a Sentinel takes an engine for dead; 1000 without it. */
  readonly downAfter?: number;
}

/** A primary and its replicas, each behind a proxy by whose port all others know it, and three Sentinels. */
export interface Sentinels extends AsyncDisposable {
  /** For `DATA`. */
  readonly url: string;
  /** The first one was the primary at the start. */
  readonly engines: readonly Engine[];
  /** Before each engine: clients, Sentinels and replicas reach it through its proxy. */
  readonly proxies: readonly TcpProxy[];
  readonly sentinels: readonly Engine[];
  /** The index of the engine that most of the Sentinels call the primary. */
  primary(): Promise<number>;
}

export async function startSentinels(options: SentinelsOptions = {}): Promise<Sentinels> {
  const { kind, replicas = 1, args = [], downAfter = 1000 } = options;
  const stack = new AsyncDisposableStack();
  const engines: Engine[] = [];
  const proxies: TcpProxy[] = [];
  const sentinels: Engine[] = [];
  try {
    for (let index = 0; index <= replicas; index++) {
      const proxy = stack.use(await TcpProxy.open(0));
      const { path } = stack.use(new TemporaryFolder());
      const file = join(path, "engine.conf");
      writeFileSync(file, engineConfiguration(proxy.port, proxies[0]?.port));
      const engine = stack.use(await startEngine({ kind, file, folder: path, args }));
      proxy.target = engine.port;
      engines.push(engine);
      proxies.push(proxy);
    }
    await until("the replicas follow", async () => {
      const info = (await engines[0]?.cli("INFO", "replication")) ?? "";
      return info.split("state=online").length - 1 === replicas;
    });
    for (let index = 0; index < 3; index++) {
      const folder = stack.use(new TemporaryFolder());
      const file = join(folder.path, "sentinel.conf");
      writeFileSync(file, sentinelConfiguration(proxies[0]?.port ?? 0, downAfter));
      const sentinel = { kind, file, folder: folder.path, args: ["--sentinel"], ready: /\+monitor/ };
      sentinels.push(stack.use(await startEngine(sentinel)));
    }
    await until("the Sentinels know each other and the replicas", async () => {
      const known = await Promise.all(sentinels.map((sentinel) => state(sentinel)));
      return known.every(
        (master) => master["num-other-sentinels"] === "2" && Number(master["num-slaves"]) === replicas,
      );
    });
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/${NAME}`,
    engines,
    proxies,
    sentinels,
    async primary() {
      const ports = await Promise.all(
        sentinels.map(
          async (sentinel) => (await sentinel.cli("SENTINEL", "get-master-addr-by-name", NAME)).split("\n")[1],
        ),
      );
      return proxies.findIndex(({ port }) => ports.filter((named) => named === String(port)).length >= 2);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function state(sentinel: Engine): Promise<Readonly<Record<string, string>>> {
  const lines = (await sentinel.cli("SENTINEL", "master", NAME)).split("\n");
  const pairs = lines.flatMap((line, index) => (index % 2 === 0 ? [[line, lines[index + 1] ?? ""] as const] : []));
  return Object.fromEntries(pairs);
}

/** In a file, in which Sentinels note who is the primary: one that restarts after a failover knows what it was. */
function engineConfiguration(port: number, primary: number | undefined): string {
  return `save ""
appendonly yes
replica-announce-ip 127.0.0.1
replica-announce-port ${port}
repl-diskless-sync-delay 0
${primary === undefined ? "" : `replicaof 127.0.0.1 ${primary}`}
`;
}

function sentinelConfiguration(primary: number, downAfter: number): string {
  return `sentinel monitor ${NAME} 127.0.0.1 ${primary} 2
sentinel down-after-milliseconds ${NAME} ${downAfter}
sentinel failover-timeout ${NAME} 5000
sentinel parallel-syncs ${NAME} 1
`;
}

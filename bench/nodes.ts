import type { Loaded } from "./cell.ts";
import { centrifugoCommand, CENTRIFUGO } from "./peers.ts";
import { RedisProcess, type RedisOptions } from "./redis-process.ts";
import { ServerProcess } from "./server-process.ts";
import { CONTENDERS, OURS, ourCommand, type Contender, type ServerKind } from "./targets.ts";

/** A server that can have several nodes on one Redis. */
export interface Cluster {
  readonly name: string;
  readonly title: string;
  readonly contender: Contender;
  /** A node that uses the Redis on that port. */
  node(redisPort: number): ServerKind;
}

/** This server; `settings` are further variables of its environment. */
export function ours(title: string, settings: readonly string[] = []): Cluster {
  return {
    name: "ours",
    title,
    contender: contender("ours"),
    node: (redisPort) => ({
      ...OURS,
      command: (directory, port) => [
        "env",
        ...settings,
        ...ourCommand(directory, port).map((word) =>
          word.startsWith("DATA=") ? `DATA=redis://127.0.0.1:${redisPort}` : word,
        ),
      ],
    }),
  };
}

/** Centrifugo with its Redis engine, and with history from which each reader recovers. */
export const CENTRIFUGO_ON_REDIS: Cluster = {
  name: "centrifugo",
  title: "Centrifugo",
  contender: contender("centrifugo"),
  node: (redisPort) => ({
    ...CENTRIFUGO,
    command: (directory, port) =>
      centrifugoCommand(directory, port, {
        type: "redis",
        redis: { address: `redis://127.0.0.1:${redisPort}` },
      }),
  }),
};

/** Nodes of one server, and the Redis that they share. */
export class Nodes implements AsyncDisposable, Loaded {
  readonly redis: RedisProcess;
  readonly replica: RedisProcess | undefined;
  readonly nodes: readonly ServerProcess[];
  readonly #stack: AsyncDisposableStack;

  private constructor(
    [redis, replica]: readonly [RedisProcess, RedisProcess | undefined],
    nodes: readonly ServerProcess[],
    stack: AsyncDisposableStack,
  ) {
    this.redis = redis;
    this.replica = replica;
    this.nodes = nodes;
    this.#stack = stack;
  }

  static async start(
    cluster: Cluster,
    count: number,
    options: RedisOptions & { replica?: boolean } = {},
  ): Promise<Nodes> {
    const stack = new AsyncDisposableStack();
    try {
      const redis = stack.use(await RedisProcess.start(options));
      const replica =
        options.replica === true ? stack.use(await RedisProcess.start({ ...options, replicaOf: redis })) : undefined;
      const nodes: ServerProcess[] = [];
      while (nodes.length < count) nodes.push(stack.use(await ServerProcess.start(cluster.node(redis.port))));
      return new Nodes([redis, replica], nodes, stack);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  get port(): number {
    return this.ports[0] ?? 0;
  }

  get ports(): readonly number[] {
    return this.nodes.map(({ port }) => port);
  }

  /** The Redis first. */
  cpuSecondsOfEach(): readonly number[] {
    return [this.redis.cpuSeconds(), ...this.nodes.map((node) => node.cpuSeconds())];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function contender(name: string): Contender {
  const found = CONTENDERS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

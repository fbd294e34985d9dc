import { freePort } from "../support/free-port.ts";
import { startServer, type TestServer } from "../support/server.ts";
import type { ServerOptions } from "../../src/server.ts";

/** Nodes of one hub, each on a port that it keeps when it is started again. */
export class Nodes implements AsyncDisposable {
  readonly ports: readonly number[];
  readonly #options: ServerOptions;
  readonly #servers: (TestServer | undefined)[] = [];
  /** How many readers came to each node, by what they read. */
  readonly #readers: readonly Map<string, number>[];

  private constructor(ports: readonly number[], options: ServerOptions) {
    this.ports = ports;
    this.#options = options;
    this.#readers = ports.map(() => new Map());
  }

  /** Starts as many; `data` is the engine that they share, or `memory:` for a single one. */
  static async open(count: number, data: string, options: ServerOptions = {}): Promise<Nodes> {
    const ports: number[] = [];
    while (ports.length < count) ports.push(await freePort());
    // What an operator sets behind a gateway.
    const behind: ServerOptions = { auth: "none", trustedProxies: ["127.0.0.1"], rateLimits: "off" };
    const nodes = new Nodes(ports, { ...behind, data, ...options });
    for (const index of ports.keys()) await nodes.start(index);
    return nodes;
  }

  get addresses(): readonly string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  server(index = 0): TestServer {
    const server = this.#servers[index];
    if (server === undefined) throw new Error(`node ${index} does not run`);
    return server;
  }

  /** Which node the reader of a channel that no one else reads came to; -1 if to none. */
  nodeOf(channel: string): number {
    return this.#readers.findIndex((readers) => readers.has(channel));
  }

  async start(index = 0): Promise<void> {
    const server = await startServer({ ...this.#options, port: this.ports[index] ?? 0 });
    const readers = this.#readers[index];
    const subscribe = server.hub.subscribe.bind(server.hub);
    server.hub.subscribe = (asked, sink) => {
      for (const channel of asked.channels) readers?.set(channel, (readers.get(channel) ?? 0) + 1);
      return subscribe(asked, sink);
    };
    this.#servers[index] = server;
  }

  /** Stops one as a signal would: it drains first. */
  async stop(index = 0): Promise<void> {
    const server = this.server(index);
    await server.close();
    this.#servers[index] = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server?.[Symbol.asyncDispose]();
  }
}

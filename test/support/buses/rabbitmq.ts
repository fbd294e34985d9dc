import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { connect, type ChannelModel, type ConfirmChannel } from "amqplib";
import type { BusMessage } from "../../../src/bridges/bus.ts";
import { Authority } from "../certificates.ts";
import { freePort } from "../free-port.ts";
import { leashed, onPath } from "../leash.ts";
import { needs } from "../needs.ts";

import { TemporaryFolder } from "../temporary-folder.ts";
import { until } from "../until.ts";
import type { BusServer, Receiver } from "./bus-server.ts";

/** The scripts themselves: those on the path switch to a user of their own. */
const SCRIPTS = globSync("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin")[0];

export const hasRabbit: boolean = SCRIPTS !== undefined;

/** Whether a test has RabbitMQ. */
export function needsRabbit(test: TestContext): boolean {
  return needs(test, "rabbitmq-server", hasRabbit, "apt-get install rabbitmq-server");
}

/** A real RabbitMQ, with data and ports of its own on loopback. */
export class Rabbit implements BusServer {
  readonly kind = "amqp";
  readonly port: number;
  readonly tlsPort: number;
  readonly #ports: { readonly epmd: number; readonly distribution: number };
  readonly #folder: TemporaryFolder = new TemporaryFolder();
  readonly authority: Authority;
  /** What it wrote since it was last started. */
  output = "";
  /** The quorum queues that were declared here. */
  readonly #places: Set<string> = new Set();
  #server: ChildProcess | undefined;
  #names: ChildProcess | undefined;
  #model: ChannelModel | undefined;
  #channel: ConfirmChannel | undefined;

  private constructor([port, tlsPort, epmd, distribution]: readonly [number, number, number, number]) {
    this.port = port;
    this.tlsPort = tlsPort;
    this.#ports = { epmd, distribution };
    this.authority = new Authority(this.#folder.path);
    const { tlsCert, tlsKey } = this.authority.server();
    mkdirSync(this.#folder.file("mnesia"));
    mkdirSync(this.#folder.file("log"));
    writeFileSync(this.#folder.file("plugins"), "[].\n");
    writeFileSync(
      this.#folder.file("rabbitmq.conf"),
      [
        `listeners.tcp.1 = 127.0.0.1:${port}`,
        `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
        `ssl_options.cacertfile = ${this.authority.file}`,
        `ssl_options.certfile = ${tlsCert}`,
        `ssl_options.keyfile = ${tlsKey}`,
        "max_message_size = 200000",
        "log.console = true",
        "log.file = false",
        "",
      ].join("\n"),
    );
  }

  static async start(): Promise<Rabbit> {
    const rabbit = new Rabbit([await freePort(), await freePort(), await freePort(), await freePort()]);
    try {
      await rabbit.start();
      return rabbit;
    } catch (error) {
      await rabbit[Symbol.asyncDispose]();
      throw error;
    }
  }

  get connection(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  connectionAt(port: number): string {
    return `amqp://guest:guest@127.0.0.1:${port}`;
  }

  async start(): Promise<void> {
    if (SCRIPTS === undefined) throw new Error("no rabbitmq-server");
    const env = this.#environment();
    // Erlang's own register of names, which RabbitMQ would otherwise start for good on all addresses.
    const epmd = onPath("epmd") ?? globSync("/usr/lib/erlang/erts-*/bin/epmd")[0] ?? "epmd";
    const [names, ...namesArgs] = leashed(epmd, "-port", String(this.#ports.epmd), "-address", "127.0.0.1");
    this.#names ??= spawn(names, namesArgs, { stdio: "ignore", env });
    this.output = "";
    const [command, ...args] = leashed(`${SCRIPTS}/rabbitmq-server`);
    const server = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
    this.#server = server;
    for (const stream of [server.stdout, server.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output = (this.output + text).slice(-100_000)));
    }
    const hasEnded = (): boolean => server.exitCode !== null || server.signalCode !== null;
    await until("RabbitMQ serves", () => this.output.includes("Server startup complete") || hasEnded(), 120_000);
    if (hasEnded()) throw new Error(`RabbitMQ ended: ${this.output}`);
  }

  async kill(): Promise<void> {
    // It writes down a second later which quorum queues there are; one that is not in that file never comes back.
    await until("it has noted the queues", () => this.#hasNoted());
    await this.#end();
  }

  /** Runs `rabbitmqctl`, which takes seconds; resolves with what it prints. */
  async ctl(...words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(`${SCRIPTS ?? ""}/rabbitmqctl`, ["-n", this.#node, "-q", ...words], {
      env: this.#environment(),
    });
    return stdout;
  }

  /** A topic exchange and a queue that takes all of it, both of this name. */
  async declare(place: string): Promise<void> {
    this.#places.add(place);
    const channel = await this.channel();
    await channel.assertExchange(place, "topic");
    await channel.assertQueue(place, { arguments: { "x-queue-type": "quorum" } });
    await channel.bindQueue(place, place, "#");
  }

  incoming(place: string): Readonly<Record<string, unknown>> {
    return { queue: place };
  }

  outgoing(place: string): Readonly<Record<string, unknown>> {
    return { exchange: place };
  }

  async send(place: string, messages: readonly BusMessage[]): Promise<void> {
    const channel = await this.channel();
    for (const { body, headers, contentType } of messages) {
      channel.publish(place, place, Buffer.from(body ?? []), { headers: { ...headers }, contentType });
    }
    await channel.waitForConfirms();
  }

  async receive(place: string): Promise<Receiver> {
    const channel = await (await this.#connected()).createChannel();
    const messages: BusMessage[] = [];
    await channel.consume(
      place,
      (message) => {
        if (message === null) return;
        const { headers = {}, contentType } = message.properties;
        messages.push({ body: message.content, headers, contentType });
      },
      { noAck: true },
    );
    return { messages, [Symbol.asyncDispose]: () => channel.close().catch(() => {}) };
  }

  async waiting(place: string): Promise<number> {
    const { messageCount } = await (await this.channel()).checkQueue(place);
    if (messageCount > 0) return messageCount;
    const lines = (await this.ctl("list_queues", "name", "messages", "--no-table-headers")).split("\n");
    return Number(lines.map((line) => line.split("\t")).find(([name]) => name === place)?.[1]);
  }

  /** A channel of a client that is not a bridge. */
  async channel(): Promise<ConfirmChannel> {
    this.#channel ??= await (await this.#connected()).createConfirmChannel();
    return this.#channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await end(this.#names);
    this.#folder[Symbol.dispose]();
  }

  async #end(): Promise<void> {
    this.#model = undefined;
    this.#channel = undefined;
    await end(this.#server);
  }

  #hasNoted(): boolean {
    const names = readFileSync(this.#folder.file(`mnesia/${this.#node}/quorum/${this.#node}/names.dets`), "latin1");
    return [...this.#places].every((place) => names.includes(`_${place}`));
  }

  async #connected(): Promise<ChannelModel> {
    if (this.#model === undefined) {
      this.#model = await connect(this.connection);
      this.#model.on("error", () => {});
    }
    return this.#model;
  }

  get #node(): string {
    return `hub${this.port}@localhost`;
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      HOME: this.#folder.path,
      RUNNING_UNDER_SYSTEMD: "true",
      RABBITMQ_NODENAME: this.#node,
      RABBITMQ_MNESIA_BASE: this.#folder.file("mnesia"),
      RABBITMQ_LOG_BASE: this.#folder.file("log"),
      RABBITMQ_CONFIG_FILE: this.#folder.file("rabbitmq.conf"),
      RABBITMQ_CONF_ENV_FILE: "/dev/null",
      RABBITMQ_ENABLED_PLUGINS_FILE: this.#folder.file("plugins"),
      RABBITMQ_DIST_PORT: String(this.#ports.distribution),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
      ERL_EPMD_PORT: String(this.#ports.epmd),
      ERL_EPMD_ADDRESS: "127.0.0.1",
    };
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

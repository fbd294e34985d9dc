import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { connect, connectAsync, type IPublishPacket, type MqttClient } from "mqtt";
import type { BusMessage } from "../../../src/bridges/bus.ts";
import { Authority } from "../certificates.ts";
import { freePort } from "../free-port.ts";
import { leashed, onPath } from "../leash.ts";
import { needs } from "../needs.ts";
import { TemporaryFolder } from "../temporary-folder.ts";
import { until } from "../until.ts";
import type { BusServer, Receiver } from "./bus-server.ts";

const BINARY = [onPath("mosquitto"), "/usr/sbin/mosquitto"].find((file) => file !== undefined && existsSync(file));
/** Messages that it takes before it has confirmed the first, unless it says so; it ends connections that send more. */
const MAX_UNCONFIRMED = 20;

/** Whether a test has Mosquitto. */
export function needsMosquitto(test: TestContext): boolean {
  return needs(test, "mosquitto", BINARY !== undefined, "apt-get install mosquitto");
}

/** A real Mosquitto, with data and ports of its own on loopback; `lines` are added to its configuration. */
export class Mosquitto implements BusServer {
  readonly kind = "mqtt";
  readonly port: number;
  readonly tlsPort: number;
  readonly authority: Authority;
  output = "";
  readonly #folder: TemporaryFolder = new TemporaryFolder();
  #server: ChildProcess | undefined;
  #client: MqttClient | undefined;

  private constructor(port: number, tlsPort: number, lines: readonly string[]) {
    this.port = port;
    this.tlsPort = tlsPort;
    this.authority = new Authority(this.#folder.path);
    const { tlsCert, tlsKey } = this.authority.server();
    writeFileSync(
      this.#folder.file("mosquitto.conf"),
      [
        "user root",
        `listener ${port} 127.0.0.1`,
        `listener ${tlsPort} 127.0.0.1`,
        `certfile ${tlsCert}`,
        `keyfile ${tlsKey}`,
        ...(lines.some((line) => line.startsWith("password_file")) ? [] : ["allow_anonymous true"]),
        "persistence true",
        `persistence_location ${this.#folder.path}/`,
        "max_queued_messages 0",
        ...(lines.some((line) => line.startsWith("log_type")) ? [] : ["log_type all"]),
        ...lines,
        "",
      ].join("\n"),
    );
  }

  static async start(...lines: readonly string[]): Promise<Mosquitto> {
    const broker = new Mosquitto(await freePort(), await freePort(), lines);
    try {
      await broker.start();
      return broker;
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
  }

  get connection(): string {
    return this.connectionAt(this.port);
  }

  connectionAt(port: number): string {
    return `mqtt://127.0.0.1:${port}`;
  }

  async start(): Promise<void> {
    if (BINARY === undefined) throw new Error("no mosquitto");
    this.output = "";
    const [command, ...args] = leashed(BINARY, "-c", this.#folder.file("mosquitto.conf"));
    const server = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#server = server;
    for (const stream of [server.stdout, server.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output = (this.output + text).slice(-100_000)));
    }
    const hasEnded = (): boolean => server.exitCode !== null || server.signalCode !== null;
    await until("Mosquitto serves", () => / running$/m.test(this.output) || hasEnded());
    if (hasEnded()) throw new Error(`Mosquitto ended: ${this.output}`);
  }

  async kill(): Promise<void> {
    this.#client?.end(true);
    this.#client = undefined;
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    // It writes its data from time to time, and does not promise that they survive this.
    this.output = "";
    server.kill("SIGUSR1");
    await until("Mosquitto has written its data", () => this.output.includes("Saving in-memory database"));
    await this.end("SIGKILL");
  }

  /** Ends it in an orderly way, or by another signal. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill(signal);
    await ended;
  }

  /** Two sessions that keep what is sent to a place: for the bridge, and for whoever receives later. */
  async declare(place: string): Promise<void> {
    const { topics, clientId } = this.incoming(place);
    for (const [id, topic] of [[clientId, topics[0]] as const, [receiverOf(place), place] as const]) {
      const client = await this.#session(id);
      await client.subscribeAsync(topic, { qos: 1 });
      await client.endAsync();
    }
  }

  incoming(place: string): { readonly topics: [string]; readonly clientId: string } {
    return { topics: [`${place}/#`], clientId: `bridge ${place}` };
  }

  outgoing(place: string): Readonly<Record<string, unknown>> {
    return { topic: place };
  }

  async send(place: string, messages: readonly BusMessage[]): Promise<void> {
    const client = await this.client();
    const most = client.serverProperties?.receiveMaximum ?? MAX_UNCONFIRMED;
    for (let start = 0; start < messages.length; start += most) {
      await Promise.all(
        messages.slice(start, start + most).map(({ body, headers, contentType }) =>
          client.publishAsync(place, Buffer.from(body ?? []), {
            qos: 1,
            properties: propertiesOf(headers, contentType),
          }),
        ),
      );
    }
  }

  async receive(place: string): Promise<Receiver> {
    const messages: BusMessage[] = [];
    const client = await this.#session(receiverOf(place), (body, { properties }) => {
      const headers = (properties?.userProperties ?? {}) as Record<string, string>;
      messages.push({ body, headers, contentType: properties?.contentType });
    });
    await client.subscribeAsync(place, { qos: 1 });
    return { messages, [Symbol.asyncDispose]: () => client.endAsync(true) };
  }

  async waiting(): Promise<undefined> {}

  /** A client that is not a bridge. */
  async client(): Promise<MqttClient> {
    if (this.#client === undefined) {
      this.#client = await connectAsync(this.connection, { protocolVersion: 5, reconnectPeriod: 0 });
      this.#client.on("error", () => {});
    }
    return this.#client;
  }

  async #session(
    clientId: string,
    onMessage: (body: Buffer, packet: IPublishPacket) => void = () => {},
  ): Promise<MqttClient> {
    const client = connect(this.connection, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      clientId,
      clean: false,
      properties: { sessionExpiryInterval: 3600 },
    });
    client.on("message", (_topic, body, packet) => onMessage(body, packet));
    client.on("error", () => {});
    await new Promise((resolve) => client.once("connect", resolve));
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }
}

/** mqtt.js never sends a message whose `userProperties` are there and empty. */
function propertiesOf(headers: BusMessage["headers"], contentType: string | undefined): IPublishPacket["properties"] {
  return {
    ...(Object.keys(headers).length === 0 ? {} : { userProperties: { ...headers } }),
    ...(contentType === undefined ? {} : { contentType }),
  };
}

function receiverOf(place: string): string {
  return `receiver ${place}`;
}

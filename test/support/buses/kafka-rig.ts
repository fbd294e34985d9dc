import assert from "node:assert/strict";
import type { Batch, Bus, BusMessage, Outgoing, Received } from "../../../src/bridges/bus.ts";
import { kafka } from "../../../src/bridges/kinds/kafka.ts";
import { type KafkaServer, openKafka } from "./kafka.ts";

type KafkaBus = Bus<unknown, unknown> & AsyncDisposable;

/** Bridges of one broker, each with a name of its own for its node. */
export class KafkaRig implements AsyncDisposable {
  readonly server: KafkaServer;
  #places = 0;
  #nodes = 0;

  private constructor(server: KafkaServer) {
    this.server = server;
  }

  static async open(): Promise<KafkaRig> {
    return new KafkaRig(await openKafka());
  }

  /** A name that no topic has yet. */
  newPlace(): string {
    return `place-${this.#places++}`;
  }

  /** A topic of its own. */
  async topic(partitions: number): Promise<string> {
    const place = this.newPlace();
    await this.server.declare(place, partitions);
    return place;
  }

  async connected(connection: unknown = this.server.connection): Promise<KafkaBus> {
    const client = { bridge: "test", node: `node-${this.#nodes++}`, report: () => {} };
    const bus: Bus<unknown, unknown> = await kafka.connect(kafka.connection.parse(connection), client);
    return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
  }

  incoming(place: string, more: object = {}): Readonly<Record<string, unknown>> {
    return kafka.in.parse({ ...this.server.incoming(place), ...more });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

export function message(text: string): BusMessage {
  return { body: Buffer.from(text), headers: {} };
}

export function numbered(count: number): BusMessage[] {
  return Array.from({ length: count }, (_, index) => message(String(index)));
}

export function outgoing(text: string, names: Record<string, string> = {}): Outgoing {
  return { id: text, names: { channel: "a", ...names }, headers: {}, body: Buffer.from(text) };
}

export function texts(messages: readonly BusMessage[]): string[] {
  return messages.map(({ body }) => Buffer.from(body ?? []).toString());
}

export function positions(messages: readonly Received[]): (string | undefined)[] {
  return messages.map(({ position }) => position);
}

export async function nextBatch(batches: AsyncIterator<Batch>): Promise<Batch> {
  const { value, done } = await batches.next();
  assert.ok(!done);
  return value;
}

export async function settle(batch: Batch): Promise<void> {
  await batch.settle(batch.messages.map(() => "done"));
}

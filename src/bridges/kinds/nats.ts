import type { Bus, BusClient, BusKind, Received, Source, Target } from "../bus.ts";
import { NatsClient } from "./nats/client.ts";
import { connection, type Connection } from "./nats/connection.ts";
import { CoreSource, CoreTarget } from "./nats/core.ts";
import { PREFIX } from "./nats/headers.ts";
import { JetStreamSource, JetStreamTarget } from "./nats/jetstream.ts";
import { inFields, outFields, type NatsIn, type NatsOut } from "./nats/rules.ts";
import { Streams, type ConsumerOptions } from "./nats/streams.ts";
import { subjectsOf } from "./nats/subject.ts";

/** NATS: streams of JetStream, and core NATS. */
export const nats: BusKind<Connection, NatsIn, NatsOut> = {
  connection,
  in: inFields,
  out: outFields,
  fromBeginning: { from: "all" },
  destination: "subject",
  names: ["subject", "stream"],
  prefixes: [PREFIX, "ce_"],
  isExclusive: (rule) => (rule.stream === undefined ? rule.queue === undefined : rule.order),
  connect: async (asked, client) => new NatsBus(await NatsClient.open(asked, client), client),
};

class NatsBus implements Bus<NatsIn, NatsOut> {
  readonly lost: Promise<never>;
  readonly #nats: NatsClient;
  readonly #client: BusClient;
  /** The consumers in use, each as its stream and its name. */
  readonly #used: Set<string> = new Set();
  #streams: Promise<Streams> | undefined;

  constructor(connected: NatsClient, client: BusClient) {
    this.#nats = connected;
    this.lost = connected.lost;
    this.#client = client;
  }

  async source(rule: NatsIn): Promise<Source> {
    const { stream } = rule;
    if (stream === undefined) return await CoreSource.open(this.#nats.connection, this.#core(rule));
    const options = this.#consumer(rule, stream);
    const streams = await this.#jetstream();
    await streams.expect(stream, declared(rule));
    const use = `${stream} ${options.durable}`;
    if (this.#used.has(use)) {
      throw new Error(`Two rules receive from consumer ${options.durable} of stream ${stream}; give one a "durable"`);
    }
    this.#used.add(use);
    try {
      const source = await JetStreamSource.open(streams, options);
      return {
        batches: () => source.batches(),
        lag: () => source.lag(),
        close: async () => {
          this.#used.delete(use);
          await source.close();
        },
      };
    } catch (error) {
      this.#used.delete(use);
      throw error;
    }
  }

  async target({ declare, stream, subject }: NatsOut): Promise<Target> {
    if (stream === undefined) return new CoreTarget(this.#nats, subject);
    const streams = await this.#jetstream();
    await streams.expect(stream, declare ? [subjectsOf(subject)] : undefined);
    return new JetStreamTarget(this.#nats, streams, { stream, subject });
  }

  async sample(rule: NatsIn): Promise<Received | undefined> {
    if (rule.stream === undefined) {
      const source = await CoreSource.open(this.#nats.connection, this.#core({ ...rule, queue: undefined }));
      await source.close();
      return undefined;
    }
    const streams = await this.#jetstream();
    await streams.expect(rule.stream);
    return await streams.newest(rule.stream, rule.subjects ?? [">"]);
  }

  async close(): Promise<void> {
    await this.#nats.close();
  }

  #core({ queue, subjects: asked = [] }: NatsIn): ConstructorParameters<typeof CoreSource>[1] {
    return { subjects: asked, queue, report: this.#client.report };
  }

  #consumer(rule: NatsIn, stream: string): ConsumerOptions {
    const { ackWait, durable = `hub-${this.#client.bridge}`, from, maxAckPending, order, subjects: asked } = rule;
    return { stream, durable, subjects: asked, from, order, ackWait, maxAckPending };
  }

  #jetstream(): Promise<Streams> {
    return (this.#streams ??= Streams.open(this.#nats));
  }
}

/** The subjects of the stream that a rule allows to be created; undefined if it allows none. */
function declared({ declare, stream, subjects: asked }: NatsIn): readonly string[] | undefined {
  return declare ? (asked ?? [`${stream}.>`]) : undefined;
}

import { z } from "zod";
import type { Bus, BusClient, BusKind, Received, Source, Target } from "../bus.ts";
import { connection, Link, type Connection } from "./nats/connection.ts";
import { CoreSource, CoreTarget } from "./nats/core.ts";
import { PREFIX } from "./nats/headers.ts";
import { JetStreamSource, JetStreamTarget } from "./nats/jetstream.ts";
import { Streams, type ConsumerOptions } from "./nats/streams.ts";
import { overlapping, subjectProblem, subjectsOf } from "./nats/subject.ts";

/** A name of a stream or a consumer. */
const name: z.ZodString = z
  .string()
  .regex(/^[^\s.*>/\\]{1,64}$/, "use up to 64 characters without spaces, dots, *, >, / and \\");
const subjects = z
  .array(
    z.string().superRefine((text, context) => {
      const problem = subjectProblem(text);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    }),
  )
  .min(1)
  .max(100)
  .superRefine((all, context) => {
    const pair = overlapping(all);
    if (pair !== undefined) {
      context.addIssue({ code: "custom", message: `${pair[0]} and ${pair[1]} overlap; name each message once` });
    }
  });

const fields = z.object({
  /** Receives from this stream of JetStream; from core NATS without it. */
  stream: name.optional(),
  subjects: subjects.optional(),
  /** Core NATS: a group whose members share the messages. */
  queue: name.optional(),
  /** JetStream: the name of the consumer, `hub-` and the name of the bridge by default. */
  durable: name.optional(),
  from: z.enum(["new", "all"]).default("new"),
  /** Whether one node receives at a time, so that the order of the stream is kept. */
  order: z.boolean().default(true),
  ackWait: z.number().min(1).max(3600).optional(),
  maxAckPending: z.int().min(1).max(10_000).optional(),
  declare: z.boolean().default(false),
});
/** Fields that make sense in one of the two alone. */
const OF_CORE: readonly string[] = ["queue"];
const OF_JETSTREAM: readonly string[] = ["durable", "ackWait", "maxAckPending"];
const incoming: z.ZodObject = fields.superRefine((rule, context) => {
  const isCore = rule.stream === undefined;
  if (isCore && rule.subjects === undefined) {
    context.addIssue({ code: "custom", path: ["subjects"], message: "name subjects, a stream, or both" });
  }
  for (const field of isCore ? OF_JETSTREAM : OF_CORE) {
    if (rule[field as keyof typeof rule] === undefined) continue;
    const message = isCore ? "core NATS has no such thing; name a stream" : "a stream has no such thing; leave it out";
    context.addIssue({ code: "custom", path: [field], message });
  }
});
const outgoing: z.ZodObject = z.object({
  /** Sends to this stream of JetStream, which confirms each message; by core NATS without it. */
  stream: name.optional(),
  subject: z.string().min(1).max(512),
  declare: z.boolean().default(false),
});

/** An `in` rule: what only this kind has of it. */
export interface NatsIn {
  readonly stream?: string | undefined;
  readonly subjects?: readonly string[] | undefined;
  readonly queue?: string | undefined;
  readonly durable?: string | undefined;
  readonly from: "new" | "all";
  readonly order: boolean;
  readonly ackWait?: number | undefined;
  readonly maxAckPending?: number | undefined;
  readonly declare: boolean;
}

/** An `out` rule: what only this kind has of it. */
export interface NatsOut {
  readonly stream?: string | undefined;
  readonly subject: string;
  readonly declare: boolean;
}

/** NATS: streams of JetStream, and core NATS. */
export const nats: BusKind<Connection, NatsIn, NatsOut> = {
  connection,
  in: incoming,
  out: outgoing,
  everything: { from: "all" },
  outTemplates: ["subject"],
  names: ["subject", "stream"],
  prefixes: [PREFIX, "ce_"],
  isExclusive: (rule) => (rule.stream === undefined ? rule.queue === undefined : rule.order),
  connect: async (asked, client) => new NatsBus(await Link.open(asked, client), client),
};

class NatsBus implements Bus<NatsIn, NatsOut> {
  readonly lost: Promise<never>;
  readonly #link: Link;
  readonly #client: BusClient;
  /** Consumers that are received from, each by its stream and its name. */
  readonly #used: Set<string> = new Set();
  #streams: Promise<Streams> | undefined;

  constructor(link: Link, client: BusClient) {
    this.#link = link;
    this.lost = link.lost;
    this.#client = client;
  }

  async source(rule: NatsIn): Promise<Source> {
    const { stream } = rule;
    if (stream === undefined) return await CoreSource.open(this.#link.connection, this.#core(rule));
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
    if (stream === undefined) return new CoreTarget(this.#link, subject);
    const streams = await this.#jetstream();
    await streams.expect(stream, declare ? [subjectsOf(subject)] : undefined);
    return new JetStreamTarget(this.#link, streams, { stream, subject });
  }

  async sample(rule: NatsIn): Promise<Received | undefined> {
    if (rule.stream === undefined) {
      const source = await CoreSource.open(this.#link.connection, this.#core({ ...rule, queue: undefined }));
      await source.close();
      return undefined;
    }
    const streams = await this.#jetstream();
    await streams.expect(rule.stream);
    return await streams.newest(rule.stream, rule.subjects ?? [">"]);
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  #core({ queue, subjects: asked = [] }: NatsIn): ConstructorParameters<typeof CoreSource>[1] {
    return { subjects: asked, queue, report: this.#client.report };
  }

  #consumer(rule: NatsIn, stream: string): ConsumerOptions {
    const { ackWait, durable = `hub-${this.#client.bridge}`, from, maxAckPending, order, subjects: asked } = rule;
    return { stream, durable, subjects: asked, from, order, ackWait, maxAckPending };
  }

  #jetstream(): Promise<Streams> {
    return (this.#streams ??= Streams.open(this.#link));
  }
}

/** The subjects of the stream that a rule lets us make. */
function declared({ declare, stream, subjects: asked }: NatsIn): readonly string[] | undefined {
  return declare ? (asked ?? [`${stream}.>`]) : undefined;
}

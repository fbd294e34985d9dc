import type { ConsumerConfig, ConsumerInfo, JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { MissingError, PREFETCH, type Received } from "../../bus.ts";
import type { NatsClient } from "./client.ts";
import { headersOf } from "./headers.ts";
import { overlapping } from "./subject.ts";

/** What the consumer of an `in` rule is like. */
export interface ConsumerOptions {
  readonly stream: string;
  readonly durable: string;
  readonly subjects: readonly string[] | undefined;
  readonly from: "new" | "all";
  readonly order: boolean;
  /** Seconds; by default, that of an existing consumer, or else 30. */
  readonly ackWait: number | undefined;
  /** By default, that of an existing consumer, or else `PREFETCH`. */
  readonly maxAckPending: number | undefined;
}

/** Milliseconds that an answer of JetStream may take. */
const TIMEOUT = 5000;
/** Seconds before a new consumer delivers again, unless the rule says otherwise. */
const ACK_WAIT = 30;
/** The largest `max_ack_pending` that is accepted: that many messages are held in memory. */
const MAX_PENDING = 10_000;
const NANOS = 1e9;
const NOT_FOUND = 404;
/** What the driver calls its error if no one answers. */
export const NOT_ENABLED = "JetStreamNotEnabled";

/** JetStream over a connection: its streams and consumers. */
export class Streams {
  readonly client: JetStreamClient;
  readonly #nats: NatsClient;
  readonly #manager: JetStreamManager;

  private constructor(nats: NatsClient, client: JetStreamClient, manager: JetStreamManager) {
    this.#nats = nats;
    this.client = client;
    this.#manager = manager;
  }

  static async open(nats: NatsClient): Promise<Streams> {
    const options = { timeout: TIMEOUT };
    const { jetstream, jetstreamManager } = nats.driver.jetstream;
    // The check would need a permission that nothing else needs.
    const manager = await jetstreamManager(nats.connection, { ...options, checkAPI: false });
    return new Streams(nats, jetstream(nats.connection, options), manager);
  }

  /** Whether the connection is closed. */
  get isClosed(): boolean {
    return this.#nats.connection.isClosed();
  }

  /** Rejects with a `MissingError` if a stream does not exist, or creates it with the subjects in `declared`. */
  async expect(stream: string, declared?: readonly string[]): Promise<void> {
    try {
      await this.#manager.streams.info(stream);
    } catch (error) {
      if (!this.#isMissing(error)) throw this.failure(`stream ${stream}`, error);
      if (declared === undefined) {
        throw new MissingError(`NATS has no stream ${stream}; create it, or let "declare": true do so`, {
          cause: error,
        });
      }
      await this.#manager.streams.add({ name: stream, subjects: [...declared] }).catch((cause: unknown) => {
        throw this.failure(`stream ${stream}`, cause);
      });
    }
  }

  /** Whether a stream stores what is published on a subject. Rejects if it does not answer. */
  async takes(stream: string, subject: string): Promise<boolean> {
    try {
      const { config } = await this.#manager.streams.info(stream);
      return config.subjects.some((own) => overlapping([own, subject]) !== undefined);
    } catch (error) {
      throw this.failure(`stream ${stream}`, error);
    }
  }

  /** The durable consumer of a rule: the existing one, updated as the rule says, or a new one. */
  async consumer(options: ConsumerOptions): Promise<ConsumerInfo> {
    const { ackWait, durable, from, maxAckPending, stream, subjects } = options;
    const { AckPolicy, DeliverPolicy } = this.#nats.driver.jetstream;
    const asked: Partial<ConsumerConfig> = {
      ...(ackWait === undefined ? {} : { ack_wait: ackWait * NANOS }),
      ...(maxAckPending === undefined ? {} : { max_ack_pending: maxAckPending }),
      ...(subjects === undefined ? {} : { filter_subjects: [...subjects] }),
    };
    try {
      const existing = await this.#existing(stream, durable);
      const info =
        existing === undefined
          ? await this.#manager.consumers.add(stream, {
              durable_name: durable,
              ack_policy: AckPolicy.Explicit,
              deliver_policy: from === "new" ? DeliverPolicy.New : DeliverPolicy.All,
              ack_wait: ACK_WAIT * NANOS,
              max_ack_pending: PREFETCH,
              ...asked,
            })
          : await this.#updated(existing, asked);
      const problem = consumerProblem(info);
      if (problem !== undefined) throw new Error(problem);
      return info;
    } catch (error) {
      throw this.failure(`consumer ${durable} of stream ${stream}`, error);
    }
  }

  /**
   * Makes a consumer deliver again what was not acknowledged, before anything newer. Resolves with false if the server
   * cannot do that, as before 2.14.
   */
  async rewind({ stream_name: stream, name }: ConsumerInfo): Promise<boolean> {
    try {
      await this.#manager.consumers.reset(stream, name);
      return true;
    } catch (error) {
      if (this.isClosed) throw error;
      return false;
    }
  }

  /** Messages that a consumer has not delivered yet. */
  async pending(stream: string, durable: string): Promise<number> {
    return (await this.#manager.consumers.info(stream, durable)).num_pending;
  }

  /** The newest message of a stream on one of these subjects. */
  async newest(stream: string, subjects: readonly string[]): Promise<Received | undefined> {
    for (const subject of subjects) {
      const found = await this.#manager.streams
        .getMessage(stream, { last_by_subj: subject })
        .catch((error: unknown) => {
          throw this.failure(`stream ${stream}`, error);
        });
      if (found !== null) {
        return {
          body: found.data,
          ...headersOf(found.header),
          names: { subject: found.subject, stream },
          position: `${stream}/${found.seq}/${found.time.getTime()}`,
        };
      }
    }
    return undefined;
  }

  /** An error of JetStream as a sentence; `what` is what it was about. */
  failure(what: string, error: unknown): Error {
    const { TimeoutError } = this.#nats.driver.core;
    const { message, name } = error as Error;
    const isAbsent = name === NOT_ENABLED;
    const said = error instanceof TimeoutError ? "no answer in time" : isAbsent ? "JetStream does not answer" : message;
    return new Error(`NATS, ${what}: ${said}`, { cause: error });
  }

  /** An existing consumer, updated to what a rule asks for. */
  async #updated(existing: ConsumerInfo, asked: Partial<ConsumerConfig>): Promise<ConsumerInfo> {
    const { config } = existing;
    const { filter_subjects: filters, ...rest } = asked;
    const has = config.filter_subjects ?? (config.filter_subject === undefined ? [] : [config.filter_subject]);
    const isFiltered = filters === undefined || filters.toSorted().join(" ") === has.toSorted().join(" ");
    const isSame = Object.entries(rest).every(([name, value]) => config[name as keyof ConsumerConfig] === value);
    if (isFiltered && isSame) return existing;
    const update = { ...rest, ...(isFiltered ? {} : { filter_subjects: filters, filter_subject: undefined }) };
    return await this.#manager.consumers.update(existing.stream_name, existing.name, update);
  }

  async #existing(stream: string, durable: string): Promise<ConsumerInfo | undefined> {
    try {
      return await this.#manager.consumers.info(stream, durable);
    } catch (error) {
      if (this.#isMissing(error)) return undefined;
      throw error;
    }
  }

  #isMissing(error: unknown): boolean {
    return error instanceof this.#nats.driver.jetstream.JetStreamApiError && error.status === NOT_FOUND;
  }
}

/** Why a bridge cannot use a consumer; undefined if it can. */
function consumerProblem({ config }: ConsumerInfo): string | undefined {
  if (config.deliver_subject !== undefined) return "it is a push consumer; a bridge needs a pull consumer";
  if (config.ack_policy !== "explicit") return `its acknowledgements are ${config.ack_policy}; they must be explicit`;
  const most = config.max_ack_pending ?? 0;
  if (most >= 1 && most <= MAX_PENDING) return undefined;
  return `its max_ack_pending is ${most}; it must be from 1 to ${MAX_PENDING}`;
}

import type { ConsumerConfig, ConsumerInfo, JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { MissingError, PREFETCH, type Received } from "../../bus.ts";
import type { Link } from "./connection.ts";
import { headersOf } from "./headers.ts";

/** What the consumer of an `in` rule is like. */
export interface ConsumerOptions {
  readonly stream: string;
  readonly durable: string;
  readonly subjects: readonly string[] | undefined;
  readonly from: "new" | "all";
  readonly order: boolean;
  /** Seconds; what the consumer has already, or 30, if undefined. */
  readonly ackWait: number | undefined;
  /** What the consumer has already, or `PREFETCH`, if undefined. */
  readonly maxAckPending: number | undefined;
}

/** Milliseconds that an answer of JetStream may take. */
const TIMEOUT = 5000;
/** Seconds. */
const ACK_WAIT = 30;
/** Messages that a consumer may have delivered without an acknowledgement: that many are held here. */
const MAX_PENDING = 10_000;
const NANOS = 1e9;
const NOT_FOUND = 404;

/** JetStream over a connection: its streams and consumers. */
export class Streams {
  readonly client: JetStreamClient;
  readonly #link: Link;
  readonly #manager: JetStreamManager;

  private constructor(link: Link, client: JetStreamClient, manager: JetStreamManager) {
    this.#link = link;
    this.client = client;
    this.#manager = manager;
  }

  static async open(link: Link): Promise<Streams> {
    const options = { timeout: TIMEOUT };
    const { jetstream, jetstreamManager } = link.driver.jetstream;
    // A check of the interface would need a permission that nothing else does.
    const manager = await jetstreamManager(link.connection, { ...options, checkAPI: false });
    return new Streams(link, jetstream(link.connection, options), manager);
  }

  /** Whether the connection is. */
  get isClosed(): boolean {
    return this.#link.connection.isClosed();
  }

  /** Rejects with a sentence if a stream is not there; makes it if it is `declared`, with these subjects. */
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

  /** The durable consumer of a rule: the one that is there, with what the rule says of it, or a new one. */
  async consumer(options: ConsumerOptions): Promise<ConsumerInfo> {
    const { ackWait, durable, from, maxAckPending, stream, subjects } = options;
    const { AckPolicy, DeliverPolicy } = this.#link.driver.jetstream;
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
          : await this.#fitting(existing, asked);
      const problem = consumerProblem(info);
      if (problem !== undefined) throw new Error(problem);
      return info;
    } catch (error) {
      throw this.failure(`consumer ${durable} of stream ${stream}`, error);
    }
  }

  /**
   * Makes a consumer deliver again what was not acknowledged, before what is newer. Resolves with whether it will: servers
   * before 2.14 cannot.
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

  /** Messages that a consumer is to deliver and has not. */
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

  /** What JetStream said, as a sentence. */
  failure(what: string, error: unknown): Error {
    const { TimeoutError } = this.#link.driver.core;
    const { message, name } = error as Error;
    const isAbsent = name === "JetStreamNotEnabled";
    const said = error instanceof TimeoutError ? "no answer in time" : isAbsent ? "JetStream does not answer" : message;
    return new Error(`NATS, ${what}: ${said}`, { cause: error });
  }

  /** A consumer that is there already, with what a rule asks for. */
  async #fitting(existing: ConsumerInfo, asked: Partial<ConsumerConfig>): Promise<ConsumerInfo> {
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
    return error instanceof this.#link.driver.jetstream.JetStreamApiError && error.status === NOT_FOUND;
  }
}

/** What keeps a consumer from serving a bridge; undefined if nothing does. */
function consumerProblem({ config }: ConsumerInfo): string | undefined {
  if (config.deliver_subject !== undefined) return "it pushes; a bridge needs one that is pulled from";
  if (config.ack_policy !== "explicit") return `its acknowledgements are ${config.ack_policy}; they must be explicit`;
  const most = config.max_ack_pending ?? 0;
  if (most >= 1 && most <= MAX_PENDING) return undefined;
  return `its max_ack_pending is ${most}; it must be from 1 to ${MAX_PENDING}`;
}

import type * as Kafka from "@platformatic/kafka";
import type { Base, BaseOptions, Consumer } from "@platformatic/kafka";

/** The package, which is loaded when the first bridge needs it. */
export type KafkaDriver = typeof Kafka;

/** The options that all clients of a bridge have in common. */
export type ClientOptions = BaseOptions;

/** What a broker answers to a fetch; the package does not export these types. */
export type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
export type FetchedPartition = FetchResponse["responses"][number]["partitions"][number];

/** What a source or target of a bridge is made with. */
export interface EndpointOptions<Rule> {
  readonly driver: KafkaDriver;
  readonly options: ClientOptions;
  readonly rule: Rule;
  /** Called with a sentence for the operator. */
  readonly report: (sentence: string) => void;
  /** Listens for lost connections and errors of a client. */
  readonly watch: (client: Pick<Base, "on">) => void;
  /** Ends the connection of the bridge, which then connects again. */
  readonly fail: (error: Error) => void;
}

/** Whether an error of the driver says that a topic is not there. */
export function isUnknownTopic(error: unknown): boolean {
  return rootCause(error).startsWith("Unknown topic");
}

/** The root cause of an error of the driver, which wraps the causes of all its retries. */
export function rootCause(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map(rootCause))].join("; ");
  const { message, cause } = error as Error;
  return cause instanceof Error ? rootCause(cause) : message.replace(/\.$/, "");
}

import type * as Kafka from "@platformatic/kafka";
import type { BaseOptions, Consumer } from "@platformatic/kafka";

/** The package, which is there only once a bridge asked for it. */
export type KafkaDriver = typeof Kafka;

/** What all clients of a bridge have in common. */
export type ClientOptions = BaseOptions;

/** What a broker answers to a fetch, of which the package does not export the type. */
export type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
export type FetchedPartition = FetchResponse["responses"][number]["partitions"][number];

export interface InRule {
  readonly topics: string[];
  readonly group?: string | undefined;
  readonly from: "latest" | "earliest";
  readonly declare: boolean;
}

export interface OutRule {
  readonly topic: string;
  readonly key: string;
  readonly declare: boolean;
}

export const TOPIC: RegExp = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

/** Whether an error of the driver says that a topic is not there. */
export function isUnknownTopic(error: unknown): boolean {
  return sentence(error).startsWith("Unknown topic");
}

/** What went wrong at the bottom of an error of the driver, which collects causes while it tries again. */
export function sentence(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map(sentence))].join("; ");
  const { message, cause } = error as Error;
  return cause instanceof Error ? sentence(cause) : message.replace(/\.$/, "");
}

import { z } from "zod";
import { PREFETCH } from "../../bus.ts";

/** What only this kind has of an `in` rule. */
export interface AmqpIn {
  readonly queue: string;
  /** Bindings of the queue, created at each start. */
  readonly bind: readonly Binding[];
  /** Whether to create the queue, and the exchanges of `bind`, if they do not exist. */
  readonly declare: boolean;
  /** Arguments of a queue that the bridge creates, besides the type `quorum` and a single active consumer. */
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
  readonly prefetch: number;
  /** Whether all nodes consume at once; then only a queue with a single active consumer keeps order. */
  readonly competing: boolean;
  /** Whether a message with the `message-id` of an earlier one is a repetition of it. */
  readonly messageId: boolean;
}

interface Binding {
  readonly exchange: string;
  readonly key: string;
  /** The type of the exchange if the bridge creates it. */
  readonly type: string;
}

/** What only this kind has of an `out` rule. */
export interface AmqpOut {
  /** Without it, the routing key is the name of a queue. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether to create the exchange, with this type, if it does not exist. */
  readonly declare: boolean;
  readonly type: string;
  readonly persistent: boolean;
  /** Whether a message that reaches no queue is an error. */
  readonly mandatory: boolean;
}

/** What templates may use of a message. */
export const NAMES: readonly string[] = ["queue", "exchange", "routingKey", "type"];
const name = z.string().min(1).max(255);

export const inFields: z.ZodObject = z.object({
  queue: name,
  bind: z
    .array(z.strictObject({ exchange: name, key: z.string().max(255).default("#"), type: name.default("topic") }))
    .max(100)
    .default([]),
  declare: z.boolean().default(false),
  arguments: z.record(name, z.union([z.string(), z.number(), z.boolean()])).default({}),
  prefetch: z.int().min(1).max(65_535).default(PREFETCH),
  competing: z.boolean().default(false),
  messageId: z.boolean().default(true),
});

export const outFields: z.ZodObject = z.object({
  exchange: z.string().max(255).default(""),
  routingKey: z.string().min(1).max(512).default("${channel}"),
  declare: z.boolean().default(false),
  type: name.default("topic"),
  persistent: z.boolean().default(true),
  mandatory: z.boolean().default(true),
});

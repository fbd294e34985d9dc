import { z } from "zod";
import { PREFETCH } from "../../bus.ts";

/** What only this kind has of an `in` rule. */
export interface AmqpIn {
  readonly queue: string;
  /** Bindings of the queue, which are made at each start. */
  readonly bind: readonly Binding[];
  /** Whether the queue and the exchanges of `bind` are created if they are not there. */
  readonly declare: boolean;
  /** Arguments of a queue that is created, beside the type `quorum` and a single active consumer. */
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
  readonly prefetch: number;
  /** Whether all nodes consume at once; order is kept then only by a queue with a single active consumer. */
  readonly competing: boolean;
  /** Whether messages with the same `message-id` are the same message. */
  readonly messageId: boolean;
}

interface Binding {
  readonly exchange: string;
  readonly key: string;
  /** The type of an exchange that is created. */
  readonly type: string;
}

/** What only this kind has of an `out` rule. */
export interface AmqpOut {
  /** Without it, the routing key is the name of a queue. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether the exchange is created, with this type, if it is not there. */
  readonly declare: boolean;
  readonly type: string;
  readonly persistent: boolean;
  /** Whether a message that no queue takes is an error. */
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

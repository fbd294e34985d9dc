import { z } from "zod";

/** What only this kind has of an `in` rule. */
export interface KafkaIn {
  readonly topics: string[];
  /** The consumer group; the name of the bridge by default. */
  readonly group?: string | undefined;
  /** Where a group begins that has no position yet. */
  readonly from: "latest" | "earliest";
  /** Whether to create topics that do not exist. */
  readonly declare: boolean;
}

/** What only this kind has of an `out` rule. */
export interface KafkaOut {
  /** A template. */
  readonly topic: string;
  /** A template; messages with the same key go to the same partition, and stay in order. */
  readonly key: string;
  readonly declare: boolean;
}

export const TOPIC: RegExp = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

const TOPIC_RULE = "must be a topic's name: 1 to 249 letters, digits, dots, hyphens and underscores";

export const inFields: z.ZodObject = z.object({
  topics: z.array(z.string().regex(TOPIC, TOPIC_RULE)).min(1).max(100),
  group: z.string().min(1).max(255).regex(/^\S+$/, "must be without spaces").optional(),
  from: z.enum(["latest", "earliest"]).default("latest"),
  declare: z.boolean().default(false),
});

export const outFields: z.ZodObject = z.object({
  topic: z.string().min(1),
  key: z.string().default("${channel}"),
  declare: z.boolean().default(false),
});

import { z } from "zod";

/** What only this kind has of an `in` rule: it receives as a consumer group, so Redis knows what is acknowledged. */
export interface RedisIn {
  readonly stream: string;
  readonly group: string;
  /** Where a new group begins. */
  readonly from: "latest" | "earliest";
  /** The field of an entry with the payload; the other fields are its headers. */
  readonly body: string;
  /** Whether one node receives at a time, so that order is kept; all nodes do if not. */
  readonly order: boolean;
  /** Whether to create the stream if it does not exist. */
  readonly declare: boolean;
}

/** What only this kind has of an `out` rule. */
export interface RedisOut {
  /** A template. */
  readonly stream: string;
  readonly body: string;
  /** About how many entries the stream keeps; 0 for all. */
  readonly maxLength: number;
}

const word = z.string().min(1).max(255);

export const inFields: z.ZodObject = z.object({
  stream: word,
  group: word.default("hub"),
  from: z.enum(["latest", "earliest"]).default("latest"),
  body: word.default("data"),
  order: z.boolean().default(true),
  declare: z.boolean().default(false),
});

export const outFields: z.ZodObject = z.object({
  stream: word,
  body: word.default("data"),
  maxLength: z.int().min(0).max(1e9).default(0),
});

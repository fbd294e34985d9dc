import { z } from "zod";
import { PREFETCH } from "../../bus.ts";
import { filterProblem, sharedFilter } from "./topic.ts";

/** What only this kind has of an `in` rule. */
export interface MqttIn {
  readonly topics: readonly string[];
  /** What to do with retained messages, which the broker sends with each new subscription. */
  readonly retained: "skip" | "take";
  /** Seconds for which the broker keeps messages while no node is connected. */
  readonly sessionExpiry: number;
  /** Messages that the broker sends before the first of them is acknowledged. */
  readonly prefetch: number;
  /** The name of the session at the broker; by default made from the bridge and the topics. */
  readonly clientId?: string | undefined;
}

/** What only this kind has of an `out` rule. */
export interface MqttOut {
  /** A template; in `${channel}`, dots become slashes. */
  readonly topic: string;
  readonly retain: boolean;
}

/** What templates may use of a message. */
export const NAMES: readonly string[] = ["topic"];
const DAY = 86_400;
const MAX_SECONDS = 0xffff_ffff;

const filter = z.string().superRefine((text, context) => {
  const problem = filterProblem(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

export const inFields: z.ZodObject = z.object({
  topics: z
    .array(filter)
    .min(1)
    .max(100)
    .refine(
      (topics) => new Set(topics.map((text) => sharedFilter(text) === undefined)).size === 1,
      "either all topics are shared ($share/…), or none",
    ),
  retained: z.enum(["skip", "take"]).default("skip"),
  sessionExpiry: z.int().min(0).max(MAX_SECONDS).default(DAY),
  prefetch: z.int().min(1).max(65_535).default(PREFETCH),
  clientId: z.string().min(1).max(128).optional(),
});

export const outFields: z.ZodObject = z.object({
  topic: z.string().min(1).max(512).default("${channel}"),
  retain: z.boolean().default(false),
});

import { z } from "zod";
import { overlapping, subjectProblem } from "./subject.ts";

/** What only this kind has of an `in` rule. */
export interface NatsIn {
  /** Receives from this stream of JetStream; from core NATS without it. */
  readonly stream?: string | undefined;
  readonly subjects?: readonly string[] | undefined;
  /** Core NATS: a group whose members share the messages. */
  readonly queue?: string | undefined;
  /** JetStream: the name of the consumer, `hub-` and the name of the bridge by default. */
  readonly durable?: string | undefined;
  readonly from: "new" | "all";
  /** Whether one node receives at a time, so that the order of the stream is kept. */
  readonly order: boolean;
  /** Seconds before JetStream delivers again what was not acknowledged, for a consumer that the bridge creates. */
  readonly ackWait?: number | undefined;
  /** Messages that may be delivered before the first is acknowledged. */
  readonly maxAckPending?: number | undefined;
  readonly declare: boolean;
}

/** What only this kind has of an `out` rule. */
export interface NatsOut {
  /** Sends to this stream of JetStream, which confirms each message; to core NATS without it. */
  readonly stream?: string | undefined;
  /** A template. */
  readonly subject: string;
  readonly declare: boolean;
}

/** The name of a stream or a consumer. */
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
  stream: name.optional(),
  subjects: subjects.optional(),
  queue: name.optional(),
  durable: name.optional(),
  from: z.enum(["new", "all"]).default("new"),
  order: z.boolean().default(true),
  ackWait: z.number().min(1).max(3600).optional(),
  maxAckPending: z.int().min(1).max(10_000).optional(),
  declare: z.boolean().default(false),
});
/** Fields that only core NATS has, and those that only JetStream has. */
const CORE_ONLY: readonly string[] = ["queue"];
const JETSTREAM_ONLY: readonly string[] = ["durable", "ackWait", "maxAckPending"];
export const inFields: z.ZodObject = fields.superRefine((rule, context) => {
  const isCore = rule.stream === undefined;
  if (isCore && rule.subjects === undefined) {
    context.addIssue({ code: "custom", path: ["subjects"], message: "name subjects, a stream, or both" });
  }
  for (const field of isCore ? JETSTREAM_ONLY : CORE_ONLY) {
    if (rule[field as keyof typeof rule] === undefined) continue;
    const message = isCore ? "only JetStream has it; name a stream" : "only core NATS has it; leave it out";
    context.addIssue({ code: "custom", path: [field], message });
  }
});
export const outFields: z.ZodObject = z.object({
  stream: name.optional(),
  subject: z.string().min(1).max(512),
  declare: z.boolean().default(false),
});

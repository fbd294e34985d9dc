import { z } from "zod";
import { isServerChannel, nameProblem, patternProblem, type ChannelPattern } from "../protocol/channel.ts";
import { templateProblem } from "./template.ts";

/** What to do with a message that the hub can never accept. */
type OnError = "skip" | "stop" | `channel:${string}`;

/** The fields that an `in` rule has in every kind. */
export interface InRule {
  /** A template for the channel to publish on. */
  readonly channel: string;
  /** Templates, too; by default, the type of a CloudEvent, and the name of the bridge. */
  readonly event?: string | undefined;
  readonly sender?: string | undefined;
  /** How to read the payload; `auto` decides by its content type. */
  readonly encoding: "auto" | "json" | "text" | "base64";
  /** Whether to replace characters that a channel cannot have by hyphens. */
  readonly sanitize: boolean;
  readonly onError: OnError;
}

/** The fields that an `out` rule has in every kind. */
export interface OutRule {
  readonly channels: readonly ChannelPattern[];
  /** `cloudevents`: attributes as headers; `structured`: one JSON document; `raw`: the payload alone. */
  readonly format: "cloudevents" | "structured" | "raw";
}

/** The placeholders of every `out` rule. */
export const OUT_NAMES: readonly string[] = ["channel", "event", "sender", "id"];
/** The placeholders of every `in` rule. */
const IN_NAMES: readonly string[] = ["key", "header", "ce"];
/** Characters of a template. */
const MAX_TEMPLATE = 512;

/** A text with placeholders such as `${topic}`. */
function template(names: readonly string[]): z.ZodType<string> {
  return z.string().min(1).max(MAX_TEMPLATE).superRefine((text, context) => {
    const problem = templateProblem(text, names);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  }); // prettier-ignore
}

/** The schema of the fields that every `in` rule has; `names` are the placeholders of its kind. */
export function inFields(names: readonly string[]): z.ZodRawShape {
  const text = template([...names, ...IN_NAMES]);
  return {
    channel: text.refine((value) => !isServerChannel(value), "hub. is reserved for the server's own channels"),
    event: text.optional(),
    sender: text.optional(),
    encoding: z.enum(["auto", "json", "text", "base64"]).default("auto"),
    sanitize: z.boolean().default(false),
    onError: z
      .string()
      .refine(
        (value) =>
          ["skip", "stop"].includes(value) ||
          (value.startsWith("channel:") && nameProblem(value.slice(8)) === undefined),
        "use skip, stop or channel:NAME",
      )
      .default("skip"),
  };
}

/** The schema of the fields that every `out` rule has. */
export const outFields: z.ZodRawShape = {
  channels: z
    .array(
      z.string().superRefine((text, context) => {
        const problem = isServerChannel(text) ? "the server's own channels are not sent" : patternProblem(text);
        if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
      }),
    )
    .min(1)
    .max(100),
  format: z.enum(["cloudevents", "structured", "raw"]).default("cloudevents"),
};

import { z } from "zod";
import { isServerChannel, nameProblem, patternProblem, type ChannelPattern } from "../protocol/channel.ts";
import { templateProblem } from "./template.ts";

/** What to do with a message that the hub will never take. */
type OnError = "skip" | "stop" | `channel:${string}`;

/** An `in` rule: what every kind has of it. */
export interface InRule {
  /** A template for the channel to publish on. */
  readonly channel: string;
  readonly event?: string | undefined;
  readonly sender?: string | undefined;
  /** How the payload is read: JSON if it says that it is, else text; or always as one of these. */
  readonly encoding: "auto" | "json" | "text" | "base64";
  /** Whether characters that no channel has become hyphens. */
  readonly sanitize: boolean;
  readonly onError: OnError;
}

/** An `out` rule: what every kind has of it. */
export interface OutRule {
  readonly channels: readonly ChannelPattern[];
  /** `cloudevents`: attributes as headers; `structured`: one JSON document; `raw`: the payload alone. */
  readonly format: "cloudevents" | "structured" | "raw";
}

/** What templates of an `out` rule may use. */
export const OUT_NAMES: readonly string[] = ["channel", "event", "sender", "id"];
/** What templates of every `in` rule may use. */
const IN_NAMES: readonly string[] = ["key", "header", "ce"];
/** Characters of a template. */
const MAX_TEMPLATE = 512;

/** A text with places such as `${topic}`. */
function template(names: readonly string[]): z.ZodType<string> {
  return z.string().min(1).max(MAX_TEMPLATE).superRefine((text, context) => {
    const problem = templateProblem(text, names);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  }); // prettier-ignore
}

/** The fields that every `in` rule has; `names` are those of its kind. */
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

/** The fields that every `out` rule has. */
export const outFields: z.ZodRawShape = {
  channels: z
    .array(
      z.string().superRefine((text, context) => {
        const problem = isServerChannel(text) ? "the server's own channels do not leave it" : patternProblem(text);
        if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
      }),
    )
    .min(1)
    .max(100),
  format: z.enum(["cloudevents", "structured", "raw"]).default("cloudevents"),
};

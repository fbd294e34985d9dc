import { z } from "zod";
import type { Hub } from "../core/hub.ts";
import type { Participants, Presence } from "../core/participants.ts";
import type { Principal } from "../core/principal.ts";
import type { KeptQuestion } from "../core/question.ts";
import type { Questions } from "../core/questions.ts";
import type { Correlation } from "../core/trace.ts";
import type { AnswerForm } from "../protocol/question.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import type { ServerInfo } from "../protocol/server-info.ts";

/** One request, as every door passes it down to the tools. */
export interface RequestContext {
  readonly hub: Hub;
  readonly questions: Questions;
  /** Who is here. */
  readonly participants: Participants;
  /** The presence of the caller, who is listed as waiting while a call waits; absent if the door does not list its callers. */
  readonly presence?: Presence | undefined;
  readonly principal: Principal;
  /** The name of the caller, which is the sender of messages that do not name one. */
  readonly sender?: string | undefined;
  /** Aborted when the caller cancels or disconnects, or the server stops. */
  readonly signal: AbortSignal;
  readonly limits: ToolLimits;
  /** Counts a waiting call as a reader, of these channels, until the returned function is called. Throws if the limit is reached. */
  readonly stay: (end: (why?: StayEnd) => void, channels?: readonly ChannelPattern[]) => () => void;
  /** Counts what the caller publishes, and throws `RATE_LIMITED` if that is too much; a negative cost is given back; absent if nothing is counted. */
  readonly admit?: ((what: "publishes" | "publish_bytes" | "new_channels", cost?: number) => void) | undefined;
  /** The ids of the request that the call came with; `callTool` replaces its trace context by that of the call's own span. */
  correlation?: Correlation | undefined;
  /** Information about the process; computed at most once a second. */
  readonly info: () => ServerInfo;
  /**
   * Reports the progress of a long call to a caller that asked for it and takes a stream; `done` must grow. Returns false
   * if the connection is gone, and the caller may come back on another.
   */
  readonly progress?: ((done: number, total?: number, message?: string) => boolean) | undefined;
  /** What this door can do with a question besides waiting for its answer; absent if nothing. */
  readonly questionDoor?: QuestionDoor | undefined;
  /** Asks the caller's user for an object of this JSON Schema; absent if this door cannot ask. */
  readonly askPerson?: ((message: string, schema: JsonSchema) => Promise<AskAnswer>) | undefined;
}

/** What a door can do with a question besides waiting for its answer. */
export interface QuestionDoor {
  /** The id of the question that an earlier round of this call asked; undefined in the first. */
  readonly earlier: string | undefined;
  /** Whether the caller's user can be asked with this form. */
  canAskUser(form: AnswerForm): boolean;
  /**
   * Answers the call in another way than by waiting, such as by asking its user if `asksUser` is set; undefined if it is
   * to wait. It may also end the call by an error, and give a result of another kind.
   */
  settle(
    kept: KeptQuestion,
    wish: { readonly asksUser: boolean; readonly seconds: number | undefined },
  ): Promise<ToolOutcome | undefined>;
}

/** What a person answered, unchecked. */
export type AskAnswer =
  | { readonly action: "accept"; readonly content: unknown }
  | { readonly action: "decline" | "cancel" };

/** Why a call that waits is ended: the credential of its caller was revoked, or ran out, or it was open for long. */
export type StayEnd = "revoked" | "expired" | "aged";

interface ToolLimits {
  /** Bytes. */
  readonly message: number;
  readonly channels: number;
}

/** A tool that cannot be offered; the sentence says why. */
export class ToolError extends Error {}

/** Marks what `defineTool` made, in every copy of this package. */
export const TOOL: unique symbol = Symbol.for("sse-mcp-server.Tool");

/** A tool that callers can use through any door. Made by `tool`. */
export interface Tool {
  readonly [TOOL]?: true;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  /** The JSON Schema of the data of its answer, which is not validated. Absent if it answers only with text. */
  readonly output?: JsonSchema | undefined;
  /** Whether it changes nothing. */
  readonly readOnly: boolean;
  /** Whether each call publishes. */
  readonly publishes?: true;
  /** Throws `UNAUTHENTICATED` or `FORBIDDEN` if the caller may not do this with such input. */
  authorize(input: unknown, principal: Principal): void;
  /** Whether it may call `askPerson`. */
  readonly mayAsk?: boolean;
  /** Whether it asks a question by way of `questionDoor`. */
  readonly asksQuestion?: true;
  /** Hints for callers; by default, those of the hub's own tools. */
  readonly annotations?: ToolAnnotations;
  /** `input` has been parsed by the schema. */
  run(input: unknown, context: RequestContext): Promise<ToolOutcome>;
}

/** Makes a tool whose `run` gets its input typed by the schema. */
export function tool<Input extends z.ZodObject>(
  definition: Omit<Tool, "input" | "authorize" | "run"> & {
    readonly input: Input;
    authorize(input: z.output<Input>, principal: Principal): void;
    run(input: z.output<Input>, context: RequestContext): Promise<ToolOutcome>;
  },
): Tool {
  return definition;
}

/** The answer of a tool: a text, and the same as data. */
export interface ToolOutcome {
  readonly text: string;
  readonly structured?: object | undefined;
}

/** The result of `tools/call` (MCP, "Tools"). */
export interface ToolResult {
  readonly content: readonly [{ readonly type: "text"; readonly text: string }];
  readonly structuredContent?: unknown;
  readonly isError?: true;
}

/** A tool as `tools/list` lists it (MCP, "Tools"). */
export interface ToolListing {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly outputSchema?: JsonSchema;
  readonly annotations: ToolAnnotations;
}

/** Hints that are true (MCP, "ToolAnnotations"). */
export interface ToolAnnotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

/** A tool as it is listed for clients. */
export function listing({ name, title, description, input, output, readOnly, annotations }: Tool): ToolListing {
  const { $schema: _, ...schema } = z.toJSONSchema(input, { io: "input" }) as Record<string, unknown>;
  return {
    name,
    title,
    description,
    inputSchema: { ...schema, required: schema["required"] ?? [] },
    ...(output === undefined ? {} : { outputSchema: output }),
    // The hub's own tools only add messages to a channel.
    annotations: annotations ?? {
      readOnlyHint: readOnly,
      ...(readOnly ? {} : { destructiveHint: false }),
      openWorldHint: false,
    },
  };
}

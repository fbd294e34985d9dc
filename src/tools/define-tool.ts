import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { checkAnyGrant, type Principal } from "../core/principal.ts";
import { isObject } from "../protocol/json.ts";
import type { Receipt } from "../protocol/message.ts";
import { publish, type PublishRequest } from "./publish.ts";
import { TOOL, ToolError, type JsonSchema, type Tool, type ToolAnnotations, type RequestContext } from "./tool.ts";

/** A tool of your own, as `defineTool` takes it. */
export interface ToolDefinition<Input extends z.ZodObject> {
  /** Its name for callers: 1 to 64 letters, digits, `_` and `-`. */
  readonly name: string;
  /** For people; the name unless given. */
  readonly title?: string;
  /** What it does and when to use it, for a model. */
  readonly description: string;
  /** The schema of its input. Callers see it as JSON Schema; `run` gets the parsed input. */
  readonly input: Input;
  /** The schema of `structured` in its answers. */
  readonly output?: z.ZodObject;
  /** True if it changes nothing; false by default. */
  readonly readOnly?: boolean;
  /** Other hints for callers (MCP, "ToolAnnotations"). */
  readonly annotations?: Omit<ToolAnnotations, "readOnlyHint">;
  /**
   * Runs the tool. Return a text, or a text and the same as data. Throw a `HubError` such as `INVALID_INPUT` for what
   * the caller can correct: its sentence is the answer. Any other error is logged, and the caller is told only that the
   * server failed.
   */
  run(input: z.output<Input>, call: ToolCall): ToolAnswer | Promise<ToolAnswer>;
}

/** The answer of a tool of your own. */
export type ToolAnswer = string | { readonly text: string; readonly structured?: object };

/** A call of a tool of your own, through any door. */
export interface ToolCall {
  /** Who calls. */
  readonly principal: Principal;
  /** Aborted when the caller cancels or disconnects, or the server stops. */
  readonly signal: AbortSignal;
  readonly hub: {
    /** Publishes a message; resolves once it is kept and offered to every live reader. Throws a `HubError`. */
    readonly publish: (message: ToolMessage) => Promise<Receipt>;
  };
  /** Reports progress to a caller that asked for it; `done` must grow. */
  readonly progress: (done: number, total?: number, message?: string) => void;
  /**
   * Asks the caller's user (MCP, "Elicitation"). `schema` is a flat object of texts, numbers, booleans and choices.
   * `run` starts again from its beginning with each answer, so ask before you change anything, and ask the
   * same questions in the same order. Throws a `HubError` if this caller cannot be asked.
   */
  readonly ask: <Schema extends z.ZodObject>(
    message: string,
    schema: Schema,
  ) => Promise<PersonAnswer<z.output<Schema>>>;
}

/** A message that a tool of your own publishes. */
export type ToolMessage = Pick<PublishRequest, "channel" | "data" | "event" | "sender" | "ephemeral" | "key">;

/** What a person answered: `decline` means no, `cancel` means that they did not answer. */
export type PersonAnswer<Content> =
  | { readonly action: "accept"; readonly content: Content }
  | { readonly action: "decline" | "cancel" };

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Makes a tool of your own, for `createServer({ tools })` and `serve --tools`. Throws a `ToolError` if it is invalid. */
export function defineTool<Input extends z.ZodObject>(definition: ToolDefinition<Input>): Tool {
  const { name, title = name, description, input, output, readOnly = false, annotations } = definition;
  if (typeof name !== "string" || !NAME.test(name))
    throw new ToolError(`A tool is named ${JSON.stringify(name)}; use 1 to 64 letters, digits, _ and -`);
  if (typeof description !== "string" || description === "")
    throw new ToolError(`The tool ${name} has no description; say what it does and when to use it`);
  if (!(input instanceof z.ZodObject))
    throw new ToolError(`The input of the tool ${name} is not a schema; give z.object({ … })`);
  if (typeof definition.run !== "function") throw new ToolError(`The tool ${name} has no function run`);
  const outputSchema = output && jsonSchema(`The output of the tool ${name}`, output, "output");
  jsonSchema(`The input of the tool ${name}`, input, "input");
  return {
    [TOOL]: true,
    name,
    title,
    description,
    input,
    output: outputSchema,
    readOnly,
    mayAsk: true,
    annotations: { readOnlyHint: readOnly, ...annotations },
    authorize: (_, principal) => checkAnyGrant(principal, readOnly ? "read" : "publish", `call ${name}`),
    async run(given, context) {
      const answer: unknown = await held(context, (signal) =>
        definition.run(given as z.output<Input>, callOf(context, signal)),
      );
      const { text, structured } = isObject(answer) ? answer : { text: answer };
      if (typeof text !== "string") throw new Error(`${name} must answer with a text, or with { text, structured }`);
      if (output !== undefined) return { text, structured: await output.parseAsync(structured) };
      if (structured !== undefined && !isObject(structured)) throw new Error(`structured of ${name} must be an object`);
      return { text, structured };
    },
  };
}

/** Converts the input or output side of a schema. Throws a `ToolError` if JSON Schema cannot express it. */
function jsonSchema(subject: string, schema: z.ZodObject, io: "input" | "output"): JsonSchema {
  try {
    const { $schema: _, ...rest } = z.toJSONSchema(schema, { io }) as Record<string, unknown>;
    return rest;
  } catch (cause) {
    throw new ToolError(`${subject} cannot be written as JSON Schema: ${(cause as Error).message}`, { cause });
  }
}

/** Runs a tool that may take long: it counts as a waiting call, and ends when its caller's credential does. */
async function held<Answer>(
  context: RequestContext,
  run: (signal: AbortSignal) => Answer | Promise<Answer>,
): Promise<Answer> {
  const end = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const leave = context.stay(() => {
    end.abort();
    const sentence = "The credential expired or was revoked while the tool ran";
    reject(new HubError("UNAUTHENTICATED", sentence, { challenge: { error: "invalid_token" } }));
  });
  try {
    return await Promise.race([run(AbortSignal.any([context.signal, end.signal])), ended]);
  } finally {
    leave();
  }
}

function callOf(context: RequestContext, signal: AbortSignal): ToolCall {
  return {
    principal: context.principal,
    signal,
    hub: { publish: (message) => handled(receiptOf(message, context)) },
    progress: (done, total, message) => context.progress?.(done, total, message),
    ask: (message, schema) => handled(answerOf(message, schema, context)),
  };
}

/** Prevents an unhandled rejection if the tool does not await the promise. */
function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

async function receiptOf(message: ToolMessage, context: RequestContext): Promise<Receipt> {
  const { receipt } = await publish(
    { ...message, via: "tool" },
    {
      ...context,
      // The tool is the server's own word; whoever may call it need not have the right to publish there.
      principal: { ...context.principal, admin: true, sendAs: true },
    },
  );
  return receipt;
}

async function answerOf<Schema extends z.ZodObject>(
  message: string,
  schema: Schema,
  { askPerson }: RequestContext,
): Promise<PersonAnswer<z.output<Schema>>> {
  if (askPerson === undefined) throw cannotAsk("only /mcp can ask; call this tool there");
  const answer = await askPerson(message, flatSchema(schema));
  if (answer.action !== "accept") return answer;
  const { data, error } = await schema.safeParseAsync(answer.content);
  if (error !== undefined) throw new HubError("INVALID_INPUT", `The answer does not fit: ${z.prettifyError(error)}`);
  return { action: "accept", content: data };
}

/** The schema of a form (MCP, "Elicitation"): its fields are not objects, and lists only of choices. */
function flatSchema(schema: z.ZodObject): JsonSchema {
  const json = jsonSchema("What is asked", schema, "input");
  for (const [name, field] of Object.entries(json["properties"] as Record<string, JsonSchema>)) {
    if (field["type"] === "object") throw new ToolError(`A form has no objects in it; ask for ${name} in flat fields`);
  }
  return json;
}

/** The error if a tool asks a question and its caller cannot be asked. */
export function cannotAsk(why: string): HubError {
  return new HubError("INVALID_REQUEST", `This tool asks a person before it answers: ${why}`);
}

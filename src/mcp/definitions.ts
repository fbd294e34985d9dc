import type { Principal } from "../core/principal.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import type { ToolListing } from "../tools/index.ts";
import type { McpRequestContext, Services } from "./request-context.ts";
import type { EventCatalog } from "./events/event-catalog.ts";
import type { JsonObject } from "./errors.ts";

/** What a server offers over MCP. */
export interface Catalog {
  /** In the order in which they are listed. */
  readonly tools: readonly ToolDefinition[];
  readonly prompts: readonly PromptDefinition[];
  readonly resources: readonly ResourceDefinition[];
  readonly templates: readonly TemplateDefinition[];
  /** How to use the server, for a model. */
  readonly instructions: string;
  /** Reports changes of the lists of tools and prompts; absent if they never change. */
  readonly changes?: Changes | undefined;
  /** Where tasks are looked for, in this order. */
  readonly tasks: readonly TaskSource[];
  /** For clients that show views (MCP Apps); absent if there are none. */
  readonly apps?: AppCatalog | undefined;
  /** MCP Events; absent if they are off. */
  readonly events?: EventCatalog | undefined;
  /** Whether anything in it may send log messages. */
  readonly logs: boolean;
}

/** The views, and the tools that only they call. */
export interface AppCatalog {
  readonly tools: readonly ToolDefinition[];
  readonly resources: readonly ResourceDefinition[];
}

/** What a server offers besides the hub's own definitions. */
export type Extras = Partial<Pick<Catalog, "tools" | "prompts" | "resources" | "templates" | "tasks" | "changes">>;

export interface ToolDefinition {
  readonly listing: Pick<ToolListing, "name" | "description" | "inputSchema"> &
    Partial<ToolListing> & { readonly _meta?: JsonObject };
  /** Whether each call publishes. */
  readonly publishes?: true | undefined;
  /** Rejects with `UNAUTHENTICATED` or `FORBIDDEN` if someone may not call it with this input; absent if everyone may. */
  authorize?(input: JsonObject | undefined, principal: Principal): Promise<void>;
  /** `input` is unchecked: the tool validates it. */
  call(input: JsonObject | undefined, call: McpRequestContext): Promise<ContentResult | InputRequired | TaskCreated>;
}

export interface PromptDefinition {
  readonly listing: {
    readonly name: string;
    readonly title?: string;
    readonly description?: string;
    readonly arguments?: readonly PromptArgument[];
  };
  /** `input` holds a text for each required argument. */
  get(input: Readonly<Record<string, string>>, call: McpRequestContext): Promise<PromptResult | InputRequired>;
}

interface PromptArgument {
  readonly name: string;
  readonly description?: string;
  readonly required?: boolean;
}

export interface ResourceDefinition {
  readonly listing: ResourceListing;
  /** The channels whose messages change it; clients can subscribe to it if it has these, or `follow`. */
  readonly watches?: readonly ChannelPattern[];
  /** Calls back when it changes otherwise than by messages, until the function returned is called. */
  follow?(changed: () => void, services: Pick<Services, "questions">): () => void;
  /** Whether it exists, as far as a caller may know; absent if it always does. */
  exists?(caller: Pick<McpRequestContext, "principal" | "questions">): boolean;
  /** Throws `UNAUTHENTICATED` or `FORBIDDEN` if someone may not read it, or be told of its changes; absent if everyone may. */
  authorize?(principal: Principal): void;
  read(call: McpRequestContext): Promise<ResourceResult | InputRequired>;
}

/** Resources that can be read, although not all of them are listed. */
export interface TemplateDefinition {
  readonly listing: Omit<ResourceListing, "uri"> & { readonly uriTemplate: string };
  /** The resource of this URI; undefined if the template does not match. Throws if it matches but is invalid. */
  resource(uri: string): Omit<ResourceDefinition, "listing"> | undefined;
  /** A page of them for lists: those after `after`, in a fixed order. */
  list?(after: string | undefined, limit: number, call: McpRequestContext): readonly ResourceListing[];
}

/** A resource as `resources/list` lists it. */
export interface ResourceListing {
  readonly uri: string;
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly mimeType?: string;
  readonly annotations?: JsonObject;
  readonly _meta?: JsonObject;
}

/** The result of `tools/call`. */
export interface ContentResult {
  readonly content: readonly JsonObject[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

/** The result of `prompts/get`. */
export interface PromptResult {
  readonly description?: string;
  readonly messages: readonly { readonly role: "user" | "assistant"; readonly content: JsonObject }[];
}

/** The result of `resources/read`. */
export interface ResourceResult {
  readonly contents: readonly JsonObject[];
}

/** Asks the client for something before the request can be answered (2026-07-28, "Multi Round-Trip Requests"). */
export interface InputRequired {
  readonly resultType: "input_required";
  /** Requests to the client, by names of the server's choosing. */
  readonly inputRequests?: Readonly<Record<string, InputRequest>>;
  /** Sealed by `RequestStates`; the client returns it with the answers. */
  readonly requestState?: string;
}

/** The state of what goes on after its call was answered (Tasks extension, "DetailedTask"). */
export interface Task {
  readonly taskId: string;
  readonly status: "working" | "input_required" | "completed" | "cancelled" | "failed";
  readonly statusMessage?: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  /** For how many milliseconds after its creation it can be asked for; null if that has no end yet. */
  readonly ttlMs: number | null;
  readonly pollIntervalMs?: number;
  /** What the client is to answer with `tasks/update`. */
  readonly inputRequests?: NonNullable<InputRequired["inputRequests"]>;
  /** What the call would have been answered with. */
  readonly result?: ContentResult & { readonly resultType: "complete" };
  readonly error?: JsonObject;
}

/** Answers a call with a task (Tasks extension, "CreateTaskResult"). */
export interface TaskCreated extends Omit<Task, "inputRequests" | "result" | "error"> {
  readonly resultType: "task";
}

/** Keeps tasks. Each method does nothing and returns undefined, or false, if the caller has no task of this id. */
export interface TaskSource {
  get(id: string, call: McpRequestContext): Promise<Task | undefined>;
  /** Takes responses to input requests, and ignores those that were not asked for. */
  update(id: string, responses: JsonObject, call: McpRequestContext): Promise<boolean>;
  cancel(id: string, call: McpRequestContext): Promise<boolean>;
  /** Calls back whenever a task may have changed, until the function returned is called. */
  follow?(id: string, changed: () => void, call: McpRequestContext): (() => void) | undefined;
}

export interface InputRequest {
  readonly method: "elicitation/create" | "sampling/createMessage" | "roots/list";
  readonly params?: JsonObject;
}

type List = "tools" | "prompts";

/** Notifies listeners that a list has changed. */
export class Changes {
  readonly #listeners = new Set<(list: List) => void>();

  announce(list: List): void {
    for (const listener of this.#listeners) listener(list);
  }

  /** Calls back with each list that changes, until the function returned is called. */
  follow(listener: (list: List) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

import type { ChannelPattern } from "../protocol/channel.ts";
import { identityOf } from "../core/attendance.ts";
import type { Participants, Presence } from "../core/participants.ts";
import type { RpcId } from "../protocol/jsonrpc.ts";
import type { RequestContext, StayEnd } from "../tools/index.ts";
import { LOG_LEVELS, type JsonObject, type LogLevel } from "./errors.ts";
import type { RequestStates, StateScope } from "./request-state.ts";

export type RequestId = Exclude<RpcId, null>;

/** What the requests of both eras need from the server. */
export interface Services extends Pick<RequestContext, "hub" | "questions" | "participants" | "limits" | "info"> {
  readonly states: RequestStates;
  /** Where people find the pages of this server; empty if that is not known. */
  readonly pageUrl: () => string;
}

/** How long a request to the client stays open. */
interface AskOptions {
  /** Withdraws it when it is aborted. */
  readonly signal?: AbortSignal;
  /** After which it is withdrawn. */
  readonly milliseconds?: number;
}

/** One request, as parsed by its era. */
export interface McpRequest extends Pick<
  RequestContext,
  "principal" | "sender" | "presence" | "stay" | "admit" | "correlation"
> {
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
  /** The capabilities that the client declared. */
  readonly capabilities: JsonObject;
  /** The revision of the protocol that it speaks; empty if a session has not agreed on one. */
  readonly revision: string;
  /** Set if the caller asks for progress notifications. */
  readonly progressToken: string | number | undefined;
  /** The lowest level of log messages that the caller asks for; undefined for none. */
  logLevel(): LogLevel | undefined;
  /** Aborted when the request is cancelled. Created on first use. */
  signal(): AbortSignal;
  /** Whether notifications reach the client while this request is open. */
  readonly takesStream: boolean;
  /** Sends a notification that belongs to this request; `name` without `notifications/`. Returns false if no one hears it. */
  notify(name: string, params: JsonObject): boolean;
  /** Sends the client a request while this one is open: only in a session. */
  readonly ask?: ((method: string, params: JsonObject, options?: AskOptions) => Promise<unknown>) | undefined;
  /** Ends the connection of this request, so that the client reconnects for the result: only in a session. */
  readonly pause?: (() => void) | undefined;
  /**
   * Opens a long-lived stream for a subscription to channels; absent if the transport cannot. `onEnd` is called when its
   * connection or its caller's credential ends before the request does.
   */
  readonly openDedicated?:
    | ((channels: readonly ChannelPattern[], onEnd?: (why?: StayEnd) => void) => NotificationStream)
    | undefined;
}

export interface Inputs {
  /** The client's responses by the names of the input requests, unchecked. */
  readonly responses: JsonObject;
  /** The state that was sealed in the previous round; undefined if there is none. */
  readonly state: unknown;
}

/** The stream for notifications of one open request. */
export interface NotificationStream {
  /** Bytes written that the socket has not accepted. */
  readonly pending: number;
  /** Whether its buffer is full; `drained` resolves when there is room. */
  readonly isLagging: boolean;
  /** Sends one JSON-RPC message as text; never waits, never throws. */
  write(message: string): void;
  /** Sends bytes that clients ignore, so that proxies do not close the stream as idle. */
  keepAlive(): void;
  /** Resolves once the socket has accepted what was written, or the connection is closed. */
  drained(): Promise<void>;
  /** Closes it at once. */
  cut(): void;
}

const NO_INPUTS: Inputs = { responses: {}, state: undefined };

/** The context of methods, tools, prompts and resources. A class, so that rarely used parts are created lazily. */
export class McpRequestContext implements RequestContext {
  /** Set for tools that may ask a person; see `runWithQuestions`. */
  askPerson: RequestContext["askPerson"];
  /** Set for tools that ask questions; see `askOverMcp`. */
  questionDoor: RequestContext["questionDoor"];
  /** The input that was requested in the previous round. */
  inputs: Inputs = NO_INPUTS;
  readonly hub: RequestContext["hub"];
  readonly questions: RequestContext["questions"];
  readonly participants: Participants;
  readonly limits: RequestContext["limits"];
  readonly info: RequestContext["info"];
  readonly id: RequestId;
  readonly principal: RequestContext["principal"];
  readonly sender: RequestContext["sender"];
  readonly stay: RequestContext["stay"];
  readonly admit: RequestContext["admit"];
  correlation: RequestContext["correlation"];
  /** The capabilities that the client declared. */
  readonly capabilities: JsonObject;
  readonly revision: string;
  /** Where people find the pages of this server; empty if that is not known. */
  readonly pageUrl: Services["pageUrl"];
  /** Sends the client a request while this one is open: only in a session. */
  readonly ask: McpRequest["ask"];
  readonly pause: McpRequest["pause"];
  readonly openDedicated: McpRequest["openDedicated"];
  readonly #states: RequestStates;
  readonly #request: McpRequest;
  #progress: RequestContext["progress"];

  constructor({ hub, questions, participants, limits, info, states, pageUrl }: Services, request: McpRequest) {
    this.hub = hub;
    this.questions = questions;
    this.participants = participants;
    this.limits = limits;
    this.info = info;
    this.id = request.id;
    this.principal = request.principal;
    this.sender = request.sender;
    this.stay = request.stay;
    this.admit = request.admit;
    this.correlation = request.correlation;
    this.capabilities = request.capabilities;
    this.revision = request.revision;
    this.pageUrl = pageUrl;
    this.ask = request.ask;
    this.pause = request.pause;
    this.openDedicated = request.openDedicated;
    this.#states = states;
    this.#request = request;
  }

  /** In a session, of its client, whose requests are listed as one; otherwise of this request. */
  get presence(): Presence {
    const { presence } = this.#request;
    return presence ?? this.participants.caller(identityOf(this.principal, "agent", this.sender));
  }

  /** Aborted when the client cancels the request, and when its session or connection ends. */
  get signal(): AbortSignal {
    return this.#request.signal();
  }

  /** Whether notifications reach the client while this request is open. */
  get takesStream(): boolean {
    return this.#request.takesStream;
  }

  /** Sends a notification that belongs to this request; `name` without `notifications/`. */
  notify(name: string, params: JsonObject): void {
    this.#request.notify(name, params);
  }

  /** Undefined unless the caller asked for progress and can hear it. `done` must grow: other calls are dropped. */
  get progress(): RequestContext["progress"] {
    const { progressToken } = this.#request;
    if (progressToken === undefined || this.#progress !== undefined) return this.#progress;
    if (!this.#request.takesStream) return undefined;
    let told = -Infinity;
    this.#progress = (progress, total, message) => {
      if (progress <= told) return true;
      told = progress;
      const more = { ...(total === undefined ? {} : { total }), ...(message === undefined ? {} : { message }) };
      return this.#request.notify("progress", { progressToken, progress, ...more });
    };
    return this.#progress;
  }

  /** Sends a log message if the caller asked for this level. */
  log(level: LogLevel, data: unknown, logger?: string): void {
    const logLevel = this.#request.logLevel();
    if (logLevel === undefined || LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(logLevel)) return;
    this.#request.notify("message", { level, data, ...(logger === undefined ? {} : { logger }) });
  }

  /**
   * Seals any JSON value, which a retry of the same request gets back in `inputs.state`. The seal is valid for
   * `lifetime` milliseconds: ten minutes by default, at most 400 days. With the log in a file it survives a restart.
   */
  seal(state: unknown, lifetime?: number): Promise<string> {
    return this.#states.seal(state, this.#scope, lifetime);
  }

  /** Opens what the client returns from the previous round. Rejects if the state was not sealed for this request. */
  async resume(responses: JsonObject, requestState: unknown): Promise<void> {
    const state = requestState === undefined ? undefined : await this.#states.open(requestState, this.#scope);
    this.inputs = { responses, state };
  }

  /** What this request and its retries have in common. */
  get #scope(): StateScope {
    const { method, principal, params } = this.#request;
    const { _meta: _, inputResponses: __, requestState: ___, ...rest } = params;
    return { subject: principal.id, method, params: rest };
  }
}

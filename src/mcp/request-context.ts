import type { RpcId } from "../protocol/jsonrpc.ts";
import type { RequestContext } from "../tools/index.ts";
import { LOG_LEVELS, type JsonObject, type LogLevel } from "./errors.ts";
import type { RequestStates, StateScope } from "./request-state.ts";

export type RequestId = Exclude<RpcId, null>;

/** What every request is answered with, whatever its era. */
export interface Services extends Pick<RequestContext, "hub" | "limits" | "info"> {
  readonly states: RequestStates;
}

/** One request, as its era understood it. */
export interface McpRequest extends Pick<RequestContext, "principal" | "sender" | "stay" | "admit"> {
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
  /** What the client said it can do. */
  readonly capabilities: JsonObject;
  /** Set if the caller asks to be told of progress. */
  readonly progressToken: string | number | undefined;
  /** The least level of the log messages that the caller asks for; undefined for none. */
  logLevel(): LogLevel | undefined;
  /** Aborted when the request is cancelled. Made when it is asked for. */
  signal(): AbortSignal;
  /** Sends a notification that belongs to this request; `name` without `notifications/`. */
  notify(name: string, params: JsonObject): void;
  /** Asks the client something while the request is open: only in a session. */
  readonly ask?: ((method: string, params: JsonObject) => Promise<unknown>) | undefined;
  /** Ends the connection of this request, so that the client comes back for the result: only in a session. */
  readonly pause?: (() => void) | undefined;
  /** Opens a stream that stays open for long, for a subscription: only if the transport can. */
  readonly openDedicated?: (() => NotificationStream) | undefined;
}

export interface Inputs {
  /** By the names under which they were asked for; what the client made of it, unchecked. */
  readonly responses: JsonObject;
  /** What was sealed in the round before; undefined if nothing was. */
  readonly state: unknown;
}

/** Where the notifications of one open request go. */
export interface NotificationStream {
  /** Bytes handed over that the socket has not taken. */
  readonly pending: number;
  /** Whether it holds as much as it should; `drained` says when it does not. */
  readonly isLagging: boolean;
  /** Sends one JSON-RPC message as text; never waits, never throws. */
  write(message: string): void;
  /** Sends something that no client sees, so that nothing on the way takes the stream for dead. */
  keepAlive(): void;
  /** Resolves once what was written is taken, or the connection is gone. */
  drained(): Promise<void>;
  /** Ends it at once. */
  cut(): void;
}

const NO_INPUTS: Inputs = { responses: {}, state: undefined };

/** What a method, a tool, a prompt or a resource works with. A class, so that what few ask for is made when they do. */
export class McpRequestContext implements RequestContext {
  /** Set for tools that may ask a person; see `runWithQuestions`. */
  askPerson: RequestContext["askPerson"];
  /** What came back of the input asked for in the round before. */
  inputs: Inputs = NO_INPUTS;
  readonly hub: RequestContext["hub"];
  readonly limits: RequestContext["limits"];
  readonly info: RequestContext["info"];
  readonly id: RequestId;
  readonly principal: RequestContext["principal"];
  readonly sender: RequestContext["sender"];
  readonly stay: RequestContext["stay"];
  readonly admit: RequestContext["admit"];
  /** What the client said it can do. */
  readonly capabilities: JsonObject;
  /** Asks the client something while the request is open: only in a session. */
  readonly ask: McpRequest["ask"];
  readonly pause: McpRequest["pause"];
  readonly openDedicated: McpRequest["openDedicated"];
  readonly #states: RequestStates;
  readonly #request: McpRequest;
  #progress: ((done: number, total?: number, message?: string) => void) | undefined;

  constructor({ hub, limits, info, states }: Services, request: McpRequest) {
    this.hub = hub;
    this.limits = limits;
    this.info = info;
    this.id = request.id;
    this.principal = request.principal;
    this.sender = request.sender;
    this.stay = request.stay;
    this.admit = request.admit;
    this.capabilities = request.capabilities;
    this.ask = request.ask;
    this.pause = request.pause;
    this.openDedicated = request.openDedicated;
    this.#states = states;
    this.#request = request;
  }

  /** Aborted when the client cancels the request, and when the session or the connection it belongs to ends. */
  get signal(): AbortSignal {
    return this.#request.signal();
  }

  /** Tells how far the work is; undefined unless the caller asked to be told. `done` must grow: the rest is dropped. */
  get progress(): ((done: number, total?: number, message?: string) => void) | undefined {
    const { progressToken } = this.#request;
    if (progressToken === undefined || this.#progress !== undefined) return this.#progress;
    let told = -Infinity;
    this.#progress = (progress, total, message) => {
      if (progress <= told) return;
      told = progress;
      const more = { ...(total === undefined ? {} : { total }), ...(message === undefined ? {} : { message }) };
      this.#request.notify("progress", { progressToken, progress, ...more });
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
   * Seals any JSON value, to be given back in `inputs.state` with the retry of this very request, for ten minutes
   * unless `lifetime` says otherwise (in milliseconds, at most 30 days). With the log in a file it survives a restart.
   */
  seal(state: unknown, lifetime?: number): Promise<string> {
    return this.#states.seal(state, this.#scope, lifetime);
  }

  /** Takes what the client gives back of the round before. Rejects if the state was not sealed for this request. */
  async resume(responses: JsonObject, requestState: unknown): Promise<void> {
    const state = requestState === undefined ? undefined : await this.#states.open(requestState, this.#scope);
    this.inputs = { responses, state };
  }

  /** What this request and its retries have in common. */
  get #scope(): StateScope {
    const { method, principal, params } = this.#request;
    const { _meta: _, inputResponses: __, requestState: ___, ...rest } = params;
    return { subject: principal.subject, method, params: rest };
  }
}

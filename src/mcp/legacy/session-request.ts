import { VIEWS_DECLARED } from "../apps.ts";
import { extractTrace } from "../../core/trace.ts";
import { isId } from "../../protocol/jsonrpc.ts";
import type { StayEnd } from "../../tools/index.ts";
import { CODES, isObject, McpError, type JsonObject, type LogLevel } from "../errors.ts";
import type { McpRequest, NotificationStream, RequestId } from "../request-context.ts";
import type { SessionState } from "./session-state.ts";
import type { SessionStream } from "./session-stream.ts";

/** A request of a session, until it is answered, cancelled, or its session ends. */
export class SessionRequest implements McpRequest {
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
  readonly principal: McpRequest["principal"];
  readonly stay: McpRequest["stay"];
  readonly admit: McpRequest["admit"];
  readonly correlation: McpRequest["correlation"];
  readonly sender: McpRequest["sender"];
  readonly presence: McpRequest["presence"];
  readonly capabilities: JsonObject;
  readonly revision: string;
  readonly progressToken: McpRequest["progressToken"];
  isOver = false;
  readonly #stream: SessionStream;
  readonly #state: SessionState;
  /** Aborted when the request ends in any way, to withdraw requests to the client that it has open. */
  #over: AbortController | undefined;
  /** Aborted when the request ends without an answer. */
  #unanswered: AbortController | undefined;
  #isAnswered = false;
  #leave: () => void = () => {};

  /** The answer is sent on `stream`. */
  constructor(message: JsonObject, stream: SessionStream, state: SessionState) {
    this.id = message["id"] as RequestId;
    this.method = message["method"] as string;
    this.params = isObject(message["params"]) ? message["params"] : {};
    const meta = isObject(this.params["_meta"]) ? this.params["_meta"] : {};
    const { progressToken } = meta;
    this.progressToken = isId(progressToken) ? progressToken : undefined;
    this.principal = state.principal;
    this.stay = state.stay;
    this.admit = state.admit;
    this.correlation = extractTrace(state.correlation, meta);
    this.sender = state.client?.sender;
    this.presence = state.attendee;
    const { capabilities = {}, views, version = "" } = state.client ?? {};
    this.capabilities = views === true ? { ...capabilities, ...VIEWS_DECLARED } : capabilities;
    this.revision = version;
    this.#stream = stream;
    this.#state = state;
  }

  /** Whether it counts as one that waits: a stream of events has another bound. */
  get isCounted(): boolean {
    return this.method !== "events/stream";
  }

  logLevel(): LogLevel {
    return this.#state.logLevel;
  }

  signal(): AbortSignal {
    this.#unanswered ??= new AbortController();
    if (this.isOver && !this.#isAnswered) this.#unanswered.abort();
    return this.#unanswered.signal;
  }

  readonly ask: NonNullable<McpRequest["ask"]> = async (method, params, { signal, milliseconds } = {}) => {
    if (this.#stream.connection?.answersOnly === true) {
      const sentence = `This needs ${method} of the client, which takes no events; send Accept: text/event-stream, too`;
      throw new McpError(CODES.invalidRequest, sentence);
    }
    this.#over ??= new AbortController();
    if (this.isOver) this.#over.abort();
    const over = signal === undefined ? this.#over.signal : AbortSignal.any([this.#over.signal, signal]);
    return this.#state.asked.ask(method, params, over, (message) => this.#stream.send(message), milliseconds);
  };

  /**
   * The stream of its answer for a subscription, which ends with the connection it has now: what goes down it has no
   * ids, since its client comes back with a cursor of its own.
   */
  readonly openDedicated = (_: unknown, onEnd: (why?: StayEnd) => void = () => {}): NotificationStream => {
    const stream = this.#stream;
    const { connection } = stream;
    if (connection === undefined || connection.answersOnly === true) {
      const sentence = `${this.method} answers with a stream; send Accept: text/event-stream, too`;
      throw new McpError(CODES.invalidRequest, sentence);
    }
    this.#leave = this.stay(onEnd);
    const before = stream.onDetached;
    stream.onDetached = () => {
      before();
      onEnd();
    };
    return {
      get pending() {
        return connection.pending ?? 0;
      },
      get isLagging() {
        return connection.isLagging ?? false;
      },
      write: (message) => {
        if (!this.isOver && stream.connection === connection) connection.write(message);
      },
      keepAlive: () => connection.keepAlive?.(),
      drained: () => connection.drained?.() ?? Promise.resolve(),
      cut: () => connection.cut(),
    };
  };

  readonly pause = (): void => {
    // The client may come back to another node, which does not have the stream.
    if (this.#state.isResumable && this.#state.isPrimed && !this.#state.isShared) this.#stream.pause();
  };

  get takesStream(): boolean {
    return this.#stream.connection?.answersOnly !== true;
  }

  notify(name: string, params: JsonObject): boolean {
    if (this.isOver) return false;
    const message = JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params });
    // Numbers are soon out of date, and those of a long wait would take the place of what is worth keeping.
    if (name === "progress" && params["message"] === undefined) this.#stream.sendOnce(message);
    else this.#stream.send(message);
    return this.#stream.connection !== undefined;
  }

  /** Ends the request, before its answer is sent or without an answer. */
  end(isAnswered = false): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#isAnswered = isAnswered;
    this.#leave();
    this.#over?.abort();
    if (!isAnswered) this.#unanswered?.abort();
  }
}

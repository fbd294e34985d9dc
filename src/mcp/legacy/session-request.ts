import { isId } from "../../protocol/jsonrpc.ts";
import { isObject, type JsonObject, type LogLevel } from "../errors.ts";
import type { McpRequest, RequestId } from "../request-context.ts";
import type { SessionState } from "./session-state.ts";
import type { SessionStream } from "./session-stream.ts";

/** A request of a session, until it is answered, cancelled, or its session ends. */
export class SessionRequest implements McpRequest {
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
  isOver = false;
  readonly #stream: SessionStream;
  readonly #state: SessionState;
  /** Aborted when the request is over, however it ends: what the client was asked for it is asked no longer. */
  #over: AbortController | undefined;
  /** Aborted when it ends before it is answered. */
  #unanswered: AbortController | undefined;
  #isAnswered = false;

  /** It is answered on the stream. */
  constructor(message: JsonObject, stream: SessionStream, state: SessionState) {
    this.id = message["id"] as RequestId;
    this.method = message["method"] as string;
    this.params = isObject(message["params"]) ? message["params"] : {};
    this.#stream = stream;
    this.#state = state;
  }

  get principal(): McpRequest["principal"] {
    return this.#state.principal;
  }

  get stay(): McpRequest["stay"] {
    return this.#state.stay;
  }

  get sender(): McpRequest["sender"] {
    return this.#state.client?.sender;
  }

  get capabilities(): JsonObject {
    return this.#state.client?.capabilities ?? {};
  }

  get logLevel(): LogLevel {
    return this.#state.logLevel;
  }

  get progressToken(): McpRequest["progressToken"] {
    const { progressToken } = isObject(this.params["_meta"]) ? this.params["_meta"] : {};
    return isId(progressToken) ? progressToken : undefined;
  }

  get signal(): AbortSignal {
    this.#unanswered ??= new AbortController();
    if (this.isOver && !this.#isAnswered) this.#unanswered.abort();
    return this.#unanswered.signal;
  }

  get ask(): McpRequest["ask"] {
    return (method, params) => {
      this.#over ??= new AbortController();
      if (this.isOver) this.#over.abort();
      return this.#state.asked.ask(method, params, this.#over.signal, (message) => this.#stream.send(message));
    };
  }

  get pause(): McpRequest["pause"] {
    return () => {
      if (this.#state.isResumable && this.#state.isPrimed) this.#stream.pause();
    };
  }

  notify(name: string, params: JsonObject): void {
    if (!this.isOver) this.#stream.send(JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params }));
  }

  /** It is about to be answered, or ends without an answer. */
  end(isAnswered = false): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#isAnswered = isAnswered;
    this.#over?.abort();
    if (!isAnswered) this.#unanswered?.abort();
  }
}

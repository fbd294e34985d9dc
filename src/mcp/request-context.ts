import type { ToolContext } from "../tools/index.ts";
import type { RpcId } from "../protocol/jsonrpc.ts";
import type { JsonObject, LogLevel } from "./errors.ts";

/** One request on its way to its result: what a method knows besides its params, whatever carries it. */
export interface RequestContext extends Omit<ToolContext, "askPerson"> {
  /** Set for tools that may ask; see `runWithQuestions`. */
  askPerson?: ToolContext["askPerson"];
  readonly id: Exclude<RpcId, null>;
  /** What the client said it can do. */
  readonly capabilities: JsonObject;
  /** What came back of the input asked for in the round before. */
  readonly inputs: Inputs;
  /** Seals any JSON value, to be given back in `inputs.state` with the retry of this very request. */
  seal(state: unknown): Promise<string>;
  /** Tells how far the work is; there only where the caller asked to be told. `done` must grow. */
  readonly progress?: ((done: number, total?: number, message?: string) => void) | undefined;
  /** Sends a log message where the caller asked for this level. */
  log(level: LogLevel, data: unknown, logger?: string): void;
  /** Asks the client something while the request is open: only in legacy sessions. */
  readonly ask?: ((method: string, params: JsonObject) => Promise<unknown>) | undefined;
  /** Ends the stream of this request, so that the client comes back for the result: only in legacy sessions. */
  readonly pause?: (() => void) | undefined;
  /** Takes over what the answer goes through, for a subscription: only where the carrier can. */
  readonly openDedicated?: (() => NotificationStream) | undefined;
}

export interface Inputs {
  /** By the names under which they were asked for; what the client made of it, unchecked. */
  readonly responses: JsonObject;
  /** What was sealed in the round before; undefined where nothing was. */
  readonly state: unknown;
}

/** Where the notifications of one open request go. */
export interface NotificationStream {
  /** Bytes handed over that were not taken yet. */
  readonly pending: number;
  /** Whether it holds as much as it should; `drained` says when it does not. */
  readonly isLagging: boolean;
  /** Sends one JSON-RPC message as text; never waits, never throws. */
  write(message: string): void;
  /** Sends something that no client sees, so that nobody takes the stream for dead. */
  keepAlive(): void;
  /** Resolves once what was written is taken, or nobody is there any more. */
  drained(): Promise<void>;
  /** Ends it at once, without a word. */
  cut(): void;
}

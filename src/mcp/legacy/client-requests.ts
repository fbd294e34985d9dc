import { z } from "zod";
import { problems } from "../../tools/index.ts";
import { beginning, CODES, isObject, McpError, type JsonObject } from "../errors.ts";

/** Milliseconds that a client has to answer a request, since a person may have to answer it. */
const TIMEOUT = 300_000;
const MAX_SHOWN = 200;

const part = z.looseObject({ type: z.string() });
const field = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);
/** The results of the requests that a server may send to a client. */
const RESULTS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  [
    "elicitation/create",
    z.looseObject({
      action: z.enum(["accept", "decline", "cancel"]),
      content: z.record(z.string(), field).nullish(),
    }),
  ],
  [
    "sampling/createMessage",
    z.looseObject({
      model: z.string(),
      role: z.enum(["user", "assistant"]),
      content: z.union([part, z.array(part)]),
    }),
  ],
  ["roots/list", z.looseObject({ roots: z.array(z.looseObject({ uri: z.string() })) })],
]);

interface Asked {
  readonly method: string;
  readonly resolve: (result: JsonObject) => void;
  readonly fail: (sentence: string) => void;
}

/** The requests to the client of a session that have not been answered yet. */
export class ClientRequests {
  readonly #asked = new Map<number, Asked>();
  /** Starts at a random number, so that an answer to an earlier process does not match a request of this one. */
  #count = (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) >>> 2;

  /**
   * Sends a request, and resolves with its result. Rejects if there is no result, or an invalid one, or none after so many
   * milliseconds, or when the signal is aborted: the request is withdrawn then.
   */
  ask(
    method: string,
    params: JsonObject,
    signal: AbortSignal,
    send: (message: string) => void,
    milliseconds: number = TIMEOUT,
  ): Promise<JsonObject> {
    const id = ++this.#count;
    const answered = new Promise<JsonObject>((resolve, reject) => {
      const withdraw = (): void => {
        send(json({ method: "notifications/cancelled", params: { requestId: id } }));
        fail(`The client has not answered ${method} in time, or has cancelled the request`);
      };
      const late = setTimeout(withdraw, milliseconds);
      const over = (): void => {
        clearTimeout(late);
        signal.removeEventListener("abort", withdraw);
        this.#asked.delete(id);
      };
      const fail = (sentence: string): void => {
        over();
        // Without a cause, as the server itself did not fail and has nothing to log.
        reject(new McpError(CODES.internal, sentence));
      };
      const asked: Asked = {
        method,
        fail,
        resolve: (result) => {
          over();
          resolve(result);
        },
      };
      this.#asked.set(id, asked);
      signal.addEventListener("abort", withdraw);
      send(json({ id, method, params }));
      if (signal.aborted) withdraw();
    });
    // The caller may have stopped waiting for it.
    answered.catch(() => {});
    return answered;
  }

  /** Handles a response of the client; false if it matches no request. */
  settle({ id, result, error }: JsonObject): boolean {
    const asked = typeof id === "number" ? this.#asked.get(id) : undefined;
    if (asked === undefined) return false;
    const { method, resolve, fail } = asked;
    const { error: fault } = RESULTS.get(method)?.safeParse(result) ?? {};
    if (!isObject(result)) {
      const said = isObject(error) ? String(error["message"]) : "";
      fail(`The client refused ${method}: ${beginning(said, MAX_SHOWN)}`);
    } else if (fault === undefined) resolve(result);
    else {
      const found = beginning(problems(fault, result, []), MAX_SHOWN);
      fail(`What the client answered to ${method} is no result of it: ${found}`);
    }
    return true;
  }

  /** Rejects all requests: the session has ended. */
  close(): void {
    for (const { method, fail } of this.#asked.values())
      fail(`The session ended before the client had answered ${method}`);
  }
}

function json(message: object): string {
  return JSON.stringify({ jsonrpc: "2.0", ...message });
}

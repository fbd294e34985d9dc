import { z } from "zod";
import { problems } from "../../tools/index.ts";
import { CODES, isObject, McpError, type JsonObject } from "../errors.ts";

/** Milliseconds a client has to answer what it was asked: people may have to. */
const TIMEOUT = 300_000;
const LONGEST_SHOWN = 200;

const part = z.looseObject({ type: z.string() });
const field = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);
/** What a client answers to what it can be asked. */
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

/** What a session asked its client and is not answered yet. */
export class ClientRequests {
  readonly #asked = new Map<number, Asked>();
  /** Not from 0: an answer to a request of an earlier process must not be taken for one of this one's. */
  #count = (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) >>> 2;

  /** Asks, and resolves with the result. Rejects with a sentence for the client if none comes, or one that is none. */
  ask(method: string, params: JsonObject, signal: AbortSignal, send: (message: string) => void): Promise<JsonObject> {
    const id = ++this.#count;
    const answered = new Promise<JsonObject>((resolve, reject) => {
      const withdraw = (): void => {
        send(json({ method: "notifications/cancelled", params: { requestId: id } }));
        fail(`The client has not answered ${method} in time, or has cancelled the request`);
      };
      const late = setTimeout(withdraw, TIMEOUT);
      const over = (): void => {
        clearTimeout(late);
        signal.removeEventListener("abort", withdraw);
        this.#asked.delete(id);
      };
      const fail = (sentence: string): void => {
        over();
        // Nothing failed on the server, so there is nothing for its log.
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
    // A tool may have been answered without it.
    answered.catch(() => {});
    return answered;
  }

  /** Takes a response of the client; one to nothing that it is asked is passed over. */
  settle({ id, result, error }: JsonObject): void {
    const asked = typeof id === "number" ? this.#asked.get(id) : undefined;
    if (asked === undefined) return;
    const { method, resolve, fail } = asked;
    if (!isObject(result)) {
      const said = isObject(error) ? String(error["message"]) : "";
      return fail(`The client refused ${method}: ${said.slice(0, LONGEST_SHOWN)}`);
    }
    const { error: fault } = RESULTS.get(method)?.safeParse(result) ?? {};
    if (fault === undefined) return resolve(result);
    fail(
      `What the client answered to ${method} is no result of it: ${problems(fault, result, []).slice(0, LONGEST_SHOWN)}`,
    );
  }

  /** The session is over. */
  close(): void {
    for (const { method, fail } of this.#asked.values())
      fail(`The session ended before the client had answered ${method}`);
  }
}

function json(message: object): string {
  return JSON.stringify({ jsonrpc: "2.0", ...message });
}

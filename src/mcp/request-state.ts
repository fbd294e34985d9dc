import { HubError } from "../core/errors.ts";
import { invalidParams, type JsonObject } from "./errors.ts";
import { MAX_LENGTH, type Sealer } from "../core/seal.ts";

/** Milliseconds for which a state is valid by default. */
const LIFETIME = 600_000;
/** Milliseconds for which a state is valid at most: longer than the deadline of a question may be away. */
const MAX_LIFETIME = 400 * 24 * 3_600_000;

/** What a state is bound to: it cannot be opened for another caller or another request. */
export interface StateScope {
  readonly subject: string;
  readonly method: string;
  /** Without `_meta`, `inputResponses` and `requestState`. */
  readonly params: JsonObject;
}

/**
 * Seals the state of a request that waits for input of the client (2026-07-28, "Multi Round-Trip Requests", server
 * requirements 4 and 5). The client keeps the state, which is bound to the caller, the method and the params.
 */
export class RequestStates {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** `payload` is any JSON value. Rejects with `INVALID_INPUT` if it is too long for a request to carry it back. */
  async seal(payload: unknown, scope: StateScope, lifetime: number = LIFETIME): Promise<string> {
    const state = await this.#sealer.seal(payload, sealedFor(scope), Math.min(lifetime, MAX_LIFETIME));
    if (state.length <= MAX_LENGTH) return state;
    const sentence = `What has to be remembered of the answers so far has ${state.length} characters; at most ${MAX_LENGTH} can be`;
    throw new HubError("INVALID_INPUT", sentence);
  }

  /** Returns the payload. Throws `-32602`, always with the same sentence, if the scope is another or it has expired. */
  async open(state: unknown, scope: StateScope): Promise<unknown> {
    const found = await this.#sealer.open(state, sealedFor(scope));
    if (found !== undefined) return found.payload;
    throw invalidParams("requestState was not issued for this request, or has expired; send the request without it", {
      reason: "invalid_request_state",
    });
  }
}

function sealedFor({ subject, method, params }: StateScope): unknown {
  return ["state", subject, method, sorted(params)];
}

/** The same value with sorted object keys, so that equal params give equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ["[", ...value.map(sorted)];
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return ["{", ...entries.map(([name, inner]) => [name, sorted(inner)])];
}

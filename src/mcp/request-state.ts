import { HubError } from "../core/errors.ts";
import { invalidParams, type JsonObject } from "./errors.ts";
import { MAX_LENGTH, type Sealer } from "../core/seal.ts";

/** Milliseconds in which a client has to come back, unless the state says otherwise. */
const LIFETIME = 600_000;
/** Milliseconds that any state may live. */
const MAX_LIFETIME = 30 * 24 * 3_600_000;

/** What a state is for: it is worth nothing with another caller or another request. */
export interface StateScope {
  readonly subject: string;
  readonly method: string;
  /** Without `_meta`, `inputResponses` and `requestState`. */
  readonly params: JsonObject;
}

/**
 * Seals what a request must remember until the client comes back with the input it was asked for (2026-07-28, "Multi
 * Round-Trip Requests", server requirements 4 and 5): the client holds the state, bound to caller, method and params.
 */
export class RequestStates {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** `payload` is any JSON value. Rejects with `INVALID_INPUT` if it is too long to be given back. */
  async seal(payload: unknown, scope: StateScope, lifetime: number = LIFETIME): Promise<string> {
    const state = await this.#sealer.seal(payload, sealedFor(scope), Math.min(lifetime, MAX_LIFETIME));
    if (state.length <= MAX_LENGTH) return state;
    const sentence = `What has to be remembered of the answers so far has ${state.length} characters; at most ${MAX_LENGTH} can be`;
    throw new HubError("INVALID_INPUT", sentence);
  }

  /** The payload. Throws `-32602`, always with the same sentence, if it was not sealed for this, or too long ago. */
  async open(state: unknown, scope: StateScope): Promise<unknown> {
    const found = await this.#sealer.open(state, sealedFor(scope));
    if (found !== undefined) return found.payload;
    throw invalidParams("requestState is not one of this server's for this request, or too old; begin anew", {
      reason: "invalid_request_state",
    });
  }
}

function sealedFor({ subject, method, params }: StateScope): unknown {
  return ["state", subject, method, sorted(params)];
}

/** The same value with the names of its objects in order, so that equal params are equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ["[", ...value.map(sorted)];
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return ["{", ...entries.map(([name, inner]) => [name, sorted(inner)])];
}

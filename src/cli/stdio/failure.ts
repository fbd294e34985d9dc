/** Why the hub gave no answer that can be passed on. `code` is a status of HTTP, and of the JSON-RPC error. */
export class Failure extends Error {
  readonly code: number;

  constructor(code: number, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.code = code;
  }

  /** Whether the same may succeed later. */
  get isPassing(): boolean {
    return isPassing(this.code);
  }
}

/** A connection that was lost before the answer came. */
export class Broken extends Failure {}

export function broken(cause?: unknown): Broken {
  const sentence =
    "The connection to the hub broke before its answer came; what was asked may have been done, or not: look, then ask again";
  return new Broken(503, sentence, cause === undefined ? {} : { cause });
}

/** Whether an error of this status, or JSON-RPC code, may be gone later. */
export function isPassing(code: unknown): boolean {
  return typeof code === "number" && (code === 408 || code === 425 || code === 429 || (code >= 500 && code < 600));
}

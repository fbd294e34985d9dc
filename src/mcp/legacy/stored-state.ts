import { isObject, LOG_LEVELS, type LogLevel } from "../errors.ts";

/** The part of a session that outlives its node. */
export interface StoredState {
  readonly logLevel: LogLevel;
  readonly uris: readonly string[];
  /** The node to which its client last came for the session's own stream; undefined with one node. */
  readonly streamNode?: string | undefined;
}

/** Changes what is stored of a session, whatever it is by then. */
export type StateChange = (stored: StoredState) => StoredState;

export function stateText({ logLevel, uris, streamNode }: StoredState): string {
  return JSON.stringify({ logLevel, uris, streamNode });
}

/** Parses a stored state; ignores what is invalid, since it may have been changed by hand. */
export function parseStoredState(text: string): StoredState {
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch {
    stored = undefined;
  }
  const { logLevel, uris, streamNode } = isObject(stored) ? stored : {};
  return {
    logLevel: LOG_LEVELS.find((level) => level === logLevel) ?? "debug",
    uris: Array.isArray(uris) ? uris.filter((uri) => typeof uri === "string") : [],
    streamNode: typeof streamNode === "string" ? streamNode : undefined,
  };
}

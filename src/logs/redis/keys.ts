/**
 * The keys of a log, in the order in which its scripts take them. With prefix `hub`, `{hub}:meta` and so on: the braces
 * keep all of them in one slot of a cluster.
 */
export interface LogKeys {
  /** Hash: format, epoch, run (the engine's run id), head, floor, messages, bytes, oldest, alldropped, purges. */
  readonly meta: string;
  /** Stream: id `OFFSET-0`; t time, c cost, r record, k idempotency key. */
  readonly log: string;
  /** Hash: channel → offset and time of the last message that retention dropped from it. */
  readonly dropped: string;
  /** Hash: channel, line break, idempotency key → offset. */
  readonly idempotency: string;
  /** Hash: node → number of its last batch, and what was answered. */
  readonly batches: string;
  /** Hash: first offset of a run → its epoch, and the last offset before it. */
  readonly runs: string;
  /** Hash: node → when it was last heard of, by the engine's clock. */
  readonly nodes: string;
  /** Hash: run id of a new engine, since when, the furthest offset, and `node NODE` for each that has said how far it was. */
  readonly vote: string;
  /** Hash: channel → offset and time of the last message that a purge removed from it. */
  readonly purged: string;
}

/** `key` makes the name of a key from a word. */
export function logKeys(key: (word: string) => string): LogKeys {
  return {
    meta: key("meta"),
    log: key("log"),
    dropped: key("dropped"),
    idempotency: key("idempotency"),
    batches: key("batches"),
    runs: key("runs"),
    nodes: key("nodes"),
    vote: key("vote"),
    purged: key("purged"),
  };
}

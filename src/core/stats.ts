/** What a hub has done since it opened. Counters only ever grow. */
export class Stats {
  /** Messages published, ephemeral ones included; those of the server's own channels are not. */
  published = 0;
  /** Messages handed to live readers, one per reader; neither those of the server's own channels nor to who looks on. */
  delivered = 0;
  /** Messages handed to readers that were replaying. */
  replayed = 0;
  /** Bytes handed to readers, as encoded for them. */
  bytes = 0;
  /** Readers told that something is missing. */
  gaps = 0;
  /** Readers cut because they did not take what they were sent. */
  slow = 0;
}

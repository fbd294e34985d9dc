/** What a node of a hub has done since it opened. Counters only ever grow. */
export class Stats {
  /** Messages published through this node, ephemeral ones included, without those of the server's own channels. */
  published = 0;
  /** Messages written to live readers, one per reader, without the server's own channels and `watch` readers. */
  delivered = 0;
  /** Messages written to readers that were replaying. */
  replayed = 0;
  /** Bytes written to readers. */
  bytes = 0;
  /** Gaps sent to readers. */
  gaps = 0;
  /** Readers cut because they lagged too far. */
  slow = 0;
}

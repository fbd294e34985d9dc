/** What a reader gets besides messages, in order with them. */
export type Signal =
  /** Replay is over; what follows is live. */
  | { readonly kind: "live"; readonly id: string }
  /** A heartbeat: nothing new up to `id`. `moves`: the last id the reader was given is so old that it needs this one. */
  | { readonly kind: "beat"; readonly id: string; readonly moves: boolean }
  /** Messages are missing, so the reader has to fetch its state again. */
  | ({ readonly kind: "gap" } & Gap);

/** The messages after `after`, up to and including `resumed`, that cannot be given any more. */
export interface Gap {
  /** A `GapReason`, or one that a newer server has. */
  readonly reason: string;
  /** The cursor to which the reader had got, or what it gave instead of one, cut to 64 characters. */
  readonly after: string;
  /** The cursor after which everything is given. */
  readonly resumed: string;
}

/**
 * `expired`: dropped by retention. `lost`: kept on a machine that died before another had it. `unknown_cursor`: not a
 * cursor of this log, so no one can say what is missing.
 */
export const GAP_REASONS = ["expired", "lost", "unknown_cursor"] as const;
export type GapReason = (typeof GAP_REASONS)[number];

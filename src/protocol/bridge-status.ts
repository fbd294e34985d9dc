/** How a bridge stands on this node. */
export type BridgeState =
  /** It has no connection yet, or has lost it and tries again. */
  | "connecting"
  | "running"
  /** Another node does what only one may do. */
  | "standby"
  /** A message that the hub will never take stopped it, as its rule says; a restart tries again. */
  | "stopped"
  | "closed";

/** What a bridge has done on this node since it started. */
export interface BridgeCounters {
  /** Messages that came in: kept, known already, and not kept for each reason. */
  received: number;
  repeated: number;
  rejected: number;
  loops: number;
  tombstones: number;
  /** Messages that the bus has confirmed, and those that it refused. */
  sent: number;
  refused: number;
  /** Markers sent for messages that retention dropped before they were sent. */
  gaps: number;
  /** Connections that failed or were lost. */
  failures: number;
}

/** A bridge as its operator sees it. */
export interface BridgeStatus extends BridgeCounters {
  readonly name: string;
  readonly kind: string;
  readonly state: BridgeState;
  /** Messages that wait on the bus; null if that is not known. */
  readonly lag: number | null;
  /** Messages of the hub that wait to be sent: whether there are any. */
  readonly isBehind: boolean;
  /** Why it is not running, or what went wrong last; null if nothing did. */
  readonly error: string | null;
  /** When that was, ISO 8601 in UTC. */
  readonly errorTime: string | null;
  /** Whether the server is not ready while this bridge does not run. */
  readonly required: boolean;
}

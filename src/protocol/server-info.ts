/** A node of a hub, as it told of itself last. */
export interface NodeStatus {
  /** Its own in each process. */
  readonly id: string;
  /** Its host name and port; only admins are told it. */
  readonly address?: string | undefined;
  readonly version: string;
  /** When its process started, in ISO 8601. */
  readonly started: string;
  /** Open readers, without those that only watch. */
  readonly connections: number;
  /** Messages published through it, and written to its readers. */
  readonly publishedPerSecond: number;
  readonly deliveredPerSecond: number;
  /** Whether it is stopping. */
  readonly draining: boolean;
}

/**
 * What a node is and does: the answer of `get_server_info`, and what `hub.stats` brings. `messages.kept`, `channels` and
 * `nodes` are of the whole hub, the other figures of this node.
 */
export interface ServerInfo {
  readonly name: string;
  readonly version: string;
  /** The `id` of the node that answers. */
  readonly node: string;
  /** The nodes of the hub; the one that answers comes first. */
  readonly nodes: readonly NodeStatus[];
  readonly uptimeSeconds: number;
  /** Revisions of MCP that this server speaks. */
  readonly protocolVersions: readonly string[];
  /** Open readers by transport, without those that only watch (`?watch=true`). */
  readonly connections: {
    readonly sse: number;
    readonly websocket: number;
    /** Streams of MCP that stay open. */
    readonly mcp: number;
    /** Calls that wait for messages. */
    readonly waiting: number;
    readonly total: number;
  };
  readonly messages: {
    readonly published: number;
    readonly delivered: number;
    /** Over the last second or more. */
    readonly publishedPerSecond: number;
    readonly deliveredPerSecond: number;
    /** Still in the log. */
    readonly kept: number;
  };
  /**
   * Milliseconds from the log being handed a message to the last of its readers having been written to, over the last
   * second or more; null if nothing was.
   */
  readonly delivery: { readonly p50Ms: number | null; readonly p99Ms: number | null };
  /** Channels that hold or held messages. */
  readonly channels: number;
  readonly cpu: { readonly percent: number; readonly userSeconds: number; readonly systemSeconds: number };
  readonly memory: { readonly rssBytes: number; readonly heapUsedBytes: number };
  /** How long the event loop was late, in milliseconds. */
  readonly eventLoop: { readonly delayMeanMs: number; readonly delayP99Ms: number };
  readonly limits: {
    readonly connections: number;
    readonly messageBytes: number;
    readonly bodyBytes: number;
    readonly channelsPerReader: number;
    readonly pendingBytes: number;
  };
}

/** The figures of `ServerInfo` that change from second to second, at a time. */
export interface Figures {
  /** ISO 8601. */
  readonly time: string;
  readonly messages: Pick<ServerInfo["messages"], "publishedPerSecond" | "deliveredPerSecond">;
  readonly delivery: ServerInfo["delivery"];
  readonly connections: Omit<ServerInfo["connections"], "total">;
  readonly cpu: Pick<ServerInfo["cpu"], "percent">;
  readonly memory: ServerInfo["memory"];
  readonly eventLoop: ServerInfo["eventLoop"];
}

/** A line that a node logged, as `hub.logs` brings it. */
export interface RecentLine {
  /** ISO 8601. */
  readonly time: string;
  /** The id of the node. */
  readonly node: string;
  readonly level: string;
  readonly msg: string;
}

/** What a node did lately, the oldest first: the answer of `GET /recent`. */
export interface RecentActivity {
  readonly stats: readonly Figures[];
  readonly logs: readonly RecentLine[];
}

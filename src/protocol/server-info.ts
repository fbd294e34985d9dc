/** What the process is and does: the answer of `get_server_info`, and what `hub.stats` brings. */
export interface ServerInfo {
  readonly name: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Revisions of MCP that this server speaks. */
  readonly protocolVersions: readonly string[];
  /** Open readers by transport. */
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

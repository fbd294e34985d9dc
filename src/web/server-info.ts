/** What `get_server_info` answers and `hub.stats` brings, as far as pages show it. */
export interface ServerInfo {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly connections: {
    readonly sse: number;
    readonly websocket: number;
    readonly mcp: number;
    readonly waiting: number;
    readonly total: number;
  };
  readonly messages: {
    readonly published: number;
    readonly delivered: number;
    readonly publishedPerSecond: number;
    readonly deliveredPerSecond: number;
    readonly kept: number;
  };
  readonly delivery: { readonly p50Ms: number | null; readonly p99Ms: number | null };
  readonly channels: number;
  readonly cpu: { readonly percent: number };
  readonly memory: { readonly rssBytes: number; readonly heapUsedBytes: number };
  readonly eventLoop: { readonly delayMeanMs: number; readonly delayP99Ms: number };
  readonly limits: { readonly connections: number };
}

import type { Hub } from "../../src/core/hub.ts";
import type { Sink } from "../../src/core/sink.ts";
import type { Extras } from "../../src/mcp/definitions.ts";
import { createServer, type ServerOptions } from "../../src/server.ts";
import { EventReader, type EventReaderOptions } from "./event-reader.ts";
import { FrameReader, type FrameReaderOptions } from "./frame-reader.ts";
import { request, type Answer, type RequestOptions } from "./request.ts";
import { Wire } from "./wire.ts";

/** A server in this process, and the ways in that tests use. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly hub: Hub;
  readonly loopback: boolean;
  /** The sink of the reader that came as that one, from 0; nothing once the server has let go of it. */
  sink(reader: number): Sink | undefined;
  /** Does what it does before it stops. */
  drain(skip?: AbortSignal): Promise<void>;
  /** Stops it as a signal would. */
  close(): Promise<void>;
  request(path: string, options?: RequestOptions): Promise<Answer>;
  /** Publishes over HTTP; resolves with the receipt. */
  publish(channel: string, data: unknown): Promise<Receipt>;
  /** Calls a tool over HTTP; resolves with its result. */
  call(tool: string, input?: object): Promise<ToolAnswer>;
  /** Opens `/events` with this query. */
  events(query?: string, options?: EventReaderOptions): Promise<EventReader>;
  /** Opens `/ws` with this query. */
  frames(query?: string, options?: FrameReaderOptions): Promise<FrameReader>;
  /** Opens a bare connection. */
  wire(): Promise<Wire>;
  /** The value of one line of `/metrics`, such as `sse_mcp_connections{door="sse"}`. */
  metric(line: string): Promise<number>;
}

export interface Receipt {
  readonly id: string;
  readonly channel: string;
  readonly time: string;
  readonly receivers: number;
}

export interface ToolAnswer {
  readonly content: readonly { readonly type: string; readonly text: string }[];
  readonly structuredContent: Record<string, unknown>;
  readonly isError?: boolean;
}

/**
 * Starts a server on a free port. Unless asked for there is no log on disk, no word on standard output, and no
 * heartbeat while a test lasts. `extras` are offered on `/mcp`.
 */
export async function startServer(overrides: ServerOptions = {}, extras: Extras = {}): Promise<TestServer> {
  const settings: ServerOptions = {
    port: 0,
    data: "memory:",
    logLevel: "silent",
    env: "test",
    drain: 0,
    heartbeat: 300,
    ...overrides,
  };
  const server = await createServer(settings, extras);
  const { hub, url } = server;
  // The memory of the server is to be what the server holds.
  const sinks: WeakRef<Sink>[] = [];
  const subscribe = hub.subscribe.bind(hub);
  hub.subscribe = (asked, sink) => {
    sinks.push(new WeakRef(sink));
    return subscribe(asked, sink);
  };
  const port = Number(new URL(url).port);
  const ask = (path: string, options?: RequestOptions): Promise<Answer> => request(`${url}${path}`, options);
  return {
    url,
    port,
    hub,
    loopback: server.loopback,
    sink: (reader) => sinks[reader]?.deref(),
    drain: (skip) => server.drain(skip),
    close: () => server.close(),
    request: ask,
    async publish(channel, data) {
      const headers = { "content-type": "application/json" };
      const answer = await ask(`/channels/${channel}/messages`, {
        method: "POST",
        headers,
        body: JSON.stringify(data),
      });
      if (answer.status !== 201) throw new Error(`not published: ${answer.status} ${answer.text}`);
      return answer.json() as Receipt;
    },
    async call(tool, input = {}) {
      const body = JSON.stringify({ params: { name: tool, arguments: input } });
      const answer = await ask("/mcp/tools/call", { method: "POST", body });
      if (answer.status !== 200) throw new Error(`not called: ${answer.status} ${answer.text}`);
      return (answer.json() as { result: ToolAnswer }).result;
    },
    events: (query = "", options = {}) => EventReader.open(`${url}/events${query}`, options),
    frames: (query = "", options = {}) => FrameReader.open(`${url.replace("http", "ws")}/ws${query}`, options),
    wire: () => Wire.open(port),
    async metric(line) {
      const { text } = await ask("/metrics");
      const found = text.split("\n").find((candidate) => candidate.startsWith(`${line} `));
      if (found === undefined) throw new Error(`no metric ${line}`);
      return Number(found.slice(line.length + 1));
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

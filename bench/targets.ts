import type { FormatName } from "./load/formats.ts";
import type { Target } from "./load/plan.ts";
import { nchanMissing, nginxCommand } from "./nginx.ts";
import { CENTRIFUGO, MERCURE, mercureAuthorization } from "./peers.ts";

/** A server of the comparison: how to start it. */
export interface ServerKind {
  readonly name: string;
  /** Why it cannot take part, or undefined. */
  missing(): string | undefined;
  command(directory: string, port: number): readonly string[];
  /** Answers once the server is ready. */
  readonly ready: string;
}

/** A server and the door its readers use. */
export interface Contender {
  readonly name: string;
  readonly title: string;
  readonly server: ServerKind;
  target(port: number, channel: string): Target;
}

const NAIVE = nodeServer("naive", "/events?channel=ready");
const BETTER_SSE = nodeServer("better-sse", "/events?channel=ready");
const SOCKET_IO = nodeServer("socket-io", "/socket.io/?EIO=4&transport=websocket");
const NCHAN: ServerKind = { name: "nchan", missing: nchanMissing, command: nginxCommand, ready: "/sub?id=ready" };

/** This server, with every setting at its default but the place of its data. */
export const OURS: ServerKind = {
  name: "ours",
  missing: () => undefined,
  command: (directory, port) => ourCommand(directory, port),
  ready: "/health",
};

/** A compressor for each stream. */
export const GZIP_EACH: ServerKind = nodeServer("gzip-each", "/");

const CENTRIFUGO_SUBSCRIBES = encodeURIComponent('{"subs":{"*":{}}}');

/** What a request costs in Node when almost nothing is done with it. */
export const BARE: ServerKind = nodeServer("bare", "/");

/** A minimal MCP server on the official SDK. */
export const SDK: ServerKind = nodeServer("sdk", "/");

/** Everyone in the comparison, the yardsticks first. */
export const CONTENDERS: readonly Contender[] = [
  contender("naive", "naive res.write", NAIVE, "sse", "/events?channel=*", json("/publish?channel=*")),
  contender("nchan", "Nchan", NCHAN, "sse", "/sub?id=*", {
    path: "/pub?id=*",
    headers: ["Content-Type: text/plain"],
    before: "",
    after: "",
  }),
  contender("centrifugo", "Centrifugo", CENTRIFUGO, "sse", `/connection/uni_sse?cf_connect=${CENTRIFUGO_SUBSCRIBES}`, {
    path: "/api/publish",
    headers: ["Content-Type: application/json"],
    before: '{"channel":"*","data":"',
    after: '"}',
  }),
  contender("mercure", "Mercure", MERCURE, "sse", "/.well-known/mercure?topic=*", {
    path: "/.well-known/mercure",
    headers: ["Content-Type: application/x-www-form-urlencoded", mercureAuthorization()],
    before: "topic=*&data=",
    after: "",
  }),
  contender("better-sse", "better-sse", BETTER_SSE, "sse", "/events?channel=*", json("/publish?channel=*")),
  contender(
    "socket.io",
    "socket.io, WebSocket",
    SOCKET_IO,
    "engine.io",
    "/socket.io/?EIO=4&transport=websocket&channel=*",
    json("/publish?channel=*"),
  ),
  contender("ours", "this server, SSE", OURS, "sse", "/events?channel=*", json("/channels/*/messages")),
  contender("ours-ws", "this server, WebSocket", OURS, "ws", "/ws?channel=*", json("/channels/*/messages")),
];

/** The command line of this server, with flags for Node. */
export function ourCommand(directory: string, port: number, nodeFlags: readonly string[] = []): readonly string[] {
  const serve = ["src/cli/main.ts", "serve", "--port", String(port)];
  return ["env", `DATA=file:${directory}/hub.db`, process.execPath, ...nodeFlags, ...serve];
}

function nodeServer(name: string, ready: string): ServerKind {
  return {
    name,
    missing: () => undefined,
    command: (_directory, port) => ["env", `PORT=${port}`, process.execPath, `bench/servers/${name}.ts`],
    ready,
  };
}

/** `*` stands for the channel. */
function contender(
  name: string,
  title: string,
  server: ServerKind,
  format: FormatName,
  subscribe: string,
  publish: Target["publish"],
): Contender {
  return {
    name,
    title,
    server,
    target: (port, channel) => ({
      address: { secure: false, host: "127.0.0.1", name: "127.0.0.1", port },
      format,
      subscribe: subscribe.replace("*", channel),
      publish: {
        ...publish,
        path: publish.path.replace("*", channel),
        before: publish.before.replace("*", channel),
      },
    }),
  };
}

/** A request whose body is the payload as a JSON string. */
function json(path: string): Target["publish"] {
  return { path, headers: ["Content-Type: application/json"], before: '"', after: '"' };
}

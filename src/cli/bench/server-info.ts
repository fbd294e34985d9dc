import { connect } from "node:net";

const WAIT = 5000;

/** What a server tells about itself; absent is what it does not tell. */
export interface ServerInfo {
  /** Seconds of CPU since its start. */
  readonly cpuSeconds: number | undefined;
  readonly cpuPercent: number | undefined;
  readonly rssBytes: number | undefined;
  readonly heapUsedBytes: number | undefined;
  readonly eventLoopDelayP99Ms: number | undefined;
  /** When it was asked, in milliseconds. */
  readonly asked: number;
}

/** What a server told in the course of a run. */
export interface InfoOverRun {
  /** Before the first connection. */
  readonly idle: ServerInfo;
  /** When the readers were connected. */
  readonly start: ServerInfo;
  /** After the last delivery. */
  readonly end: ServerInfo;
}

/** Throws where nothing listens at an address. */
export function findServer(url: URL): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port, timeout: WAIT });
  socket.once("connect", () => {
    resolve();
    socket.destroy();
  });
  socket.once("timeout", () => socket.destroy(new Error(`no answer within ${WAIT / 1000} s`)));
  // A name with several addresses fails with an error whose own message is empty.
  socket.once("error", (cause: NodeJS.ErrnoException) => {
    reject(new Error(`Nothing listens at ${url.origin}: ${cause.message || cause.code}`, { cause }));
  });
  return promise;
}

/** Calls the tool `get_server_info`. */
export async function askServerInfo(url: URL): Promise<ServerInfo> {
  const asked = performance.now();
  const told = await callTool(url);
  const user = numberAt(told, "cpu", "userSeconds");
  const system = numberAt(told, "cpu", "systemSeconds");
  return {
    cpuSeconds: user === undefined || system === undefined ? undefined : user + system,
    cpuPercent: numberAt(told, "cpu", "percent"),
    rssBytes: numberAt(told, "memory", "rssBytes"),
    heapUsedBytes: numberAt(told, "memory", "heapUsedBytes"),
    eventLoopDelayP99Ms: numberAt(told, "eventLoop", "delayP99Ms"),
    asked,
  };
}

async function callTool(url: URL): Promise<unknown> {
  const params = { name: "get_server_info", arguments: {} };
  try {
    const response = await fetch(`${url.href.replace(/\/$/, "")}/mcp/tools/call`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
      signal: AbortSignal.timeout(WAIT),
    });
    return at(at(await response.json(), "result"), "structuredContent");
  } catch {
    // A server without the tool can be loaded all the same; the report says that it did not tell.
    return undefined;
  }
}

function numberAt(told: unknown, part: string, name: string): number | undefined {
  const value = at(at(told, part), name);
  return typeof value === "number" ? value : undefined;
}

function at(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;
}

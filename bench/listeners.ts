import { setTimeout as pause } from "node:timers/promises";
import { Caller } from "./load/caller.ts";
import { connect, requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";
import { mcpRequest } from "./mcp-request.ts";
import type { ServerProcess } from "./server-process.ts";

const LISTENERS = 1000;
/** Longer than the time in which changes are merged into one notification, so that every message causes one. */
const INTERVAL = 250;
const SETTLE = 1000;
const CHANNEL = "watched";

/** CPU microseconds of the server for each notification to one of 1,000 connections. */
export interface ListenCost {
  /** `notifications/resources/updated` on a listen stream. */
  readonly notification: number;
  /** The same on the stream of a session. */
  readonly inSession: number;
  /** A message over SSE. */
  readonly delivery: number;
}

/** What telling 1,000 listeners of a channel costs, and what sending them the message costs, one after the other. */
export async function listenCost(server: ServerProcess, seconds: number): Promise<ListenCost> {
  const address: Address = { secure: false, host: "127.0.0.1", name: "127.0.0.1", port: server.port };
  const notifications = { resourceSubscriptions: [`hub://channels/${CHANNEL}`] };
  const listen = mcpRequest(address, "subscriptions/listen", { notifications });
  const events = Buffer.from(requestHead("GET", `/events?channel=${CHANNEL}`, address, []));
  const all = (request: Buffer): Buffer[] => Array.from({ length: LISTENERS }, () => request);
  return {
    notification: await costOf(server, address, all(listen), "resources/updated", seconds),
    inSession: await costOf(server, address, await sessionStreams(address), "resources/updated", seconds),
    delivery: await costOf(server, address, all(events), "data:", seconds),
  };
}

async function costOf(
  server: ServerProcess,
  address: Address,
  requests: readonly Buffer[],
  mark: string,
  seconds: number,
): Promise<number> {
  let told = 0;
  const sockets = requests.map((request) => {
    const socket = connect(address, (bytes, length) => {
      const end = bytes.subarray(0, length);
      for (let at = end.indexOf(mark); at !== -1; at = end.indexOf(mark, at + 1)) told += 1;
    });
    socket.on("error", () => {});
    socket.write(request);
    return socket;
  });
  await pause(SETTLE);
  const publisher = new Caller(address, { answered: () => {}, broken: () => {} });
  await publisher.open();
  const body = "x".repeat(100);
  const fields = ["Content-Type: text/plain", `Content-Length: ${body.length}`];
  const publish = Buffer.from(requestHead("POST", `/channels/${CHANNEL}/messages`, address, fields) + body);
  const rounds = Math.round((seconds * 1000) / INTERVAL);
  publisher.send(publish);
  await pause(INTERVAL);
  told = 0;
  const before = server.cpuSeconds();
  for (let round = 0; round < rounds; round += 1) {
    publisher.send(publish);
    await pause(INTERVAL);
  }
  const used = server.cpuSeconds() - before;
  publisher.close();
  for (const socket of sockets) socket.destroy();
  await pause(SETTLE);
  if (told !== rounds * LISTENERS) throw new Error(`${told} of ${rounds * LISTENERS} were told (${mark})`);
  return (used * 1e6) / told;
}

/** Opens a session for each listener and subscribes it; resolves with the requests that open their streams. */
async function sessionStreams(address: Address): Promise<Buffer[]> {
  const url = `http://${address.host}:${address.port}/mcp`;
  const accept = "application/json, text/event-stream";
  const post = async (method: string, params: object, more: Record<string, string> = {}): Promise<string> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const response = await fetch(url, { method: "POST", headers: { accept, ...more }, body });
    await response.arrayBuffer();
    return response.headers.get("mcp-session-id") ?? "";
  };
  const requests: Buffer[] = [];
  const clientInfo = { name: "bench", version: "1.0.0" };
  while (requests.length < LISTENERS) {
    const id = await post("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
    await post("resources/subscribe", { uri: `hub://channels/${CHANNEL}` }, { "mcp-session-id": id });
    requests.push(Buffer.from(requestHead("GET", "/mcp", address, [`Mcp-Session-Id: ${id}`, `Accept: ${accept}`])));
  }
  return requests;
}

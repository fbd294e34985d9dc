import { setTimeout as pause } from "node:timers/promises";
import { Caller } from "./load/caller.ts";
import { connect, requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";
import { mcpRequest } from "./mcp-request.ts";
import type { ServerProcess } from "./server-process.ts";

const LISTENERS = 1000;
/** More than the time in which changes are told once, so that every message is told. */
const INTERVAL = 250;
const SETTLE = 1000;
const CHANNEL = "watched";

/** CPU microseconds of the server for each thing told to one of 1,000 connections. */
export interface ListenCost {
  /** `notifications/resources/updated` on a listen stream. */
  readonly notification: number;
  /** A message over SSE. */
  readonly delivery: number;
}

/** What telling 1,000 listeners of a channel costs, and what sending them the message costs, one after the other. */
export async function listenCost(server: ServerProcess, seconds: number): Promise<ListenCost> {
  const address: Address = { secure: false, host: "127.0.0.1", name: "127.0.0.1", port: server.port };
  const notifications = { resourceSubscriptions: [`hub://channels/${CHANNEL}`] };
  const listen = mcpRequest(address, "subscriptions/listen", { notifications });
  const events = Buffer.from(requestHead("GET", `/events?channel=${CHANNEL}`, address, []));
  return {
    notification: await costOf(server, address, listen, "resources/updated", seconds),
    delivery: await costOf(server, address, events, "data:", seconds),
  };
}

async function costOf(
  server: ServerProcess,
  address: Address,
  request: Buffer,
  mark: string,
  seconds: number,
): Promise<number> {
  let told = 0;
  const sockets = Array.from({ length: LISTENERS }, () => {
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

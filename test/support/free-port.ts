import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Ports that a process of the tests has to itself. The first one is its lock: while it is held, no other process uses the block. */
const BLOCK = 100;
/** Below the range from which the system gives ports to outgoing connections, and so are those of a cluster's bus. */
const PORTS = { first: 10_000, blocks: 100 };
/** How far the port of a cluster's bus is from that of its node. */
const BUS = 10_000;

let own: Promise<number> | undefined;
let given = 0;

/**
 * A port for a program that is started later, and started again on the same one: no other process is given it meanwhile.
 * Nothing listens on it, nor where the bus of a cluster would be.
 */
export async function freePort(): Promise<number> {
  const first = await (own ??= lockBlock());
  for (let tries = 1; tries < BLOCK; tries++) {
    const port = first + 1 + (given++ % (BLOCK - 1));
    if ((await isFree(port)) && (await isFree(port + BUS))) return port;
  }
  throw new Error(`all ports from ${first} to ${first + BLOCK - 1} are in use`);
}

/** Takes a block that no other process has, until this one ends; returns its first port. */
async function lockBlock(): Promise<number> {
  const start = Math.floor(Math.random() * PORTS.blocks);
  for (let tries = 0; tries < PORTS.blocks; tries++) {
    const first = PORTS.first + ((start + tries) % PORTS.blocks) * BLOCK;
    const lock = createServer((socket) => socket.destroy()).listen({ port: first, host: "127.0.0.1", exclusive: true });
    try {
      await once(lock, "listening");
      lock.unref();
      return first;
    } catch {
      // Another process has it.
    }
  }
  throw new Error(`all ${PORTS.blocks} blocks of ports are in use`);
}

function isFree(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("error", () => resolve(true));
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });
}

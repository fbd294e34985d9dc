import { Socket } from "node:net";
import { HubError } from "../core/errors.ts";
import { isLoopback } from "../protocol/address.ts";
import type { Principal } from "../core/principal.ts";
import { counted } from "./client-address.ts";

/** What is held open: readers by their door, and tool calls that wait. */
export type StreamDoor = "sse" | "websocket" | "mcp" | "waiting";

/** Who takes places: a plain connection, or a client whose calls are answered in any order. */
export interface Client {
  readonly address: string;
  /** Calls that wait. */
  waits: number;
}

/** Who asks, and from where. */
export interface Caller {
  readonly principal: Principal;
  /** As `ClientAddresses` says. */
  readonly address: string;
}

/** Calls of one client that may wait at once if they are answered in any order; of a plain connection, a share of all readers. */
const MAX_WAITS = 64;
const CONNECTION_SHARE = 0.1;
/** The share of all readers that calls which wait may be, the readers of one principal, and those of one address unless it is loopback. */
const SHARE = 0.5;

/** As whom a caller is counted where one may have a share of all; undefined for this machine without a credential. */
export function holderOf({ principal, address }: Caller): string | undefined {
  if (principal.kind !== "anonymous") return principal.id;
  return isLocal(address) ? undefined : address;
}

/** Counts open readers by door and by address, and refuses more than there may be. */
export class Connections {
  readonly limit: number;
  /** Calls of one connection that may wait at once. */
  readonly mostWaits: number;
  /** Connections that one address may have; 0: a share, and all of them for loopback. */
  readonly #perAddress: number;
  readonly #ignoreRest: (socket: Socket) => void;
  readonly #open: Record<StreamDoor, number> = { sse: 0, websocket: 0, mcp: 0, waiting: 0 };
  readonly #byAddress = new Map<string, number>();
  readonly #byPrincipal = new Map<string, number>();
  readonly #bySocket = new WeakMap<Socket, Client>();
  /** Readers let in so far. */
  accepted = 0;
  /** Readers refused so far because there were as many as may be. */
  refused = 0;
  #waiting = 0;
  readonly #waitingBy = new Map<string, number>();
  #draining = false;

  /** `ignoreRest` makes the server take no more requests from a connection. */
  constructor(limit: number, perAddress: number = 0, ignoreRest: (socket: Socket) => void = () => {}) {
    this.limit = limit;
    this.mostWaits = Math.ceil(limit * CONNECTION_SHARE);
    this.#perAddress = perAddress;
    this.#ignoreRest = ignoreRest;
  }

  get total(): number {
    const { sse, websocket, mcp, waiting } = this.#open;
    return sse + websocket + mcp + waiting;
  }

  by(door: StreamDoor): number {
    return this.#open[door];
  }

  /** Refuses every reader from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** A new client at an address. */
  client(address: string): Client {
    return { address, waits: 0 };
  }

  /** Counts a socket whose client has to present its credential yet. Throws `TOO_MANY_CONNECTIONS`. */
  wait(address: string): () => void {
    const most = Math.ceil(this.limit * CONNECTION_SHARE);
    const ofAddress = this.#waitingBy.get(address) ?? 0;
    if (this.#waiting >= most || ofAddress >= Math.ceil(most * SHARE)) {
      throw new HubError(
        "TOO_MANY_CONNECTIONS",
        "Too many connections have no credential yet; send one with the request",
      );
    }
    this.#waiting++;
    add(this.#waitingBy, address, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#waiting--;
      add(this.#waitingBy, address, -1);
    };
  }

  /**
   * Counts a reader that has been let in as one of a principal, from when it presents its credential until the function
   * returned is called. Throws `TOO_MANY_CONNECTIONS`.
   */
  claim({ id }: Principal): () => void {
    const share = Math.ceil(this.limit * SHARE);
    if ((this.#byPrincipal.get(id) ?? 0) >= share) throw new HubError("TOO_MANY_CONNECTIONS", fullPrincipal(share));
    add(this.#byPrincipal, id, 1);
    let left = false;
    return () => {
      if (!left) add(this.#byPrincipal, id, -1);
      left = true;
    };
  }

  /** Calls of a connection that wait. */
  waitsOn(socket: Socket): number {
    return this.#bySocket.get(socket)?.waits ?? 0;
  }

  /**
   * Lets a reader in; the function returned counts it out. Throws `TOO_MANY_CONNECTIONS`, `OVERLOADED` when too many
   * calls of one client wait, or `SHUTTING_DOWN`.
   */
  enter(door: StreamDoor, by: Socket | Client, caller?: Caller): () => void {
    if (this.#draining) throw new HubError("SHUTTING_DOWN", "The server is stopping; come back in a few seconds");
    if (by instanceof Socket && by.destroyed) throw new HubError("INVALID_REQUEST", "The connection has ended");
    const client = by instanceof Socket ? this.#clientOf(by) : by;
    const address = caller?.address ?? client.address;
    const id = caller === undefined || caller.principal.kind === "anonymous" ? undefined : caller.principal.id;
    const waits = door === "waiting" ? 1 : 0;
    const mostWaits = by instanceof Socket ? this.mostWaits : Math.min(this.mostWaits, MAX_WAITS);
    if (client.waits + waits > mostWaits) {
      if (by instanceof Socket) this.#ignoreRest(by);
      throw new HubError("OVERLOADED", `${mostWaits} calls of this client wait already; wait for one of them`);
    }
    const full = this.#full(address, id, waits > 0);
    if (full !== undefined) {
      this.refused++;
      throw new HubError("TOO_MANY_CONNECTIONS", `${full}; come back later`);
    }
    // What follows on the connection is answered after this call, and the end of a paused connection goes unnoticed.
    if (waits > 0 && by instanceof Socket && by.isPaused()) this.#ignoreRest(by);
    this.#open[door]++;
    this.accepted++;
    add(this.#byAddress, address, 1);
    if (id !== undefined) add(this.#byPrincipal, id, 1);
    client.waits += waits;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#open[door]--;
      client.waits -= waits;
      add(this.#byAddress, address, -1);
      if (id !== undefined) add(this.#byPrincipal, id, -1);
    };
  }

  /** Why one more is refused; undefined if it is not. */
  #full(address: string, id: string | undefined, waits: boolean): string | undefined {
    const share = Math.ceil(this.limit * SHARE);
    if (this.total >= this.limit) return `${this.limit} readers are connected, the limit that MAX_CONNECTIONS sets`;
    if (waits && this.#open.waiting >= share) {
      return `${share} calls wait, the limit: half of what MAX_CONNECTIONS sets`;
    }
    if (id !== undefined && (this.#byPrincipal.get(id) ?? 0) >= share) return fullPrincipal(share);
    const most = this.#perAddress > 0 ? this.#perAddress : isLocal(address) ? this.limit : share;
    if ((this.#byAddress.get(address) ?? 0) < most) return undefined;
    return `${most} readers of this address are connected, the limit that MAX_CONNECTIONS_PER_ADDRESS sets`;
  }

  #clientOf(socket: Socket): Client {
    let client = this.#bySocket.get(socket);
    if (client === undefined) this.#bySocket.set(socket, (client = this.client(counted(socket.remoteAddress ?? ""))));
    return client;
  }
}

function fullPrincipal(share: number): string {
  return `${share} readers of this principal are connected, the limit: half of what MAX_CONNECTIONS sets`;
}

function add(counts: Map<string, number>, key: string, more: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + more;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

/** A peer without an address accepted over a local socket. */
function isLocal(address: string): boolean {
  return address === "" || isLoopback(address);
}

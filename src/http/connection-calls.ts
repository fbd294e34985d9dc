import type { Socket } from "node:net";

/** A call at work on a connection, until it is disposed of. */
export interface ConnectionCall extends Disposable {
  /** Aborted when the connection closes. */
  readonly signal: AbortSignal;
}

const atWork = new WeakMap<Socket, Set<AbortController>>();

/** Begins a call on a connection, which is listened to once, however many calls come down it. */
export function callOn(socket: Socket): ConnectionCall {
  let calls = atWork.get(socket);
  if (calls === undefined) {
    const all = (calls = new Set<AbortController>());
    atWork.set(socket, all);
    socket.once("close", () => {
      for (const call of all) call.abort();
    });
  }
  const call = new AbortController();
  calls.add(call);
  if (socket.closed) call.abort();
  return { signal: call.signal, [Symbol.dispose]: () => calls.delete(call) };
}

import type { Socket } from "node:net";

/** The calls in progress on each connection that have asked for a signal. */
const listening = new WeakMap<Socket, Set<AbortController>>();

/** A call in progress on a connection, until it is disposed of. */
export class ConnectionCall implements Disposable {
  readonly #socket: Socket;
  #end: AbortController | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Aborted when the connection closes. Made when it is asked for: most calls are answered without. */
  get signal(): AbortSignal {
    if (this.#end === undefined) {
      this.#end = new AbortController();
      if (this.#socket.closed) this.#end.abort();
      else listenersOf(this.#socket).add(this.#end);
    }
    return this.#end.signal;
  }

  /** Ends the call as if its connection had closed. */
  abort(): void {
    void this.signal;
    this.#end?.abort();
  }

  [Symbol.dispose](): void {
    if (this.#end !== undefined) listening.get(this.#socket)?.delete(this.#end);
  }
}

/** A connection is listened to once, however many calls come down it. */
function listenersOf(socket: Socket): Set<AbortController> {
  let calls = listening.get(socket);
  if (calls === undefined) {
    const all = (calls = new Set<AbortController>());
    listening.set(socket, all);
    socket.once("close", () => {
      for (const call of all) call.abort();
    });
  }
  return calls;
}

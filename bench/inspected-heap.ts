import { setTimeout as pause } from "node:timers/promises";

const TRIES = 50;

/** The heap of a Node process that was started with `--inspect=127.0.0.1:PORT`. */
export class InspectedHeap implements Disposable {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (result: unknown) => void>();
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown };
      this.#answers.get(id)?.(result);
      this.#answers.delete(id);
    });
  }

  static async open(port: number): Promise<InspectedHeap> {
    const socket = new WebSocket(await debuggerUrl(port));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("The inspector does not answer")));
    });
    return new InspectedHeap(socket);
  }

  /** Bytes of what is still in use, after a collection. */
  async usedBytes(): Promise<number> {
    await this.#ask("HeapProfiler.collectGarbage");
    const { usedSize } = (await this.#ask("Runtime.getHeapUsage")) as { usedSize: number };
    return usedSize;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #ask(method: string): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#asked += 1;
    this.#answers.set(this.#asked, resolve);
    this.#socket.send(JSON.stringify({ id: this.#asked, method }));
    return promise;
  }
}

async function debuggerUrl(port: number): Promise<string> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/json/list`);
      const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[];
      if (target !== undefined) return target.webSocketDebuggerUrl;
    } catch {
      await pause(100);
    }
  }
  throw new Error(`No inspector listens on port ${port}`);
}

import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What a forged server does wrong; readers and messages are counted from 0 in the order they came. */
export interface Faults {
  accept?(reader: number): boolean;
  take?(message: number): boolean;
  pass?(reader: number, message: number): boolean;
  copies?(reader: number, message: number): number;
  /** Whether a damaged copy follows the message. */
  damage?(reader: number, message: number): boolean;
  cut?(reader: number, message: number): boolean;
}

/** A hub on `node:http` that misbehaves as told. */
export class ForgedServer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(faults: Faults = {}): Promise<ForgedServer> {
    const readers: ServerResponse[] = [];
    let messages = 0;
    const publish = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const data: unknown = JSON.parse(await text(request));
      const message = messages;
      messages += 1;
      if (faults.take?.(message) === false) {
        response.writeHead(429).end("slow down");
        return;
      }
      for (const [index, reader] of readers.entries()) {
        const copies = faults.pass?.(index, message) === false ? 0 : (faults.copies?.(index, message) ?? 1);
        for (let copy = 0; copy < copies; copy += 1) reader.write(`id: e-${message}\ndata: ${String(data)}\n\n`);
        if (faults.damage?.(index, message) === true) reader.write(`data: ${String(data).slice(0, -1)}\n\n`);
        if (faults.cut?.(index, message) === true) reader.destroy();
      }
      response.writeHead(201, { "content-type": "application/json" }).end("{}");
    };
    const server = createServer((request, response) => {
      if (request.url?.startsWith("/channels/") === true) {
        void publish(request, response);
      } else if (request.url?.startsWith("/events?") !== true) {
        response.writeHead(404).end();
      } else if (faults.accept?.(readers.length) === false) {
        response
          .writeHead(503, { "content-type": "application/problem+json" })
          .end('{"code":"TOO_MANY_CONNECTIONS","detail":"come back later"}');
      } else {
        readers.push(response);
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write("retry: 2000\n\n");
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new ForgedServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

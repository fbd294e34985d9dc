import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** One request to a scripted hub. */
export interface Asked {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly text: string;
  /** The body; empty if there is none. */
  readonly message: { readonly id?: string | number; readonly method?: string; readonly params?: object };
  readonly response: ServerResponse;
  /** Answers with a result, or whatever else is given in its place. */
  readonly reply: (body: object, headers?: Readonly<Record<string, string>>) => void;
  /** Begins a stream; what is written to `response` from then on is part of it. */
  readonly stream: (text?: string) => void;
}

/** A hub that says what a test wants it to say. */
export class ScriptedHub implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(answer: (asked: Asked, hub: ScriptedHub) => void): Promise<ScriptedHub> {
    const server = createServer((request, response) => void take(request, response));
    const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { method = "", headers } = request;
      const body = await text(request);
      const message = (body === "" ? {} : JSON.parse(body)) as Asked["message"];
      const asked: Asked = {
        method,
        headers,
        text: body,
        message,
        response,
        reply: (fields, more = {}) => {
          const json = JSON.stringify({ jsonrpc: "2.0", id: message.id, ...fields });
          response.writeHead(200, { "content-type": "application/json", ...more }).end(json);
        },
        stream: (first = ":\n\n") => {
          response.writeHead(200, { "content-type": "text/event-stream" }).write(first);
        },
      };
      hub.asked.push(asked);
      answer(asked, hub);
    };
    const hub = new ScriptedHub(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

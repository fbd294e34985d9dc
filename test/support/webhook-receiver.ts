import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { buffer } from "node:stream/consumers";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

/** A delivery as it came. */
export interface Delivery {
  /** Its `webhook-id`. */
  readonly id: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

/** What a receiver answers: a status, or that with headers; it may take its time. */
type Reply = number | { readonly status: number; readonly headers?: Record<string, string> };

/** A server on loopback that takes webhooks. */
export class WebhookReceiver implements AsyncDisposable {
  readonly deliveries: Delivery[] = [];
  answer: (delivery: Delivery, count: number) => Reply | Promise<Reply> = () => 204;
  /** What it answers besides that; nothing by default. */
  body: (delivery: Delivery) => object | undefined = () => undefined;
  readonly #server: Server;
  /** Requests that are being answered, and the most there were. */
  active = 0;
  mostActive = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      this.active++;
      this.mostActive = Math.max(this.mostActive, this.active);
      void this.#take(request, response)
        .catch(() => response.destroy())
        .finally(() => this.active--);
    });
  }

  static async open(port = 0, host = "127.0.0.1"): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(createServer());
    receiver.#server.listen(port, host);
    await once(receiver.#server, "listening");
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await buffer(request)).toString();
    const { headers, url: path = "" } = request;
    const body = JSON.parse(text) as Record<string, unknown>;
    const delivery = { id: String(headers["webhook-id"]), path, headers, text, body };
    this.deliveries.push(delivery);
    const reply = await this.answer(delivery, this.deliveries.length);
    const said = this.body(delivery);
    const content = said === undefined ? undefined : JSON.stringify(said);
    if (typeof reply === "number") response.writeHead(reply).end(content);
    else response.writeHead(reply.status, reply.headers).end(content);
  }

  /** The data of what came, in its order. */
  get data(): unknown[] {
    return this.deliveries.map(({ body }) => body["data"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Whether the library of Standard Webhooks takes the signature. */
export function verifies({ headers, text }: Delivery, secret: string): boolean {
  try {
    new Webhook(secret).verify(text, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

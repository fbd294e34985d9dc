import {
  WebStandardStreamableHTTPServerTransport,
  type JSONRPCMessage,
  type TransportSendOptions,
} from "@modelcontextprotocol/server";
import type { RpcId } from "../wire/jsonrpc.ts";
import { CODES } from "./protocol.ts";

type HttpTransportOptions = ConstructorParameters<typeof WebStandardStreamableHTTPServerTransport>[0];

/** Who is told when a session begins, which is before it answers, and when it ends. */
interface SessionLife {
  begins(id: string): void;
  ends(): void;
}

/** The SDK's transport, which also knows which requests it is answering. */
export class HttpTransport extends WebStandardStreamableHTTPServerTransport {
  /** Ids of requests without a response so far. */
  readonly answering: Set<RpcId> = new Set();
  readonly #life: SessionLife;

  constructor(options: HttpTransportOptions, life: SessionLife) {
    super({ ...options, onsessioninitialized: (id) => life.begins(id) });
    this.#life = life;
  }

  /** Ends the stream of a request that was cancelled: it is never answered, and would be waited for. */
  async retire(id: RpcId): Promise<void> {
    if (id === null || !this.answering.has(id)) return;
    this.closeSSEStream(id);
    // Nobody reads this; it makes the SDK let go of the request.
    await this.send({ jsonrpc: "2.0", id, error: { code: CODES.internal, message: "Cancelled" } });
  }

  override async close(): Promise<void> {
    await super.close();
    this.#life.ends();
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (!("method" in message)) this.answering.delete(message.id ?? null);
    await super.send(message, options);
  }
}

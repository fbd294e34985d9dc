import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";
import type { RpcMessage } from "./legacy-client.ts";
import { until } from "./until.ts";

/** A transport of the SDK without a network: a test says what comes, and sees what goes. */
export class Line implements Transport {
  readonly sent: RpcMessage[] = [];
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  #count = 0;

  async start(): Promise<void> {}

  async send(message: JSONRPCMessage): Promise<void> {
    this.sent.push(message as RpcMessage);
  }

  async close(): Promise<void> {
    this.onclose?.();
  }

  /** Brings a message to the session. */
  say(message: object): void {
    this.onmessage?.({ jsonrpc: "2.0", ...message } as JSONRPCMessage);
  }

  /** Brings a request; resolves with its response. */
  async ask(method: string, params?: object): Promise<RpcMessage> {
    const id = `ask ${++this.#count}`;
    this.say({ id, method, ...(params === undefined ? {} : { params }) });
    return this.response(id);
  }

  /** The response to a request, when it has come. */
  async response(id: string | number): Promise<RpcMessage> {
    const isIt = (message: RpcMessage): boolean => message.id === id && message.method === undefined;
    await until(`a response to ${id}`, () => this.sent.some(isIt));
    return this.sent.find(isIt) as RpcMessage;
  }

  /** What was sent of this method. */
  of(method: string): RpcMessage[] {
    return this.sent.filter((message) => message.method === method);
  }
}

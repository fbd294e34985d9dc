import { ANYONE } from "../../src/core/principal.ts";
import type { SessionConnection } from "../../src/mcp/legacy/session-stream.ts";
import type { LegacySession } from "../../src/mcp/legacy/session.ts";
import type { RpcMessage } from "./legacy-client.ts";
import { until } from "./until.ts";

/** The only connection of a session, without a network: a test says what comes, and sees what goes. */
export class Line implements SessionConnection {
  readonly sent: RpcMessage[] = [];
  /** Called with each message as it goes. */
  onMessage: (message: RpcMessage) => void = () => {};
  readonly #session: LegacySession;
  #count = 0;

  constructor(session: LegacySession) {
    this.#session = session;
    session.own.connection = this;
  }

  write(text: string): void {
    const message = JSON.parse(text) as RpcMessage;
    this.sent.push(message);
    this.onMessage(message);
  }

  prime(): void {}

  end(): void {}

  cut(): void {}

  /** Brings a message to the session. */
  say(message: object): void {
    this.#session.receive([{ jsonrpc: "2.0", ...message }], { principal: ANYONE, stay: () => () => {} });
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

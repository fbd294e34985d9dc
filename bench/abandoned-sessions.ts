import { Agent, request, type ClientRequest, type IncomingMessage } from "node:http";

/** Ways to abandon a session. */
const WAYS = 9;
const ACCEPT = "application/json, text/event-stream";
const INITIALIZE = {
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1.0.0" } },
};

/** Clients of the initialize era that open a session, do something with it, and are gone without a word. */
export class AbandonedSessions implements Disposable {
  opened = 0;
  /** Refused because all sessions there may be were in use. */
  refused = 0;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(port: number) {
    this.#port = port;
  }

  /** Opens so many sessions, at most `together` at once, and resolves when the last is abandoned. */
  async open(count: number, together = 32): Promise<void> {
    let left = count;
    const work = async (): Promise<void> => {
      while (left-- > 0) await this.#abandon(left % WAYS);
    };
    await Promise.all(Array.from({ length: together }, work));
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #abandon(way: number): Promise<void> {
    if (way === 8) return this.#abandonPair();
    const answer = await this.#whole(this.#send({ id: 0, ...INITIALIZE }));
    const session = answer.headers["mcp-session-id"];
    if (typeof session !== "string") {
      this.refused++;
      return;
    }
    this.opened++;
    if (way === 0) return;
    await this.#whole(this.#send({ method: "notifications/initialized" }, session));
    const waiting = {
      id: 2,
      method: "tools/call",
      params: { name: "wait_for_messages", arguments: { channels: ["never"], timeoutSeconds: 2 } },
    };
    const subscribe = { id: 1, method: "resources/subscribe", params: { uri: "hub://channels/churn" } };
    const page = { id: 3, method: "tools/call", params: { name: "read_messages", arguments: { channel: "churn" } } };
    if (way === 1) await this.#whole(this.#end(session));
    else if (way === 2) await this.#half(session);
    else if (way === 3) await this.#begun(this.#send(waiting, session, true));
    else {
      await this.#whole(this.#send(subscribe, session));
      const stream = await this.#begun(this.#listen(session), false);
      if (way >= 5) await this.#whole(this.#send(page, session));
      if (way >= 6) await this.#begun(this.#send(waiting, session, true));
      stream.destroy();
    }
  }

  /** HTTP+SSE of 2024-11-05: breaks the stream when it has said where to post, and something was posted there. */
  async #abandonPair(): Promise<void> {
    const asked = this.#request("GET", undefined, false, "/sse").end();
    const path = await new Promise<string | undefined>((resolve, reject) => {
      asked.on("error", reject).on("response", (answer) => {
        let text = "";
        answer.on("error", () => {}).on("end", () => resolve(undefined));
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          const [, found] = /data: (\S+)\n/.exec((text += chunk)) ?? [];
          if (found !== undefined) resolve(found);
        });
      });
    });
    if (path === undefined) {
      this.refused++;
      return;
    }
    this.opened++;
    const body = JSON.stringify({ jsonrpc: "2.0", id: 0, ...INITIALIZE });
    await this.#whole(this.#request("POST", undefined, this.#agent, path).end(body));
    asked.destroy();
  }

  #head(session: string | undefined): Record<string, string> {
    const head = { accept: ACCEPT, "content-type": "application/json" };
    if (session === undefined) return head;
    return { ...head, "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
  }

  #send(message: object, session?: string, isAlone = false): ClientRequest {
    const agent = isAlone ? false : this.#agent;
    return this.#request("POST", session, agent).end(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  #listen(session: string): ClientRequest {
    return this.#request("GET", session, false).end();
  }

  #end(session: string): ClientRequest {
    return this.#request("DELETE", session, this.#agent).end();
  }

  #request(method: string, session: string | undefined, agent: Agent | false, path = "/mcp"): ClientRequest {
    const headers = this.#head(session);
    return request({ host: "127.0.0.1", port: this.#port, path, method, headers, agent });
  }

  #whole(asked: ClientRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      asked.on("error", reject).on("response", (answer) => answer.on("end", () => resolve(answer)).resume());
    });
  }

  /** Resolves when the head of the answer is there; the connection breaks then, unless it is to stay. */
  #begun(asked: ClientRequest, breaks = true): Promise<ClientRequest> {
    return new Promise((resolve, reject) => {
      asked.on("error", reject).on("response", (answer) => {
        answer.on("error", () => {}).resume();
        if (breaks) asked.destroy();
        resolve(asked);
      });
    });
  }

  /** Breaks in the middle of a body. */
  #half(session: string): Promise<void> {
    const headers = { ...this.#head(session), "content-length": "1000" };
    return new Promise((resolve) => {
      const asked = request({
        host: "127.0.0.1",
        port: this.#port,
        path: "/mcp",
        method: "POST",
        headers,
        agent: false,
      });
      asked.on("error", () => {}).on("close", resolve);
      asked.write('{"jsonrpc":"2.0","id":1,', () => asked.destroy());
    });
  }
}

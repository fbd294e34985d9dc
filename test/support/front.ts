import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** How a front treats a connection, if it does not pass everything on at once. */
export interface Treatment {
  /** Milliseconds before it is passed on at all, so that connections overtake each other. */
  readonly openAfter?: number;
  /** Bytes from the server that go in one piece. */
  readonly piece?: number;
  /** Milliseconds between pieces. */
  readonly every?: number;
  /** Bytes from the server after which it is cut. */
  readonly cutAfter?: number;
  /** Bytes from the server after which nothing comes any more, though it stays open. */
  readonly stallAfter?: number;
}

/** A TCP proxy on a port of its own that does to connections what networks do. */
export class Front implements AsyncDisposable {
  /** The port that connections go to; 0: nothing listens. */
  target: number;
  /** Chooses for each connection by the head of its first request. */
  treat: (head: string) => Treatment = () => ({});
  /** What every request is answered instead of being passed on. */
  answer: ((head: string) => string | undefined) | undefined;
  /** Heads of requests as they came. */
  readonly heads: string[] = [];
  /** Neither side hears of the other, though connections stay open. */
  stalled = false;
  readonly #pairs = new Set<{ readonly client: Socket; readonly server: Socket }>();
  readonly #clients = new Set<Socket>();
  readonly #server: Server;

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async open(target: number): Promise<Front> {
    const front = new Front(target);
    front.#server.listen(0, "127.0.0.1");
    await once(front.#server, "listening");
    return front;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are passed on. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const client of this.#clients) reset(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    this.#clients.add(client);
    client.on("error", () => {});
    client.on("close", () => this.#clients.delete(client));
    client.once("data", (first) => {
      const text = String(first);
      const head = text.slice(0, text.indexOf("\r\n\r\n"));
      this.heads.push(head);
      const answer = this.answer?.(head);
      if (answer !== undefined) {
        client.end(answer);
        return;
      }
      const treatment = this.treat(head);
      client.pause();
      setTimeout(() => this.#pass(client, oneRequest(first as Buffer, text), treatment), treatment.openAfter ?? 0);
    });
  }

  #pass(client: Socket, first: Buffer, treatment: Treatment): void {
    if (this.target === 0 || client.destroyed) {
      reset(client);
      return;
    }
    const server = connect(this.target, "127.0.0.1");
    const pair = { client, server };
    this.#pairs.add(pair);
    server.on("error", () => reset(client));
    client.on("close", () => {
      this.#pairs.delete(pair);
      server.destroy();
    });
    server.write(first);
    client.on("data", (data) => {
      if (!this.stalled) server.write(data);
    });
    client.resume();
    const back = new Back(client, treatment);
    server.on("data", (data) => {
      if (!this.stalled) back.write(data);
    });
    server.on("close", () => back.end());
  }
}

/** Breaks a connection. One that is ending cannot be reset: Node would wait for its end when the process ends. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** The same request as the only one of its connection, so that every request is seen. */
function oneRequest(first: Buffer, text: string): Buffer {
  if (/^upgrade:/im.test(text)) return first;
  return Buffer.from(first.toString("latin1").replace(/^connection:.*$/im, "connection: close"), "latin1");
}

/** The way back to one client. */
class Back {
  readonly #client: Socket;
  readonly #treatment: Treatment;
  #waiting: Buffer = Buffer.alloc(0);
  #ended = false;
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: Socket, treatment: Treatment) {
    this.#client = client;
    this.#treatment = treatment;
    client.on("close", () => clearTimeout(this.#timer));
  }

  write(data: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? data : Buffer.concat([this.#waiting, data]);
    if (this.#timer === undefined) this.#next();
  }

  end(): void {
    this.#ended = true;
    if (this.#timer === undefined) this.#next();
  }

  #next(): void {
    this.#timer = undefined;
    const { piece = Infinity, every = 0, cutAfter = Infinity, stallAfter = Infinity } = this.#treatment;
    const size = Math.min(piece, this.#waiting.length, cutAfter - this.#sent, stallAfter - this.#sent);
    this.#client.write(this.#waiting.subarray(0, size));
    this.#waiting = this.#waiting.subarray(size);
    this.#sent += size;
    if (this.#sent >= cutAfter) reset(this.#client);
    else if (this.#sent >= stallAfter) this.#waiting = Buffer.alloc(0);
    else if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#next(), every);
    else if (this.#ended) this.#client.end();
  }
}

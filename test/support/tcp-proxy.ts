import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** What a proxy does to a connection; without any of it, everything is passed on at once. */
export interface LinkFault {
  /** Bytes of this direction wait where they are, and go on when the fault is over. */
  readonly stall?: "requests" | "replies" | "both";
  /** Milliseconds that every byte is late, in both directions. */
  readonly delay?: number;
  /** Bytes that are written at once, at most. */
  readonly piece?: number;
  /** Bytes of replies that still come; the rest is lost, though the connection stays. */
  readonly repliesBeforeLoss?: number;
  /** The connection is reset, and so is every new one. */
  readonly refuse?: boolean;
}

/** Chooses what happens to each connection, by the port that its client has. */
export type Treat = (clientPort: number) => LinkFault;

/** A TCP proxy on a port of its own, on loopback, that does to connections what bad networks do. */
export class TcpProxy implements AsyncDisposable {
  /** The port that new connections go to. */
  target: number;
  readonly #server: Server;
  readonly #links: Set<Link> = new Set();
  #treat: Treat = () => ({});

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** `port` is its own, for a proxy that must have a certain one. */
  static async open(target: number, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(port, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The ports of the clients that are connected. */
  get clients(): readonly number[] {
    return [...this.#links].map((link) => link.clientPort);
  }

  /** From now on, for the connections that are there and for new ones. Without an argument, all is well again. */
  treat(treat: Treat | LinkFault = {}): void {
    this.#treat = typeof treat === "function" ? treat : () => treat;
    for (const link of this.#links) link.treat(this.#treat(link.clientPort));
  }

  /** Resets connections: all of them, or those of these clients. */
  cut(which: (clientPort: number) => boolean = () => true): void {
    for (const link of this.#links) if (which(link.clientPort)) link.cut();
  }

  /** The server sees connections end and their clients do not: what they send gets lost. */
  halfOpen(which: (clientPort: number) => boolean = () => true): void {
    for (const link of this.#links) if (which(link.clientPort)) link.halfOpen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    const link = new Link(
      client,
      connect({ port: this.target, host: "127.0.0.1", noDelay: true, allowHalfOpen: true }),
    );
    this.#links.add(link);
    client.on("close", () => this.#links.delete(link));
    link.treat(this.#treat(link.clientPort));
  }
}

/** One connection through the proxy. */
class Link {
  readonly clientPort: number;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #requests: Way;
  readonly #replies: Way;
  #isHalfOpen = false;

  constructor(client: Socket, server: Socket) {
    this.clientPort = client.remotePort ?? 0;
    this.#client = client;
    this.#server = server;
    this.#requests = new Way(client, server);
    this.#replies = new Way(server, client);
    client.on("error", () => {});
    server.on("error", () => {});
    client.on("close", () => server.destroy());
    server.on("close", () => {
      if (!this.#isHalfOpen) reset(client);
    });
  }

  treat({ stall, delay = 0, piece = Infinity, repliesBeforeLoss = Infinity, refuse = false }: LinkFault): void {
    if (refuse) this.cut();
    this.#requests.set(stall === "requests" || stall === "both", delay, piece, Infinity);
    this.#replies.set(stall === "replies" || stall === "both", delay, piece, repliesBeforeLoss);
  }

  cut(): void {
    reset(this.#client);
    reset(this.#server);
  }

  halfOpen(): void {
    this.#isHalfOpen = true;
    reset(this.#server);
    this.#requests.set(false, 0, Infinity, 0);
  }
}

/** One direction of a connection. */
class Way {
  readonly #from: Socket;
  readonly #to: Socket;
  #isStalled = false;
  #delay = 0;
  #piece = Infinity;
  /** Bytes that are still passed on. */
  #left = Infinity;
  /** What is late, in its order: written when its time has come. */
  readonly #late: { readonly due: number; readonly data: Buffer | undefined }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (data: Buffer) => this.#take(data));
    from.on("end", () => this.#take(undefined));
    from.on("close", () => clearTimeout(this.#timer));
    to.on("drain", () => this.#flow());
  }

  set(isStalled: boolean, delay: number, piece: number, left: number): void {
    this.#isStalled = isStalled;
    this.#delay = delay;
    this.#piece = piece;
    this.#left = left;
    this.#flow();
  }

  #take(data: Buffer | undefined): void {
    const isFirst = this.#late.length === 0;
    if (this.#delay === 0 && isFirst) this.#write(data);
    else {
      this.#late.push({ due: performance.now() + this.#delay, data });
      if (isFirst) this.#wait();
    }
  }

  #wait(): void {
    const [first] = this.#late;
    if (first === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#late.shift();
        this.#write(first.data);
        this.#wait();
      },
      Math.max(0, first.due - performance.now()),
    );
  }

  #write(data: Buffer | undefined): void {
    if (data === undefined) {
      this.#to.end();
      return;
    }
    const kept = data.subarray(0, Math.min(this.#left, data.length));
    this.#left -= kept.length;
    for (let start = 0; start < kept.length; start += this.#piece) {
      this.#to.write(kept.subarray(start, Math.min(kept.length, start + this.#piece)));
    }
    this.#flow();
  }

  /** Reads on unless a fault or the other side's pace forbids it. */
  #flow(): void {
    if (this.#isStalled || this.#to.writableNeedDrain) this.#from.pause();
    else this.#from.resume();
  }
}

/** Breaks a connection. One that is ending cannot be reset. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

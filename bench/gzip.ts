import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { constants, createGunzip } from "node:zlib";
import { Caller } from "./load/caller.ts";
import { requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";
import { median, medianRatio } from "./median.ts";
import { ServerProcess } from "./server-process.ts";
import { table } from "./table.ts";
import { GZIP_EACH, OURS, type ServerKind } from "./targets.ts";

const READERS = 1000;
/** Messages that are published at once. */
const TURNS = [1, 16, 64];
const TIMEOUT = 20_000;
/** Milliseconds in which nothing comes if there is nothing more to come. */
const QUIET = 150;
/** Readers that are decoded, so that their messages are counted. */
const DECODED = 10;

interface Way {
  readonly title: string;
  readonly server: ServerKind;
  readonly isGzip: boolean;
}

const WAYS: readonly Way[] = [
  { title: "not compressed", server: ourServer("plain", false), isGzip: false },
  { title: "a block for all", server: ourServer("compressing", true), isGzip: true },
  { title: "a compressor for each", server: GZIP_EACH, isGzip: true },
];

/** What one way of sending cost, in one round. */
interface Cell {
  /** Microseconds of the server's CPU for a message and reader. */
  readonly cpu: number;
  readonly bytes: number;
  /** Bytes of the server's memory for each reader, after the load. */
  readonly memory: number;
}

/** Cells by way and by turn. */
export type GzipFigures = ReadonlyMap<string, readonly Cell[]>;

/** Measures streams that are not compressed, that share what is compressed, and that have a compressor each. */
export async function measureGzip(rounds: number, say: (line: string) => void): Promise<GzipFigures> {
  const figures = new Map<string, Cell[]>();
  for (let round = 0; round < rounds; round++) {
    for (const turn of TURNS) {
      for (let n = 0; n < WAYS.length; n++) {
        const way = WAYS[(n + round) % WAYS.length] as Way;
        const cell = await measure(way, turn);
        const key = keyOf(way, turn);
        figures.set(key, [...(figures.get(key) ?? []), cell]);
        say(`${turn} at once, ${way.title}: ${cell.cpu.toFixed(2)} µs, ${cell.bytes.toFixed(0)} bytes a delivery`);
      }
    }
  }
  return figures;
}

export function gzipText(figures: GzipFigures): string {
  const rows = TURNS.flatMap((turn) =>
    WAYS.map((way) => {
      const of = (which: Way, figure: keyof Cell): readonly number[] =>
        (figures.get(keyOf(which, turn)) ?? []).map((cell) => cell[figure]);
      const plain = WAYS[0] as Way;
      const ratio = (figure: keyof Cell): string => medianRatio(of(way, figure), of(plain, figure)).toFixed(2);
      return [
        String(turn),
        way.title,
        median(of(way, "cpu")).toFixed(2),
        ratio("cpu"),
        median(of(way, "bytes")).toFixed(0),
        ratio("bytes"),
        (median(of(way, "memory")) / 1000).toFixed(0),
      ];
    }),
  );
  const head = ["messages at once", "streams", "CPU µs/delivery", "× not compressed"];
  return table(2, [...head, "bytes/delivery", "× not compressed", "KB/reader"], rows);
}

async function measure({ server: kind, isGzip }: Way, turn: number): Promise<Cell> {
  await using server = await ServerProcess.start(kind);
  const address = { secure: false, host: "127.0.0.1", name: "127.0.0.1", port: server.port };
  const idle = server.residentBytes();
  using readers = new Readers(address, isGzip);
  await readers.open();
  using batches = new Batches(address, turn);
  await batches.open();
  const run = async (milliseconds: number): Promise<number> => {
    let published = 0;
    for (const end = performance.now() + milliseconds; performance.now() < end; published += turn) {
      await batches.publish();
      await readers.have(turn);
    }
    return published;
  };
  await run(700);
  await readers.begin();
  const seconds = server.cpuSeconds();
  const published = await run(1500);
  await readers.settle();
  return {
    cpu: ((server.cpuSeconds() - seconds) / (published * READERS)) * 1e6,
    bytes: readers.bytes / (published * READERS),
    memory: (server.residentBytes() - idle) / READERS,
  };
}

/** Readers of one channel, the first of which have to get every message. */
class Readers {
  readonly #address: Address;
  readonly #isGzip: boolean;
  readonly #sockets: Socket[] = [];
  /** Bytes that each got. */
  readonly #received: number[] = [];
  /** Messages that those which are decoded have got. */
  readonly #messages: number[] = Array.from({ length: DECODED }, () => 0);
  #published = 0;
  #resolve: (() => void) | undefined;

  constructor(address: Address, isGzip: boolean) {
    this.#address = address;
    this.#isGzip = isGzip;
  }

  get bytes(): number {
    return this.#received.reduce((sum, length) => sum + length, 0);
  }

  async open(): Promise<void> {
    const fields = this.#isGzip ? ["Accept-Encoding: gzip"] : [];
    const head = requestHead("GET", "/events?channel=bench&format=json", this.#address, fields);
    for (let n = 0; n < READERS; n++) {
      const { host, port } = this.#address;
      const socket = connect({ host, port, noDelay: true });
      this.#sockets.push(socket);
      await once(socket, "connect");
      socket.write(head);
      const [first] = (await once(socket, "data")) as [Buffer];
      this.#received.push(first.length);
      const body = first.subarray(first.indexOf("\r\n\r\n") + 4);
      const take = n < DECODED ? this.#reader(n) : () => {};
      take(body);
      socket.on("data", (bytes: Buffer) => {
        this.#received[n] = (this.#received[n] ?? 0) + bytes.length;
        take(bytes);
      });
    }
  }

  /** Resolves when those that are decoded have that many messages more. */
  async have(count: number): Promise<void> {
    this.#published += count;
    if (this.#hasAll()) return;
    const late = AbortSignal.timeout(TIMEOUT);
    await new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      const fail = (): void =>
        reject(new Error(`readers got ${this.#messages.join(", ")} of ${this.#published} messages`));
      late.addEventListener("abort", fail, { once: true });
    });
  }

  /** Resolves when nothing comes any more. */
  async settle(): Promise<void> {
    for (let before = -1; before !== this.bytes;) {
      before = this.bytes;
      await pause(QUIET);
    }
  }

  /** Settles, and begins to count again. */
  async begin(): Promise<void> {
    await this.settle();
    this.#received.fill(0);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #hasAll(): boolean {
    return this.#messages.every((count) => count >= this.#published);
  }

  /** Counts messages in chunks that come as they come. */
  #reader(n: number): (bytes: Buffer) => void {
    let rest = "";
    const count = (text: string): void => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#messages[n] = (this.#messages[n] ?? 0) + lines.filter((line) => line.startsWith("data: ")).length;
      if (this.#hasAll()) this.#resolve?.();
    };
    if (!this.#isGzip) return (bytes) => count(bytes.toString("latin1"));
    const gunzip = createGunzip({ flush: constants.Z_SYNC_FLUSH });
    gunzip.on("data", (bytes: Buffer) => count(bytes.toString("latin1")));
    let waiting: Buffer = Buffer.alloc(0);
    return (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      for (;;) {
        const head = waiting.indexOf("\r\n");
        const end = head + 2 + Number.parseInt(waiting.toString("latin1", 0, Math.max(head, 0)), 16);
        if (head === -1 || waiting.length < end + 2) return;
        gunzip.write(waiting.subarray(head + 2, end));
        waiting = waiting.subarray(end + 2);
      }
    };
  }
}

/** Publishers that publish at the same time, and wait for one another. */
class Batches {
  readonly #callers: Caller[];
  readonly #address: Address;
  #open = 0;
  #number = 0;
  #isClosed = false;
  #done: (() => void) | undefined;

  constructor(address: Address, size: number) {
    this.#address = address;
    const answered = (): void => {
      if (--this.#open === 0) this.#done?.();
    };
    const broken = (reason: string): void => {
      if (!this.#isClosed) throw new Error(reason);
    };
    this.#callers = Array.from({ length: size }, () => new Caller(address, { answered, broken }));
  }

  async open(): Promise<void> {
    for (const caller of this.#callers) await caller.open();
  }

  async publish(): Promise<void> {
    this.#open = this.#callers.length;
    const done = new Promise<void>((resolve) => (this.#done = resolve));
    for (const caller of this.#callers) {
      const n = ++this.#number;
      const order = {
        order: (n * 7919) % 100_000,
        customer: `c-${(n * 104_729) % 9973}`,
        total: (n % 997) / 10,
        state: "paid",
      };
      const body = JSON.stringify(order);
      const fields = ["Content-Type: application/json", `Content-Length: ${body.length}`];
      caller.send(Buffer.from(requestHead("POST", "/channels/bench/messages", this.#address, fields) + body));
    }
    await done;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const caller of this.#callers) caller.close();
  }
}

/** With so few heartbeats that each reader gets one at most. */
function ourServer(name: string, isGzip: boolean): ServerKind {
  const flags = ["--heartbeat", "300", "--compress-streams", String(isGzip)];
  return { ...OURS, name, command: (directory, port) => [...OURS.command(directory, port), ...flags] };
}

function keyOf({ title }: Way, turn: number): string {
  return `${title} ${turn}`;
}

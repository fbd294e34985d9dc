import { copyFileSync } from "node:fs";
import type { ServerOptions } from "../../src/server.ts";
import { Front } from "./front.ts";
import { startServer, type TestServer } from "./server.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

/** What a test of the client does to a hub, from wherever it runs: everything is plain data. */
export interface HubControl {
  /** Publishes past the front; resolves with the id. */
  publish(channel: string, data: unknown): Promise<string>;
  /** Publishes that many numbers, from 0 or what is given on. */
  publishMany(channel: string, count: number, from?: number): Promise<void>;
  stop(): Promise<void>;
  /** Starts it anew, with its log or with an empty one. */
  start(fresh?: boolean): Promise<void>;
  /** Copies its log; it is stopped. */
  backUp(): Promise<void>;
  /** Puts the copy back in the place of its log; it is stopped. */
  restore(): Promise<void>;
  /** Breaks every connection. */
  cut(): Promise<void>;
  stall(on: boolean): Promise<void>;
  /** What requests whose head matches get instead; without a status, the hub's answer again. */
  answer(match: string, status?: number, headers?: Readonly<Record<string, string>>, body?: string): Promise<void>;
  /** Passes a request whose head matches on, once, and cuts its connection before the answer comes. */
  loseAnswer(match: string): Promise<void>;
  /** Readers the hub has. */
  readers(): Promise<number>;
  /** Waits until it has that many. */
  untilReaders(count: number): Promise<void>;
  /** Heads of the requests so far. */
  heads(): Promise<readonly string[]>;
}

/** A hub that clients reach through a front, and everything that a test does to it. */
export class HubRig implements AsyncDisposable {
  readonly front: Front;
  readonly control: HubControl;
  server: TestServer;
  readonly #folder: TemporaryFolder;

  private constructor(folder: TemporaryFolder, server: TestServer, front: Front, config: ServerOptions) {
    this.#folder = folder;
    this.server = server;
    this.front = front;
    let logs = 0;
    this.control = {
      publish: async (channel, data) => (await this.server.publish(channel, data)).id,
      publishMany: async (channel, count, from = 0) => {
        for (let n = from; n < from + count; n++) await this.server.publish(channel, n);
      },
      stop: async () => {
        front.target = 0;
        await this.server.close();
      },
      start: async (fresh = false) => {
        if (fresh) logs++;
        this.server = await startServer({ ...config, data: dataOf(folder, logs) });
        front.target = this.server.port;
      },
      backUp: async () => copyFileSync(folder.file(`${logs}.db`), folder.file("copy.db")),
      restore: async () => copyFileSync(folder.file("copy.db"), folder.file(`${logs}.db`)),
      cut: async () => front.cut(),
      stall: async (on) => {
        front.stalled = on;
      },
      answer: async (match, status, headers = {}, body = "") => {
        if (status === undefined) front.answer = undefined;
        else front.answer = (head) => (head.includes(match) ? response(head, status, headers, body) : undefined);
      },
      loseAnswer: async (match) => {
        const { treat } = front;
        front.treat = (head) => {
          if (!head.includes(match) || head.startsWith("OPTIONS")) return treat(head);
          front.treat = treat;
          return { cutAfter: 1 };
        };
      },
      readers: async () => this.server.hub.size,
      untilReaders: (count) => until(`${count} readers`, () => this.server.hub.size === count),
      heads: async () => [...front.heads],
    };
  }

  static async open(config: ServerOptions = {}): Promise<HubRig> {
    const folder = new TemporaryFolder();
    const server = await startServer({ ...config, data: dataOf(folder, 0) });
    return new HubRig(folder, server, await Front.open(server.port), config);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.front[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

function dataOf(folder: TemporaryFolder, log: number): string {
  return `file:${folder.file(`${log}.db`)}`;
}

/** A whole response that pages of other origins may read; what they ask beforehand is allowed. */
function response(head: string, status: number, headers: Readonly<Record<string, string>>, body: string): string {
  const all = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "*",
    "access-control-expose-headers": "*",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${head.startsWith("OPTIONS") ? 204 : status} Told\r\n${lines.join("")}\r\n${head.startsWith("OPTIONS") ? "" : body}`;
}

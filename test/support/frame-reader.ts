import type { IncomingHttpHeaders } from "node:http";
import type { SecureContextOptions } from "node:tls";
import { WebSocket } from "ws";
import { Queue } from "./queue.ts";

/** A frame of the server as it was read. */
export type Frame = Readonly<Record<string, unknown>> & { readonly type: string };

export interface FrameReaderOptions {
  readonly headers?: Record<string, string>;
  readonly tls?: SecureContextOptions;
}

/** A client of `/ws`. */
export class FrameReader {
  readonly ws: WebSocket;
  /** Of the answer to the upgrade. */
  headers: IncomingHttpHeaders = {};
  /** Resolves with the close code and reason. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #frames: Queue<Frame> = new Queue("a frame");

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("upgrade", ({ headers }) => (this.headers = headers));
    ws.on("message", (data) => this.#frames.put(JSON.parse((data as Buffer).toString()) as Frame));
    this.closed = new Promise((resolve) => {
      ws.on("close", (code, reason) => {
        this.#frames.end();
        resolve({ code, reason: String(reason) });
      });
    });
  }

  /** Resolves when the connection is open; rejects with `RefusedUpgrade` if the server answers with a response. */
  static open(url: string, { headers = {}, tls }: FrameReaderOptions = {}): Promise<FrameReader> {
    const ws = new WebSocket(url, { ...tls, headers, perMessageDeflate: false });
    const reader = new FrameReader(ws);
    return new Promise((resolve, reject) => {
      ws.on("open", () => resolve(reader));
      ws.on("error", reject);
      ws.on("unexpected-response", (_, response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("close", () => reject(new RefusedUpgrade(response.statusCode ?? 0, response.headers, text)));
      });
    });
  }

  /** The next frame; rejects when none comes before a deadline, or the connection ends. */
  next(): Promise<Frame> {
    return this.#frames.next();
  }

  /** The next frame of a type, whatever comes before it. */
  async nextOf(type: string): Promise<Frame> {
    for (;;) {
      const frame = await this.next();
      if (frame.type === type) return frame;
    }
  }

  get waiting(): readonly Frame[] {
    return this.#frames.waiting;
  }

  send(frame: unknown): void {
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Sends a frame; resolves with the next that comes back. */
  ask(frame: unknown): Promise<Frame> {
    this.send(frame);
    return this.next();
  }

  [Symbol.dispose](): void {
    this.ws.terminate();
  }
}

/** What the server answered instead of switching to WebSocket. */
export class RefusedUpgrade extends Error {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;

  constructor(status: number, headers: NodeJS.Dict<string | string[]>, text: string) {
    super(`refused with ${status}: ${text}`);
    this.status = status;
    this.headers = headers;
    this.text = text;
  }
}

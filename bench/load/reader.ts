import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { AnswerParser } from "./answer-parser.ts";
import { micros } from "./clock.ts";
import { connect, failure, requestHead } from "./connect.ts";
import { Dechunker } from "./dechunker.ts";
import { addressOf, type Plan } from "./plan.ts";
import type { Track, Verifier } from "./verifier.ts";

const CONNECT_WAIT = 15_000;
const LARGEST_HEAD = 65_536;

/** One reader: a connection whose stream goes to the verifier. */
export class Reader {
  readonly track: Track;
  connected = false;
  /** Why it did not connect, or why its connection ended. */
  trouble: string | undefined;
  /** When the last bytes came. */
  arrived = 0;
  readonly #plan: Plan;
  readonly #index: number;
  readonly #verifier: Verifier;
  readonly #settled = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #head: Buffer | undefined = Buffer.alloc(0);
  #dechunker: Dechunker | undefined;

  constructor(plan: Plan, index: number, verifier: Verifier) {
    this.#plan = plan;
    this.#index = index;
    this.#verifier = verifier;
    this.track = verifier.open((bytes) => this.#socket?.write(bytes));
  }

  /** Resolves when the reader is subscribed, or has failed. */
  open(): Promise<void> {
    const { target } = this.#plan;
    const address = addressOf(this.#plan, "read", this.#index);
    const socket = connect(address, (bytes, length) => this.#guard(() => this.#read(bytes, length)));
    const timer = setTimeout(() => this.#end(`not connected after ${CONNECT_WAIT / 1e3} s`), CONNECT_WAIT);
    void this.#settled.promise.then(() => clearTimeout(timer));
    socket.on("error", (error) => this.#end(failure(error)));
    socket.on("close", () => this.#end("the server closed the connection"));
    socket.write(requestHead("GET", target.subscribe, address, this.#fields()));
    this.#socket = socket;
    return this.#settled.promise;
  }

  close(): void {
    this.#end("closed");
  }

  #fields(): readonly string[] {
    if (this.#plan.target.format === "sse") return ["Accept: text/event-stream, application/problem+json"];
    const key = randomBytes(16).toString("base64");
    return ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`];
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  #read(bytes: Buffer, length: number): void {
    this.arrived = micros();
    if (this.#head === undefined) this.#stream(bytes, 0, length);
    else this.#readHead(Buffer.concat([this.#head, bytes.subarray(0, length)]));
    if (this.#head === undefined && !this.connected && this.track.ready) {
      this.connected = true;
      this.#settled.resolve();
    }
  }

  #stream(bytes: Buffer, from: number, to: number): void {
    if (this.#dechunker === undefined) this.#verifier.feed(this.track, bytes, from, to, this.arrived);
    else this.#dechunker.feed(bytes, from, to, this.#feed);
  }

  readonly #feed = (bytes: Buffer, from: number, to: number): void => {
    this.#verifier.feed(this.track, bytes, from, to, this.arrived);
  };

  #readHead(bytes: Buffer): void {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) {
      if (bytes.length > LARGEST_HEAD) throw new Error("the answer's head is longer than 64 KiB");
      this.#head = bytes;
      return;
    }
    const head = bytes.toString("latin1", 0, end);
    const sse = this.#plan.target.format === "sse";
    if (head.slice(9, 12) !== (sse ? "200" : "101")) {
      const refusal = new AnswerParser();
      refusal.feed(bytes, bytes.length);
      throw new Error(`answered ${refusal.status}: ${refusal.text}`);
    }
    if (sse && !/\r\ncontent-type:[ \t]*text\/event-stream/i.test(head)) throw new Error("not an event stream");
    if (/\r\ntransfer-encoding:[ \t]*chunked/i.test(head)) this.#dechunker = new Dechunker();
    this.#head = undefined;
    this.track.ready = sse;
    this.#stream(bytes, end + 4, bytes.length);
  }

  #end(reason: string): void {
    if (this.trouble !== undefined) return;
    this.trouble = reason;
    this.#verifier.close(this.track);
    this.#socket?.destroy();
    this.#settled.resolve();
  }
}

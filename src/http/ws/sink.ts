import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Format } from "../../core/message.ts";
import type { Signal } from "../../protocol/signal.ts";
import type { CloseReason, Sink } from "../../core/sink.ts";
import { CLOSE_CODES, messageFrame, signalFrame } from "../../protocol/ws-frames.ts";
import { socketDrained } from "../sse/sink.ts";

const MAX_UNANSWERED = 2;

/** Messages as whole text frames, the same bytes for every reader: servers send frames unmasked (RFC 6455 section 5.1). */
const FRAMES: Format = {
  encode: (message, id) => textFrame(messageFrame(message, id)),
  join: (parts) => Buffer.concat(parts),
};

/** One WebSocket reader. Frames go to its socket as they are, between those that `ws` writes whole. */
export class WsSink implements Sink {
  readonly format: Format = FRAMES;
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  #pingsUnanswered = 0;

  constructor(ws: WebSocket, socket: Socket) {
    this.#ws = ws;
    this.#socket = socket;
    ws.on("pong", () => (this.#pingsUnanswered = 0));
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    return this.#ws.readyState !== this.#ws.OPEN || this.#socket.write(bytes);
  }

  signal(signal: Signal): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (signal.kind === "beat") this.#ping();
    this.#ws.send(signalFrame(signal));
  }

  drained(): Promise<void> {
    return socketDrained(this.#socket);
  }

  close(reason: CloseReason): void {
    // A slow reader would not reach a close frame after all it has not read.
    if (reason === "slow") this.#ws.terminate();
    else this.#ws.close(CLOSE_CODES[reason], reason);
  }

  #ping(): void {
    // While its frames are not read, its pongs are not either.
    if (this.#ws.isPaused) return;
    if (this.#pingsUnanswered >= MAX_UNANSWERED) this.#ws.terminate();
    else this.#ws.ping();
    this.#pingsUnanswered++;
  }
}

/** A final text frame with its header (RFC 6455 section 5.2). */
function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = 0x81;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head);
  return frame;
}

import { connect, type Socket } from "node:net";
import { until } from "./until.ts";

/** A response read from a bare connection. */
export interface WireResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A bare TCP connection, for what no HTTP client would send. */
export class Wire {
  readonly socket: Socket;
  /** What came and was not read as a response. */
  text = "";
  ended = false;
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (chunk) => (this.text += String(chunk)));
    socket.on("end", () => (this.ended = true));
    socket.on("close", () => (this.closed = true));
    // A server may reset a connection that misbehaves.
    socket.on("error", () => {});
  }

  static open(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      socket.once("connect", () => resolve(new Wire(socket)));
      socket.once("error", reject);
    });
  }

  /** Sends lines with CRLF between them, a blank line, and the body. */
  send(lines: readonly string[], body = ""): void {
    this.socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  }

  /** Reads one response with a length, and leaves what follows it. */
  async response(): Promise<WireResponse> {
    await until("a whole response", () => this.#whole() !== undefined || this.closed);
    const end = this.#whole();
    if (end === undefined) throw new Error(`closed with: ${this.text}`);
    const { status, headers } = headOf(this.text);
    const body = this.text.slice(this.text.indexOf("\r\n\r\n") + 4, end);
    this.text = this.text.slice(end);
    return { status, headers, body };
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  /** Where the first response ends; undefined where it is not all there. */
  #whole(): number | undefined {
    const head = this.text.indexOf("\r\n\r\n");
    if (head === -1) return undefined;
    const { headers, status } = headOf(this.text);
    const length = status < 200 || status === 204 ? 0 : Number(headers["content-length"] ?? 0);
    const end = head + 4 + length;
    return this.text.length >= end ? end : undefined;
  }
}

function headOf(text: string): { readonly status: number; readonly headers: Record<string, string> } {
  const [first = "", ...lines] = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(":")).toLowerCase(),
    line.slice(line.indexOf(":") + 1).trim(),
  ]);
  return { status: Number(first.split(" ")[1]), headers: Object.fromEntries(headers) as Record<string, string> };
}

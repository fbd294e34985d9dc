const CR = 0x0d;
const LF = 0x0a;
const TEXT = 0x81;
const PING = 0x89;
const PONG = 0x8a;

/** How a stream falls into units, each of which carries one message or none. */
export interface Format {
  /** Where the unit that starts at `from` ends, or -1 while it is not all there. */
  end(bytes: Buffer, from: number, to: number): number;
  /** Whether this unit tells the reader that it is subscribed. */
  welcome(bytes: Buffer, from: number, to: number): boolean;
  /** What a reader has to answer to this unit. */
  answer(bytes: Buffer, from: number, to: number): Buffer | undefined;
}

/** The ways a reader can listen: `engine.io` is Socket.IO's protocol over a WebSocket. */
export type FormatName = "sse" | "ws" | "engine.io";

const sse: Format = {
  end(bytes, from, to) {
    let line = from;
    for (let at = from; at < to; at += 1) {
      const byte = bytes[at];
      if (byte !== LF && byte !== CR) continue;
      // Whether a CR is a line end of its own is known with the byte after it.
      if (byte === CR && at + 1 === to) return -1;
      const next = byte === CR && bytes[at + 1] === LF ? at + 2 : at + 1;
      if (at === line) return next;
      line = next;
      at = next - 1;
    }
    return -1;
  },
  welcome: () => true,
  answer: () => undefined,
};

const webSocket: Format = {
  end: frameEnd,
  welcome: (bytes, from, to) => bytes[from] === TEXT && bytes.toString("latin1", from, to).includes('"type":"welcome"'),
  answer: pong,
};

const engineIo: Format = {
  end: frameEnd,
  welcome: (bytes, from, to) => frameText(bytes, from, to).startsWith("40"),
  answer(bytes, from, to) {
    const text = bytes[from] === TEXT ? frameText(bytes, from, Math.min(to, from + 12)) : "";
    if (text.startsWith("0")) return clientFrame(TEXT, Buffer.from("40"));
    return text === "2" ? clientFrame(TEXT, Buffer.from("3")) : pong(bytes, from, to);
  },
};

/** Every format by its name. */
export const formats: Readonly<Record<FormatName, Format>> = { sse, ws: webSocket, "engine.io": engineIo };

function frameEnd(bytes: Buffer, from: number, to: number): number {
  if (to - from < 2) return -1;
  const head = headerLength(bytes[from + 1] ?? 0);
  if (to - from < head) return -1;
  const end = from + head + payloadLength(bytes, from);
  return end <= to ? end : -1;
}

function headerLength(length: number): number {
  return (length & 0x7f) < 126 ? 2 : (length & 0x7f) === 126 ? 4 : 10;
}

function payloadLength(bytes: Buffer, from: number): number {
  const length = (bytes[from + 1] ?? 0) & 0x7f;
  if (length < 126) return length;
  return length === 126 ? bytes.readUInt16BE(from + 2) : Number(bytes.readBigUInt64BE(from + 2));
}

function frameText(bytes: Buffer, from: number, to: number): string {
  return bytes.toString("latin1", from + headerLength(bytes[from + 1] ?? 0), to);
}

function pong(bytes: Buffer, from: number, to: number): Buffer | undefined {
  return bytes[from] === PING ? clientFrame(PONG, bytes.subarray(from + 2, to)) : undefined;
}

// A client must mask; a mask of four zeros leaves the payload as it is.
function clientFrame(kind: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([kind, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

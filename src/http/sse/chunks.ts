const LF = 10;
const CRLF = Buffer.from("\r\n");

/** What a chunked body ends with. */
export const LAST_CHUNK = "0\r\n\r\n";

/** Text, which must not be empty, as one chunk (RFC 9112 section 7.1). */
export function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** Several chunks as one that holds the same. */
export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const bodies = chunks.map((bytes) => bytes.subarray(bytes.indexOf(LF) + 1, bytes.length - CRLF.length));
  const length = bodies.reduce((sum, body) => sum + body.length, 0);
  return Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), ...bodies, CRLF]);
}

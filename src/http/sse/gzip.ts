import { constants, deflateRawSync } from "node:zlib";

/** What a gzip stream begins with (RFC 1952 section 2.3): deflate, no name, no time, an unknown system. */
export const GZIP_HEADER: Uint8Array = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);

/** Bytes below which compression saves nothing worth its time. */
const MIN_DEFLATED = 128;
/** Bytes that one stored block may hold (RFC 1951 section 3.2.4). */
const MAX_STORED = 65_535;
const STORED_HEADER = 5;
/** The fastest level: a third of the time of the default one, for JSON a few percent longer. */
const DEFLATE = { level: 1, finishFlush: constants.Z_SYNC_FLUSH };

/**
 * Bytes as deflate blocks that refer to nothing before them and end on a byte boundary. So they are valid after any
 * blocks that end on one, in any stream, and a decoder has all of them as soon as they have arrived.
 */
export function deflateBlock(bytes: Uint8Array): Uint8Array {
  return bytes.length < MIN_DEFLATED ? storedBlock(bytes) : deflateRawSync(bytes, DEFLATE);
}

/** The same without compression, for what is written for one reader alone. */
export function storedBlock(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_STORED) {
    return Buffer.concat([storedBlock(bytes.subarray(0, MAX_STORED)), storedBlock(bytes.subarray(MAX_STORED))]);
  }
  const stored = Buffer.allocUnsafe(STORED_HEADER + bytes.length);
  // Not the last one, and stored; then the length, and its complement.
  stored[0] = 0;
  stored.writeUInt16LE(bytes.length, 1);
  stored.writeUInt16LE(bytes.length ^ 0xffff, 3);
  stored.set(bytes, STORED_HEADER);
  return stored;
}

/** Whether an Accept-Encoding prefers gzip to no coding (RFC 9110 section 12.5.3). */
export function prefersGzip(accepted: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const item of (accepted ?? "").toLowerCase().split(",")) {
    const [coding = "", ...parameters] = item.split(";").map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    weights.set(coding, weight === undefined ? 1 : Number(weight) || 0);
  }
  const gzip = weights.get("gzip") ?? weights.get("x-gzip") ?? weights.get("*") ?? 0;
  // Not named, no coding is acceptable and has no weight of its own.
  return gzip > 0 && gzip >= (weights.get("identity") ?? 0);
}

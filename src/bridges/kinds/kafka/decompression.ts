import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { KafkaDriver } from "./driver.ts";

/** Bytes of a batch of messages at most once it is decompressed; brokers take 1 MiB of a compressed one by default. */
const MAX_BATCH_BYTES = 128 * 1024 * 1024;

/**
 * Bounds what the driver decompresses: a few kilobytes of gzip or Zstandard may hold gigabytes. The formats of the other
 * algorithms bound it themselves, LZ4 to 255 times what was sent.
 */
export function boundDecompression({ compressionsAlgorithms: algorithms }: KafkaDriver): void {
  Object.assign(algorithms.gzip, { decompressSync: bounded(gunzipSync) });
  Object.assign(algorithms.zstd, { decompressSync: bounded(zstdDecompressSync) });
}

type Decompress = (data: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer;
/** What the driver has read, as one buffer or in parts that it joins. */
type Data = Buffer | { readonly buffer: Buffer };

function bounded(decompress: Decompress): (data: Data) => Buffer {
  return (data) => decompressed(decompress, Buffer.isBuffer(data) ? data : data.buffer);
}

function decompressed(decompress: Decompress, data: Buffer): Buffer {
  try {
    return decompress(data, { maxOutputLength: MAX_BATCH_BYTES });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") throw cause;
    const most = MAX_BATCH_BYTES / 1024 / 1024;
    throw new Error(`a batch of messages has more than ${most} MiB decompressed; move the group past it`, { cause });
  }
}

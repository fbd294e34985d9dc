import type { Format, Message } from "../../core/message.ts";
import { sseJson, sseText } from "../../protocol/sse.ts";
import { deflateBlock } from "./gzip.ts";
import { chunkBytes, chunkText, mergeChunks, type EventStream } from "./raw-socket.ts";

/** What `?format=` may ask for. */
type Name = "text" | "json";
type Write = (message: Message, id: string | undefined) => string;

/** One object for each way that a message looks on streams: their readers share the bytes. */
const FORMATS = { text: formsOf(sseText), json: formsOf(sseJson) };

/** How messages look on a stream. */
export function formatOf(name: Name, { isChunked, isGzip }: Pick<EventStream, "isChunked" | "isGzip">): Format {
  const forms = FORMATS[name];
  return (isGzip ? forms.gzip : forms.identity)[isChunked ? "chunked" : "plain"];
}

function formsOf(write: Write): Record<"identity" | "gzip", Record<"chunked" | "plain", Format>> {
  const join = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
  const plain: Format = { encode: (message, id) => Buffer.from(write(message, id)), join };
  return {
    identity: {
      chunked: { encode: (message, id) => Buffer.from(chunkText(write(message, id))), join: mergeChunks },
      plain,
    },
    gzip: {
      chunked: { ...plain, compress: (bytes) => chunkBytes([deflateBlock(bytes)]) },
      plain: { ...plain, compress: deflateBlock },
    },
  };
}

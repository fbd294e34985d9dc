import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Backlog, Holder } from "../../core/backlog.ts";
import type { Answer } from "../../mcp/index.ts";
import { escapeLineBreaks } from "../../protocol/text.ts";
import type { HttpContext } from "../context.ts";
import { RETRY_AFTER } from "../problem-details.ts";
import { dropBody } from "../sse/raw-socket.ts";
import { WriteGuard } from "../write-guard.ts";

/** A request as the official SDK takes it; its body was read already. */
export function webRequest({ method, headers }: FastifyRequest): Request {
  const given = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const item of [value].flat()) if (item !== undefined) given.append(name, item);
  }
  return new Request("http://localhost/mcp", { method, headers: given });
}

/**
 * Sends what a session answers. A stream is read as fast as it comes, so that nothing piles up behind it, and is cut
 * where the client leaves too much of it untaken, or takes nothing of much for two heartbeats.
 */
export async function sendAnswer(
  reply: FastifyReply,
  answer: Answer,
  { hub, limits, heartbeat }: HttpContext,
): Promise<FastifyReply> {
  const { body, status, headers } = answer.response;
  // Not what the framework says better.
  headers.delete("connection");
  reply.status(status).headers(Object.fromEntries(headers));
  if (status === 503) reply.header("retry-after", RETRY_AFTER);
  if (body === null || headers.get("content-type") !== "text/event-stream") {
    try {
      return reply.send(body === null ? undefined : await answer.response.text());
    } finally {
      answer.release();
    }
  }
  reply.hijack();
  const { raw } = reply;
  const reader = body.getReader();
  const over = (): void => {
    void reader.cancel().catch(() => {});
    answer.release();
  };
  if (raw.destroyed || answer.gone?.aborted === true) {
    over();
    raw.destroy();
    return reply;
  }
  raw.once("close", over);
  dropBody(reply.request.raw, (sentence) => raw.end(`: ${sentence}\n\n`));
  answer.gone?.addEventListener("abort", () => {
    over();
    raw.destroy();
  });
  // Only the socket sees that a part of a large write is taken. For what comes behind this answer Node sets another.
  raw.setTimeout(heartbeat * 1000, () => {
    if (raw.writableLength > limits.pending) raw.destroy();
  });
  raw.writeHead(status, reply.getHeaders() as Record<string, string>);
  raw.flushHeaders();
  if (answer.opening !== undefined && answer.opening !== "") raw.write(answer.opening);
  await pump(reader as Reader, raw, limits.pending, answer.requests ?? 0, hub.backlog);
  return reply;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** `requests` are answered on the stream, at whatever length: what they asked for does not count as left untaken. */
async function pump(
  reader: Reader,
  raw: ServerResponse,
  most: number,
  requests: number,
  backlog: Backlog,
): Promise<void> {
  const holder: Holder = {
    get pending() {
      return raw.writableLength;
    },
    cut: () => raw.destroy(),
  };
  raw.once("close", () => backlog.forget(holder));
  const guard = new WriteGuard(most);
  const asked = new Largest(requests);
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const judgement = guard.check(raw.writableLength - asked.bytes);
      if (judgement === "slow") raw.destroy();
      if (raw.destroyed) return;
      // The client takes what there is, and comes back for the rest; a large answer would not be kept for it.
      if (judgement === "flood" && requests === 0) break;
      const bytes = oneLineBytes(read.value);
      if (!raw.write(bytes)) backlog.add(holder, bytes);
      asked.add(bytes.length);
    }
    raw.end();
    await reader.cancel();
  } catch {
    raw.destroy();
  }
}

/** A whole event of the SDK's, whose data is JSON, as one that no reader of lines takes for several. */
function oneLineBytes(event: Uint8Array): Uint8Array {
  const bytes = Buffer.from(event.buffer, event.byteOffset, event.length);
  return BREAKS.some((character) => bytes.includes(character))
    ? Buffer.from(escapeLineBreaks(bytes.toString()))
    : bytes;
}

const BREAKS = ["\u0085", "\u2028", "\u2029"];

/** The largest messages of a stream, so many of them: its answers are as many, and no larger. */
class Largest {
  readonly #count: number;
  #sizes: number[] = [];
  bytes = 0;

  constructor(count: number) {
    this.#count = count;
  }

  add(size: number): void {
    this.#sizes = [...this.#sizes, size].sort((a, b) => b - a).slice(0, this.#count);
    this.bytes = this.#sizes.reduce((sum, one) => sum + one, 0);
  }
}

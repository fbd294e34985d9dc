import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Answer } from "../mcp/index.ts";
import { RETRY_AFTER } from "./failures.ts";
import { Untaken } from "./untaken.ts";

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
 * where more comes while more than `most` bytes of it wait for the client. `done` is called when all is over.
 */
export async function sendAnswer(
  reply: FastifyReply,
  answer: Answer,
  most: number,
  done: () => void,
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
      done();
    }
  }
  reply.hijack();
  const { raw } = reply;
  const reader = body.getReader();
  const over = (): void => {
    void reader.cancel().catch(() => {});
    done();
  };
  if (raw.destroyed || answer.gone?.aborted === true) {
    over();
    raw.destroy();
    return reply;
  }
  raw.once("close", over);
  answer.gone?.addEventListener("abort", () => {
    over();
    raw.destroy();
  });
  raw.writeHead(status, reply.getHeaders() as Record<string, string>);
  raw.flushHeaders();
  if (answer.opening !== undefined && answer.opening !== "") raw.write(answer.opening);
  await pump(reader as Reader, raw, most);
  return reply;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

async function pump(reader: Reader, raw: ServerResponse, most: number): Promise<void> {
  const untaken = new Untaken(most);
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const judgement = untaken.judge(raw.writableLength);
      if (judgement === "slow") raw.destroy();
      if (raw.destroyed) return;
      // The client takes what there is, and comes back for the rest.
      if (judgement === "flood") break;
      raw.write(read.value);
    }
    raw.end();
    await reader.cancel();
  } catch {
    raw.destroy();
  }
}

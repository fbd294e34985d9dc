import type { FastifyReply, FastifyRequest } from "fastify";

/** A request as the official SDK takes it; its body was read already. */
export function webRequest({ method, headers }: FastifyRequest): Request {
  const given = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const item of [value].flat()) if (item !== undefined) given.append(name, item);
  }
  return new Request("http://localhost/mcp", { method, headers: given });
}

/**
 * Sends what the SDK answers. A stream is read as fast as it comes, so that nothing piles up behind it, and is ended
 * when more than `most` bytes of it wait for the client. `done` is called when all is over.
 */
export async function sendResponse(
  reply: FastifyReply,
  response: Response,
  most: number,
  done: () => void,
): Promise<FastifyReply> {
  const { body, status, headers } = response;
  // Not what the framework says better.
  headers.delete("connection");
  reply.status(status).headers(Object.fromEntries(headers));
  if (body === null || headers.get("content-type") !== "text/event-stream") {
    try {
      return reply.send(body === null ? undefined : await response.text());
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
  if (raw.destroyed) {
    over();
    return reply;
  }
  raw.once("close", over);
  raw.writeHead(status, reply.getHeaders() as Record<string, string>);
  raw.flushHeaders();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      raw.write(read.value);
      if (raw.writableLength > most) raw.destroy();
      if (raw.destroyed) return reply;
    }
    raw.end();
  } catch {
    raw.destroy();
  }
  return reply;
}

import type { IncomingMessage } from "node:http";
import { rpcError } from "../../protocol/jsonrpc.ts";
import { oneLine } from "../../protocol/text.ts";
import { SseParser, SseTooLong } from "../../protocol/sse.ts";
import { broken, Failure } from "./failure.ts";
import { isObject, messageOf, type Id, type Message } from "./message.ts";

/** Milliseconds that a stream may stay open behind the answer. */
const LINGER = 1000;
/** Bytes of one answer, or of one event of a stream. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Ids that a header can say. */
const SAYABLE = /^[\t\x20-\x7e\u0080-\uffff]*$/;

/** Where a stream has got to, for coming back to it. */
export interface Place {
  /** Empty where the stream gives no ids that can be said. */
  lastId: string;
  /** Milliseconds to wait before. */
  retry: number | undefined;
}

/**
 * What the hub sends for one request: notifications and requests of its own, then the answer. Throws `Failure` where
 * HTTP says why there is none, and `Broken` where it ends without one.
 */
export async function* replies(answer: IncomingMessage, id: Id, place?: Place): AsyncGenerator<Message> {
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    for await (const message of typeOf(answer) === "text/event-stream" ? events(answer, place) : whole(answer, id)) {
      if (late !== undefined) continue;
      yield message;
      if (message.kind === "response" && message.id === id) late = setTimeout(() => answer.destroy(), LINGER).unref();
    }
  } catch (error) {
    if (late === undefined) throw error;
  } finally {
    clearTimeout(late);
  }
  if (late === undefined) throw broken();
}

/** The messages of a stream. Throws `Broken` where it breaks. */
export async function* events(
  answer: IncomingMessage,
  place: Place = { lastId: "", retry: undefined },
): AsyncGenerator<Message> {
  const found: string[] = [];
  const parser = new SseParser(({ data }) => found.push(data), MAX_BYTES);
  parser.lastId = place.lastId;
  // The parser takes the byte order mark away.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const chunk of chunksOf(answer)) {
    let failure: Failure | undefined;
    try {
      parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      if (!(error instanceof SseTooLong)) throw error;
      failure = tooLong(answer);
    }
    place.lastId = SAYABLE.test(parser.lastId) ? parser.lastId : "";
    place.retry = parser.retry ?? place.retry;
    // An event without data only tells where the stream begins.
    for (const data of found.splice(0)) if (data !== "") yield* messagesIn(data);
    if (failure !== undefined) throw failure;
  }
}

async function* whole(answer: IncomingMessage, id: Id): AsyncGenerator<Message> {
  const { statusCode = 0 } = answer;
  const text = await textOf(answer);
  const messages = typeOf(answer) === "application/json" ? [...messagesIn(text, statusCode >= 400)] : [];
  if (messages.length === 0) throw refusal(answer, text);
  for (const message of messages) {
    // Where the hub refused it before it was read the id is missing.
    if (message.kind !== "response" || message.id !== null || message.error === undefined) yield message;
    else yield { ...message, id, text: rpcError(id, message.error as { code: number; message: string }) };
  }
}

/** The messages in a JSON text: one, or those of a batch. */
function* messagesIn(text: string, orNone = false): Generator<Message> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Said below.
  }
  for (const item of Array.isArray(body) ? body : [body]) {
    let message: Message | undefined;
    try {
      message = Array.isArray(body) ? messageOf(item) : messageOf(item, text);
    } catch {
      // Nested too deep to be written again.
    }
    if (message !== undefined) yield message;
    else if (!orNone) throw new Failure(502, "The hub sent something that is no JSON-RPC message; check --url");
  }
}

/** What an answer means that is none of JSON-RPC. */
export function refusal(answer: IncomingMessage, text = ""): Failure {
  const { statusCode = 0, statusMessage = "" } = answer;
  const said = `The hub answered ${statusCode} ${oneLine(statusMessage)}`.trimEnd();
  if (statusCode < 300) {
    return new Failure(502, `${said} with ${typeOf(answer) || "nothing"} and no message of MCP; check --url`);
  }
  const detail = detailOf(text);
  const why = detail === undefined ? said : `${said}: ${detail}`;
  if (statusCode === 401 || statusCode === 403) {
    return new Failure(statusCode, `${why}; give what it asks for with --header "Name: value"`);
  }
  return new Failure(statusCode, statusCode < 500 ? `${why}; check --url, such as http://127.0.0.1:8000/mcp` : why);
}

function detailOf(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body) && typeof body["detail"] === "string") return oneLine(body["detail"]);
  } catch {
    // Not one of ours; the status has to do.
  }
  return undefined;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(answer)) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw tooLong(answer);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* chunksOf(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array;
  } catch (cause) {
    throw broken(cause);
  }
}

function tooLong(answer: IncomingMessage): Failure {
  answer.destroy();
  return new Failure(502, `The hub sent more than ${MAX_BYTES} bytes in one message`);
}

/** Media type without parameters. */
function typeOf({ headers }: IncomingMessage): string {
  return (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

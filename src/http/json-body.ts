import { isAscii, isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyReply } from "fastify";
import { HubError } from "../core/errors.ts";
import { JsonFault, parseJson } from "../protocol/json.ts";
import { quoted } from "../protocol/text.ts";

/** The body of a request as it came; `type` is its Content-Type, empty if it has none. */
export interface SentBody {
  readonly bytes: Buffer;
  readonly type: string;
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;
const ASCII = /^(?:us-)?ascii$/i;
const MAX_SHOWN = 100;

/** Takes the bodies of all routes of a scope as bytes, whatever their Content-Type says: see `jsonBody`. */
export function takeAnyBody(scope: FastifyInstance): void {
  scope.decorateRequest("sentAs", "");
  scope.removeAllContentTypeParsers();
  // The hook below has every body be called so; the framework finds a parser by its name faster than one for all.
  scope.addContentTypeParser(["application/json", "*"], { parseAs: "buffer" }, ({ sentAs }, bytes, done) => {
    done(null, { bytes, type: sentAs });
  });
  scope.addHook("onRequest", (request, reply, done) => {
    const { headers } = request.raw;
    request.sentAs = headers["content-type"] ?? "";
    // The framework refuses a Content-Type that it cannot read before any parser is asked.
    headers["content-type"] = "application/json";
    const coding = headers["content-encoding"] ?? "";
    if (/^(?:\s*identity\s*)?$/i.test(coding)) return done();
    reply.header("accept-encoding", "identity");
    const shown = quoted(coding.slice(0, MAX_SHOWN));
    done(new HubError("UNSUPPORTED_MEDIA_TYPE", `Content-Encoding ${shown} is not read; send the body as it is`));
  });
}

declare module "fastify" {
  interface FastifyRequest {
    /** The Content-Type, in a scope that takes any. */
    sentAs: string;
  }
}

/** Sends what is JSON already. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header("content-type", "application/json; charset=utf-8").send(text);
}

/**
 * A body that `takeAnyBody` took as JSON, whatever its media type. Throws `INVALID_JSON`, `INVALID_REQUEST` or
 * `UNSUPPORTED_MEDIA_TYPE`.
 */
export function jsonBody(body: unknown): unknown {
  return parsedBody(bodyText(body, "INVALID_JSON"), "INVALID_REQUEST", "The body");
}

/** JSON text of a body. Throws `INVALID_JSON`, or `code` for JSON that cannot be taken, with a sentence on `subject`. */
export function parsedBody(
  text: string,
  code: "INVALID_REQUEST" | "INVALID_MESSAGE",
  subject: string,
  levels?: number,
): unknown {
  try {
    return parseJson(text, subject, levels);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    if (error.value === undefined) throw new HubError("INVALID_JSON", "The body is not JSON", { cause: error });
    throw new HubError(code, error.message, { cause: error });
  }
}

/**
 * The text of a body, by the charset of its Content-Type or else as UTF-8; empty if there is none. Throws `code` for
 * bytes that are not text of that charset, and `UNSUPPORTED_MEDIA_TYPE` for an unknown charset.
 */
export function bodyText(body: unknown, code: "INVALID_JSON" | "INVALID_MESSAGE"): string {
  if (body === undefined || body === null) return "";
  const { bytes, type } = body as SentBody;
  const label = CHARSET.exec(type)?.[1] ?? "utf-8";
  if (/^utf-?8$/i.test(label) && isUtf8(bytes)) return bytes.toString().replace(/^\uFEFF/, "");
  // The decoder takes it for Windows-1252, and bytes that are none of its own for letters.
  if (ASCII.test(label) && !isAscii(bytes)) throw notOf("US-ASCII", code);
  const decoder = decoderOf(label, bytes) ?? asciiDecoder(label, bytes, code);
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw notOf(decoder.encoding.toUpperCase(), code, cause);
  }
}

function notOf(charset: string, code: "INVALID_JSON" | "INVALID_MESSAGE", cause?: unknown): HubError {
  const sentence = `The body is not ${charset}; send UTF-8, or name its charset in Content-Type`;
  return new HubError(code, sentence, cause === undefined ? {} : { cause });
}

type Decoder = InstanceType<typeof TextDecoder>;

/** The decoder of a charset; undefined if it is unknown. */
function decoderOf(label: string, bytes: Buffer): Decoder | undefined {
  try {
    const decoder = new TextDecoder(label, { fatal: true });
    // The mark, if there is one, says which of the two it is (RFC 2781 section 4.3).
    const isBigEndian = decoder.encoding === "utf-16le" && bytes[0] === 0xfe && bytes[1] === 0xff;
    return isBigEndian ? new TextDecoder("utf-16be", { fatal: true }) : decoder;
  } catch {
    return undefined;
  }
}

/** Decodes JSON in ASCII, whatever unknown charset it claims; throws `UNSUPPORTED_MEDIA_TYPE` for anything else. */
function asciiDecoder(label: string, bytes: Buffer, code: "INVALID_JSON" | "INVALID_MESSAGE"): Decoder {
  if (code === "INVALID_JSON" && isAscii(bytes)) return new TextDecoder("utf-8", { fatal: true });
  const shown = quoted(label.slice(0, MAX_SHOWN));
  throw new HubError("UNSUPPORTED_MEDIA_TYPE", `The charset ${shown} is not known; send UTF-8`);
}

import { SdkHttpError } from "@modelcontextprotocol/client";
import { isObject } from "../../protocol/json.ts";
import { oneLine } from "../../protocol/text.ts";

/** Why the hub gave no answer that can be passed on. `code` is a status of HTTP, and of the JSON-RPC error. */
export class Failure extends Error {
  readonly code: number;

  constructor(code: number, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.code = code;
  }
}

/** A connection that was lost before the answer came. */
export function broken(cause?: unknown): Failure {
  const sentence =
    "The connection to the hub broke before its answer came; what was asked may have been done, or not: look, then ask again";
  return new Failure(503, sentence, { cause });
}

/** Statuses below 500 that may be another one later; 409 says that another connection has the stream. */
const PASSING = new Set([408, 409, 425, 429]);

/** Whether what was answered with this status, or JSON-RPC code, may succeed later. */
export function isPassing(code: unknown): boolean {
  return typeof code === "number" && (PASSING.has(code) || (code >= 500 && code < 600));
}

/** Whether it says that something is not a message, or nested too deep to be written; no connection is at fault. */
export function isMalformed(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof RangeError || (error as Error).name === "ZodError";
}

/** An error of a transport as a sentence for the client; rethrows what is none. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof SdkHttpError) return refusal(error);
  if (isMalformed(error)) {
    return new Failure(502, "The hub sent something that is not a JSON-RPC message; check --url", { cause: error });
  }
  if (!(error instanceof TypeError || error instanceof URIError)) throw error;
  // Such as a header with characters that none may have.
  return new Failure(400, `This cannot be sent to the hub: ${error.message}`, { cause: error });
}

/** What an answer means that is neither JSON nor a stream, or has no message in it. */
export function noMessage({ status, statusText, headers }: Response): Failure {
  const type = headers.get("content-type") ?? "nothing";
  const said = `The hub answered ${oneLine(`${status} ${statusText} with ${type}`)}`;
  return new Failure(502, `${said} and no message of MCP; check --url`);
}

function refusal({ status, statusText = "", data }: SdkHttpError): Failure {
  const said = `The hub answered ${status} ${oneLine(statusText)}`.trimEnd();
  const detail = detailOf(String(data["text"]));
  const why = detail === undefined ? said : `${said}: ${detail}`;
  if (status === 401 || status === 403) {
    return new Failure(status, `${why}; give what it asks for with HUB_TOKEN, --token or --header`);
  }
  return new Failure(status, status < 500 ? `${why}; check --url, such as http://127.0.0.1:8000/mcp` : why);
}

function detailOf(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) && typeof body["detail"] === "string" ? oneLine(body["detail"]) : undefined;
  } catch {
    return undefined;
  }
}

import { get as getPlain, type IncomingMessage } from "node:http";
import { get as getSecure } from "node:https";
import { WebSocket } from "ws";
import { SseParser } from "../../protocol/sse.ts";

const LONGEST_ANSWER = 300;
/** Milliseconds to connect in. */
const PATIENCE = 30_000;

/** A connection that reads a channel. */
export class Reader {
  /** Resolves when it reads, or has failed to. */
  readonly ready: Promise<void>;
  isConnected = false;
  /** Why it does not read, or has stopped; undefined while it reads. */
  trouble: string | undefined;
  readonly #end: () => void;

  /** `url` is the address of a stream, or of a WebSocket; `data` is called with the data of each message. */
  constructor(url: URL, data: (text: string) => void) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    const begun = (): void => {
      this.isConnected = true;
      resolve();
    };
    const ended = (trouble: string): void => {
      this.trouble ??= trouble;
      resolve();
    };
    const late = setTimeout(() => {
      ended(`no answer within ${PATIENCE / 1000} s`);
      this.#end();
    }, PATIENCE);
    void promise.then(() => clearTimeout(late));
    this.#end = url.protocol.startsWith("ws")
      ? openSocket(url, begun, data, ended)
      : openStream(url, begun, data, ended);
  }

  close(): void {
    this.trouble ??= "closed";
    this.#end();
  }
}

type Open = (url: URL, begun: () => void, data: (text: string) => void, ended: (trouble: string) => void) => () => void;

const openStream: Open = (url, begun, data, ended) => {
  const get = url.protocol === "https:" ? getSecure : getPlain;
  const parser = new SseParser((event) => data(event.data));
  const request = get(url, { agent: false, headers: { accept: "text/event-stream" } }, (response) => {
    response.setEncoding("utf8").on("error", () => {});
    if (response.statusCode === 200) {
      begun();
      response.on("data", (text: string) => {
        try {
          parser.feed(text);
        } catch (error) {
          ended((error as Error).message);
          request.destroy();
        }
      });
      response.on("close", () => ended("the server closed the connection"));
    } else void refusal(response).then(ended);
  });
  request.on("error", (error: NodeJS.ErrnoException) => ended(error.message || String(error.code)));
  return () => request.destroy();
};

const openSocket: Open = (url, begun, data, ended) => {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("message", (bytes: Buffer) => {
    const { type, data: text } = frameIn(bytes.toString());
    if (type === "welcome") begun();
    else if (type === "message" && typeof text === "string") data(text);
  });
  socket.on("unexpected-response", (_, response) => void refusal(response).then(ended));
  socket.on("error", (error) => ended(error.message));
  socket.on("close", (code, reason) => ended(`the server closed the connection: ${code} ${reason.toString()}`.trim()));
  return () => socket.terminate();
};

/** What a frame says; `{}` if it is not a JSON object. */
function frameIn(text: string): { readonly type?: unknown; readonly data?: unknown } {
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    return {};
  }
}

/** What a server said when it refused. */
export async function refusal(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  try {
    for await (const part of response) {
      text = `${text}${String(part)}`.slice(0, LONGEST_ANSWER);
      if (text.length === LONGEST_ANSWER) break;
    }
  } catch {
    // What came of it has to do.
  }
  return `answered ${response.statusCode}${text === "" ? "" : `: ${text.trim()}`}`;
}

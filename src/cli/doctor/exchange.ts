import * as http from "node:http";
import * as https from "node:https";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress, constants } from "node:zlib";
import { SseParser, type SseEvent } from "../../protocol/sse.ts";
import { jsonObject, textOf } from "../usage.ts";

/** A hub, and the headers that carry a credential for it. */
export interface Target {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** The stable code of a refusal by the hub; empty if there is none. */
  readonly code: string;
  readonly detail: string;
}

/** Not even the head of a stream came in time. */
export class HeldBack extends Error {}

/** Milliseconds for an answer, and for what should come at once. */
export const ANSWER_TIMEOUT = 5000;

/** Characters of a stream, decompressed: more than a hub sends in the time that it is read. */
const MAX_STREAM = 8 * 1024 * 1024;

/** A map, because whoever answers chooses the name. */
const DECODERS: ReadonlyMap<string, () => NodeJS.ReadWriteStream & Readable> = new Map([
  ["gzip", () => createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH })],
  ["deflate", () => createInflate({ flush: constants.Z_SYNC_FLUSH })],
  ["br", () => createBrotliDecompress()],
  ["zstd", () => createZstdDecompress()],
]);

/** Sends a request on a connection of its own. Rejects with an error of the system, or after `ANSWER_TIMEOUT`. */
export async function ask(url: URL, asked: RequestOptions = {}): Promise<Answer> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT);
  const response = await begin(url, asked, signal);
  const text = await textOf(response);
  const { code, detail } = jsonObject(text);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    code: typeof code === "string" ? code : "",
    detail: typeof detail === "string" ? detail : "",
  };
}

function begin(
  url: URL,
  { method = "GET", headers, body }: RequestOptions,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const { request } = url.protocol === "https:" ? https : http;
  request(url, { method, headers: { ...headers }, agent: false, signal })
    .once("response", resolve)
    .on("error", reject)
    .end(body);
  return promise;
}

/** A stream of events that is read as it comes, with the times at which it did. */
export class StreamReader implements Disposable {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Resolves when it has ended, on either side. */
  readonly ended: Promise<void>;
  /** Whether a byte has come. */
  hasBegun = false;
  /** The id to resume with. */
  get lastId(): string {
    return this.#parser.lastId;
  }
  /** The times of the last byte and of the end, as `performance.now()`. */
  lastByte: number = performance.now();
  end: number | undefined;
  readonly #events: SseEvent[] = [];
  readonly #parser = new SseParser((event) => void this.#events.push(event));
  #length = 0;
  readonly #abort: AbortController;
  #changed = Promise.withResolvers<void>();

  private constructor(response: http.IncomingMessage, abort: AbortController) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.#abort = abort;
    const decoder = DECODERS.get(response.headers["content-encoding"] ?? "")?.();
    const text: Readable = decoder === undefined ? response : response.pipe(decoder);
    response.on("data", () => (this.lastByte = performance.now()));
    text.setEncoding("utf8").on("data", (piece: string) => {
      this.hasBegun = true;
      this.#length += piece.length;
      if (this.#isTooLong) abort.abort();
      else this.#parser.feed(piece);
      this.#change();
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const over = (): void => {
      this.end ??= performance.now();
      resolve();
      this.#change();
    };
    for (const stream of new Set([response, text])) stream.on("error", over).on("close", over);
  }

  /** Resolves with the head of the answer. Rejects like `ask`. */
  static async open(url: URL, asked: RequestOptions = {}): Promise<StreamReader> {
    const abort = new AbortController();
    const late = setTimeout(
      () => abort.abort(new HeldBack(`no answer within ${ANSWER_TIMEOUT / 1000} s`)),
      ANSWER_TIMEOUT,
    );
    try {
      return new StreamReader(await begin(url, asked, abort.signal), abort);
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      clearTimeout(late);
    }
  }

  /** Whether the first byte comes within so many milliseconds. Rejects, as `find` does, if it is longer than is read. */
  async begins(timeout: number): Promise<boolean> {
    return (await this.#wait(() => this.hasBegun || undefined, timeout)) === true;
  }

  /** The first event that is like this; undefined if none comes in time. */
  async find(isLike: (event: SseEvent) => boolean, timeout: number): Promise<SseEvent | undefined> {
    return this.#wait(() => this.#events.find(isLike), timeout);
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }

  async #wait<Found>(look: () => Found | undefined, timeout: number): Promise<Found | undefined> {
    const end = performance.now() + timeout;
    for (;;) {
      const found = look();
      if (found === undefined && this.#isTooLong) throw new Error(`it sends more than ${MAX_STREAM} characters`);
      const left = end - performance.now();
      if (found !== undefined || left <= 0 || this.end !== undefined) return found;
      const { promise, resolve } = Promise.withResolvers<void>();
      const late = setTimeout(resolve, left);
      await Promise.race([this.#changed.promise, promise]);
      clearTimeout(late);
    }
  }

  get #isTooLong(): boolean {
    return this.#length > MAX_STREAM;
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Why a request failed, in a few words. */
export function whyFailed(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === "TimeoutError") return `no answer within ${ANSWER_TIMEOUT / 1000} s`;
  return code !== undefined && code !== "ABORT_ERR" ? code : message;
}

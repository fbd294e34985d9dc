import * as http from "node:http";
import * as https from "node:https";
import type { SecureContextOptions } from "node:tls";
import { StringDecoder } from "node:string_decoder";
import { constants, createGunzip } from "node:zlib";
import { createParser } from "eventsource-parser";
import { Queue } from "./queue.ts";

/** An event as the stream gave it; `event` is `message` where it gave none. */
export interface ReadEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

export interface EventReaderOptions {
  readonly lastEventId?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** What to POST; without it the stream is asked for by GET. */
  readonly body?: string;
  readonly tls?: SecureContextOptions;
  /** The address it comes from. */
  readonly localAddress?: string;
}

/** A reader of `text/event-stream`, parsed by a parser that is not ours. */
export class EventReader {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly comments: string[] = [];
  /** Every id the stream gave, those of heartbeats among them. */
  readonly ids: string[] = [];
  /** Everything that came, as it came. */
  text = "";
  /** Bytes of the body as they came. */
  received = 0;
  /** What was wrong with its compression. */
  broken: Error | undefined;
  retry: number | undefined;
  /** Resolves when the stream has ended or broken. */
  readonly ended: Promise<void>;
  readonly #events: Queue<ReadEvent> = new Queue("an event");
  readonly #response: http.IncomingMessage;

  private constructor(response: http.IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    const parser = createParser({
      onEvent: ({ event = "message", data, id }) => this.#events.put({ event, data, id }),
      onComment: (comment) => this.comments.push(comment),
      onRetry: (retry) => (this.retry = retry),
      onId: (id) => this.ids.push(id),
    });
    const decoder = new StringDecoder();
    const take = (bytes: Buffer): void => {
      const chunk = decoder.write(bytes);
      this.text += chunk;
      parser.feed(chunk);
    };
    response.on("data", (bytes: Buffer) => (this.received += bytes.length));
    const isGzip = response.headers["content-encoding"] === "gzip";
    // Without an end mark, what came is all there is.
    const gunzip = isGzip ? createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }).on("data", take) : undefined;
    response.on("data", gunzip === undefined ? take : (bytes: Buffer) => void gunzip.write(bytes));
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#events.end();
        resolve();
      };
      gunzip?.on("end", end).on("error", (error) => {
        this.broken = error;
        end();
      });
      response.on("error", () => {}).on("close", () => (gunzip === undefined ? end() : gunzip.end()));
    });
  }

  /** Resolves when the head of the response is there. */
  static open(url: string, options: EventReaderOptions = {}): Promise<EventReader> {
    const { lastEventId, headers = {}, body, tls, localAddress } = options;
    const from = localAddress === undefined ? {} : { localAddress, family: 4 };
    const resume = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    return new Promise((resolve, reject) => {
      const request = (url.startsWith("https:") ? https : http).request(url, {
        ...tls,
        ...from,
        method: body === undefined ? "GET" : "POST",
        agent: false,
        headers: { accept: "text/event-stream", ...resume, ...headers },
      });
      request.on("response", (response) => resolve(new EventReader(response)));
      request.on("error", reject);
      request.end(body);
    });
  }

  /** The next event; rejects when none comes before a deadline, or the stream ends. */
  next(): Promise<ReadEvent> {
    return this.#events.next();
  }

  /** The next events' data. */
  async data(count: number): Promise<string[]> {
    const data: string[] = [];
    while (data.length < count) data.push((await this.next()).data);
    return data;
  }

  /** Events that have come and were not asked for with `next`. */
  get waiting(): readonly ReadEvent[] {
    return this.#events.waiting;
  }

  /** Stops taking what comes, as a frozen client does. */
  freeze(): void {
    this.#response.pause();
  }

  /** Takes again what comes. */
  thaw(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

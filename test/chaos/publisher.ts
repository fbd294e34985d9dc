import * as http from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { ask, textOf } from "./http.ts";
import type { Place } from "./place.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./record.ts";
import { callModern, LegacyCalls, type CallTool } from "./tool-calls.ts";

export const PUBLISHING_DOORS = ["post", "post with key", "modern tool", "legacy tool", "websocket"] as const;
export type PublishingDoor = (typeof PUBLISHING_DOORS)[number];

/** Milliseconds between messages, at most. */
const PAUSE = 200;
/** Messages that are sent at once now and then. */
const BURST = 20;
const LARGEST = 20_000;
/** Milliseconds for an answer over WebSocket. */
const TIMEOUT = 4000;

/** What a publisher was told of one attempt. */
type Told = { readonly id: string; readonly repeated: boolean } | { readonly status: number; readonly why: string };

interface Sender {
  readonly send: Send;
  close(): void;
}

type Send = (place: Place, n: number, channel: string, data: object) => Promise<Told>;

/** Sends one message after another, each with a number of its own as its data, to any node. */
export class Publisher {
  readonly #name: string;
  readonly #sender: Sender;
  readonly #isRetrying: boolean;
  readonly #places: () => readonly Place[];
  readonly #channels: readonly string[];
  readonly #random: Random;
  readonly #recorder: Recorder;
  readonly #numbers: () => number;
  readonly #stop: AbortController = new AbortController();

  constructor(
    name: string,
    door: PublishingDoor,
    places: () => readonly Place[],
    channels: readonly string[],
    numbers: () => number,
    random: Random,
    recorder: Recorder,
  ) {
    this.#name = name;
    this.#sender = SENDERS[door]();
    this.#isRetrying = door === "post with key";
    this.#places = places;
    this.#channels = channels;
    this.#numbers = numbers;
    this.#random = random;
    this.#recorder = recorder;
  }

  /** Publishes until it is stopped; resolves when its last message was answered. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const size = this.#random.chance(0.05) ? BURST : 1;
      await Promise.all(Array.from({ length: size }, () => this.#publish(this.#random.of(this.#channels))));
      await pause(this.#random.between(0, PAUSE), undefined, { signal }).catch(() => {});
    }
    this.#sender.close();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #publish(channel: string): Promise<void> {
    const n = this.#numbers();
    const data = { n, filling: "x".repeat(this.#random.chance(0.2) ? this.#random.between(0, LARGEST) : 0) };
    for (let tries = 0; tries < 20; tries++) {
      const place = this.#random.of(this.#places());
      this.#recorder.note({ kind: "attempt", publisher: this.#name, n, channel });
      const isOver = await this.#attempt(place, n, channel, data);
      if (isOver || !this.#isRetrying || this.#stop.signal.aborted) return;
      await pause(this.#random.between(50, 400));
    }
  }

  /** Whether it was told what came of it for good. */
  async #attempt(place: Place, n: number, channel: string, data: object): Promise<boolean> {
    try {
      const told = await this.#sender.send(place, n, channel, data);
      if ("id" in told) this.#recorder.note({ kind: "acknowledged", n, ...told });
      else {
        const { status, why } = told;
        // A bad gateway does not say; and the hub says it in its sentence.
        const isUnsure = (status >= 500 && status !== 503) || why.includes("kept");
        this.#recorder.note({ kind: "refused", n, status, isUnsure, why: `${place.name}: ${why}` });
      }
      return "id" in told || told.status < 500;
    } catch (error) {
      this.#recorder.note({ kind: "unanswered", n, why: `${place.name}: ${String(error)}` });
      return false;
    }
  }
}

const SENDERS: Readonly<Record<PublishingDoor, () => Sender>> = {
  post: () => poster(false),
  "post with key": () => poster(true),
  "modern tool": () => caller(callModern),
  "legacy tool": () => caller(new LegacyCalls().call),
  websocket: () => new Sockets(),
};

function poster(hasKey: boolean): Sender {
  const agent = new http.Agent({ keepAlive: true });
  const send: Send = async ({ url }, n, channel, data) => {
    const headers = { "content-type": "application/json", ...(hasKey && { "idempotency-key": `chaos-${n}` }) };
    const body = JSON.stringify(data);
    const { status, text } = await ask(`${url}/channels/${channel}/messages`, { method: "POST", headers, body, agent });
    if (status !== 201 && status !== 200) return { status, why: text.slice(0, 500) };
    return { id: (JSON.parse(text) as { readonly id: string }).id, repeated: status === 200 };
  };
  return { send, close: () => agent.destroy() };
}

function caller(call: CallTool): Sender {
  const send: Send = async ({ url }, _, channel, data) => {
    const { status, structured, why } = await call(url, "send_sse_message", { channel, message: data });
    const id = structured?.["id"];
    return typeof id === "string" ? { id, repeated: false } : { status, why };
  };
  return { send, close: () => {} };
}

/** Sockets that publish, one to each place. */
class Sockets implements Sender {
  readonly #open: Map<string, Promise<WebSocket>> = new Map();
  readonly #waiting: Map<number, (frame: Frame) => void> = new Map();

  readonly send: Send = async ({ url }, n, channel, data) => {
    let opening = this.#open.get(url);
    if (opening === undefined) this.#open.set(url, (opening = this.#connect(url)));
    const socket = await opening;
    const frame = await new Promise<Frame>((resolve, reject) => {
      const fail = (): void => reject(new Error("the socket closed"));
      const late = setTimeout(() => {
        socket.terminate();
        reject(new Error("no answer in time"));
      }, TIMEOUT);
      socket.once("close", fail);
      this.#waiting.set(n, (answer) => {
        clearTimeout(late);
        socket.off("close", fail);
        resolve(answer);
      });
      socket.send(JSON.stringify({ type: "publish", id: n, channel, data }), (error) => {
        if (error) reject(error);
      });
    }).finally(() => this.#waiting.delete(n));
    if (frame.type === "published") return { id: frame.message.id, repeated: false };
    return { status: frame.retry ? 503 : 400, why: frame.message };
  };

  close(): void {
    for (const opening of this.#open.values()) {
      opening.then(
        (socket) => socket.terminate(),
        () => {},
      );
    }
  }

  #connect(url: string): Promise<WebSocket> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/ws?channel=`, { handshakeTimeout: TIMEOUT });
    socket.setMaxListeners(100);
    const forget = (): void => void this.#open.delete(url);
    socket.on("close", forget);
    socket.on("message", (data) => {
      const frame = JSON.parse(textOf(data)) as Frame;
      if (frame.type === "published" || frame.type === "error") this.#waiting.get(frame.id)?.(frame);
    });
    return new Promise((resolve, reject) => {
      socket.on("open", () => resolve(socket));
      socket.on("error", (error) => {
        forget();
        reject(error);
      });
    });
  }
}

type Frame =
  | { readonly type: "published"; readonly id: number; readonly message: { readonly id: string } }
  | { readonly type: "error"; readonly id: number; readonly message: string; readonly retry: boolean };

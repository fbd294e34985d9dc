import { randomBytes } from "node:crypto";
import type { ClientRequest, IncomingMessage } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { jsonObject, routeUrl, textOf } from "../usage.ts";
import { ask, StreamReader, HeldBack, ANSWER_TIMEOUT, whyFailed, type Target } from "./exchange.ts";
import { openListen } from "./mcp-requests.ts";
import type { Report } from "./report.ts";

/** Milliseconds that the parts of a stream may take; one that is held back takes longer by far. */
const AT_ONCE = 2000;
/** A client that accepts events alone is told to come back later as if it were connected. */
const ACCEPT = { accept: "text/event-stream, application/problem+json" };

/** Whether a stream begins at once, and a message comes through it at once. Returns the id to resume with. */
export async function checkStream(target: Target, channel: string, report: Report): Promise<string | undefined> {
  const began = performance.now();
  using stream = await openEvents(target, channel).catch(held);
  if (stream === undefined) {
    const sentence = "No part of a stream comes, though other answers do: the proxy holds it back";
    report.bad("stream", "fail", sentence, "buffering");
    return undefined;
  }
  report.detectProxy(stream.headers);
  if (stream.status !== 200) {
    const remedy = stream.status === 401 ? { hub: "give a credential with HUB_TOKEN, --token or --header" } : undefined;
    report.bad("stream", "fail", `GET /events is answered ${stream.status}`, remedy);
    return undefined;
  }
  if (!(await stream.begins(AT_ONCE))) {
    const sentence = `The head of a stream comes, but none of its bytes within ${AT_ONCE / 1000} s: the proxy holds them back`;
    report.bad("stream", "fail", sentence, "buffering");
    return undefined;
  }
  const opening = Math.round(performance.now() - began);
  const mark = randomBytes(6).toString("hex");
  const sent = performance.now();
  const published = await publish(target, channel, mark);
  if (published.status === 401 || published.status === 403) {
    report.ok("stream", `A stream begins after ${opening} ms`);
    report.skipped(
      "message",
      `Without the right to publish on ${channel} no message can be sent through (${published.code}); see --channel`,
    );
    return stream.lastId;
  }
  if (published.status !== 201) {
    report.bad("message", "fail", `A message was not taken: ${published.status} ${published.detail}`.trim());
    return stream.lastId;
  }
  if ((await stream.find(({ data }) => data === mark, AT_ONCE)) === undefined) {
    const sentence = `A message did not come through a stream within ${AT_ONCE / 1000} s: the proxy holds back what it should pass on`;
    report.bad("stream", "fail", sentence, "buffering");
    return stream.lastId;
  }
  const took = Math.round(performance.now() - sent);
  report.ok("stream", `A stream begins after ${opening} ms, and a message comes through ${took} ms after it is sent`);
  return stream.lastId;
}

/** Whether the hub is told where a reader was when it comes back. */
export async function checkResume(
  target: Target,
  channel: string,
  id: string | undefined,
  report: Report,
): Promise<void> {
  if (id === undefined || id === "") return report.skipped("resume", "No stream has begun that could be resumed");
  using stream = await openEvents(target, channel, { "last-event-id": id });
  // Only a stream that resumes says from where on it is live.
  const found = await stream.find(({ event }) => event === "live" || event === "gap", AT_ONCE);
  if (found?.event === "live") return report.ok("resume", "A stream resumes with Last-Event-ID");
  const sentence =
    found === undefined
      ? "Last-Event-ID does not reach the hub: readers that come back miss what was published meanwhile"
      : "Another hub answers than before, which does not know the id: nodes behind one address must share a log (DATA=redis://…)";
  report.bad("resume", "fail", sentence, found === undefined ? "resume" : { hub: "DATA=redis://… on all nodes" });
}

/** Whether streams stay uncompressed, or as the hub compresses them. */
export async function checkCompression(target: Target, channel: string, report: Report): Promise<void> {
  const accept = { "accept-encoding": "gzip, br, zstd, deflate" };
  using stream = await openEvents(target, channel, accept).catch(held);
  const coding = stream?.headers["content-encoding"];
  if (stream !== undefined && coding === undefined)
    return report.ok("compression", "A stream is not compressed on the way");
  const mark = randomBytes(6).toString("hex");
  const isThrough =
    stream !== undefined &&
    (await stream.begins(AT_ONCE)) &&
    ((await publish(target, channel, mark)).status !== 201 ||
      (await stream.find(({ data }) => data === mark, AT_ONCE)) !== undefined);
  if (!isThrough) {
    const sentence = `Streams for readers that accept compression are held back${coding === undefined ? "" : ` (${coding})`}`;
    return report.bad("compression", "fail", sentence, "compression");
  }
  // The hub itself compresses what /events says, and no stream of MCP.
  const listen = await openListen(target, accept);
  const ofMcp = listen.headers["content-encoding"];
  listen[Symbol.dispose]();
  if (ofMcp === undefined)
    return report.ok("compression", `The hub compresses streams itself (${coding}), and they come through at once`);
  const sentence = `The proxy compresses streams (${coding}) although they say no-transform: it needs a compressor for each reader`;
  report.bad("compression", "warn", sentence, "compression");
}

/** Whether WebSockets open, and carry frames both ways. */
export async function checkWebSocket({ url, headers }: Target, report: Report): Promise<void> {
  const address = socketUrl(url);
  using socket = await openSocket(address, headers);
  if (socket.refusal !== undefined) {
    const { status, text } = socket.refusal;
    const { code, detail } = jsonObject(text);
    if (status === 401 || code === "FORBIDDEN")
      return report.skipped("websocket", `The hub refuses this credential: ${String(detail)}`);
    // The hub's answer to a request for /ws without an upgrade.
    const isLost = status === 426 || status === 400;
    const sentence = isLost
      ? `A WebSocket is answered ${status}: the hub is not asked for one, so the proxy drops Upgrade or Connection`
      : `A WebSocket is answered ${status}${typeof detail === "string" ? `: ${detail}` : ""}`;
    return report.bad("websocket", "fail", sentence, typeof code === "string" && !isLost ? undefined : "upgrade");
  }
  if (socket.trouble !== undefined)
    return report.bad("websocket", "fail", `A WebSocket does not open: ${socket.trouble}`, "upgrade");
  if (!(await socket.answers())) {
    return report.bad("websocket", "fail", "A WebSocket opens, but a ping on it is not answered", "upgrade");
  }
  report.ok("websocket", "A WebSocket opens, and carries frames both ways");
}

/** Whether a stream and a WebSocket on which nothing is published stay open for so many seconds. */
export async function checkQuiet(target: Target, channel: string, seconds: number, report: Report): Promise<void> {
  if (seconds === 0) return report.skipped("quiet", "Give --quiet SECONDS to test whether quiet streams stay open");
  const began = performance.now();
  using stream = await openEvents(target, `${channel}.quiet`).catch(held);
  using socket = await openSocket(socketUrl(target.url), target.headers);
  if (stream?.status !== 200) return report.skipped("quiet", "No stream has begun that could stay open");
  const limit = new AbortController();
  const over = [stream.ended, ...(socket.isOpen ? [socket.closed] : [])];
  await Promise.race([...over, pause(seconds * 1000, undefined, { signal: limit.signal }).catch(() => {})]);
  limit.abort();
  const after = ((performance.now() - began) / 1000).toFixed(1);
  if (stream.end !== undefined) {
    const silent = ((stream.end - stream.lastByte) / 1000).toFixed(1);
    const sentence = `A stream was cut after ${after} s, ${silent} s after its last byte; the hub sends a heartbeat every 15 s unless HEARTBEAT says otherwise, so time-outs must be longer`;
    return report.bad("quiet", "fail", sentence, "idle");
  }
  if (socket.isOpen && socket.hasClosed) {
    return report.bad("quiet", "fail", `A WebSocket was cut after ${after} s of silence`, "idle");
  }
  report.ok(
    "quiet",
    `A stream${socket.isOpen ? " and a WebSocket" : ""} without messages stayed open for ${seconds} s`,
  );
}

function openEvents(
  { url, headers }: Target,
  channel: string,
  more: Readonly<Record<string, string>> = {},
): Promise<StreamReader> {
  const address = routeUrl(url, "events");
  address.searchParams.set("channel", channel);
  address.searchParams.set("watch", "true");
  return StreamReader.open(address, { headers: { ...headers, ...ACCEPT, ...more } });
}

/** In place of a stream of which nothing comes. */
function held(error: unknown): undefined {
  if (!(error instanceof HeldBack)) throw error;
}

/** A message that is not kept, so that nothing is left behind. */
function publish({ url, headers }: Target, channel: string, text: string): ReturnType<typeof ask> {
  const address = routeUrl(url, `channels/${channel}/messages?ephemeral=true`);
  return ask(address, { method: "POST", headers: { ...headers, "content-type": "text/plain" }, body: text });
}

function socketUrl(url: URL): URL {
  const address = routeUrl(url, "ws?channel=&watch=true");
  address.protocol = url.protocol.replace("http", "ws");
  return address;
}

interface OpenedSocket extends Disposable {
  readonly isOpen: boolean;
  readonly hasClosed: boolean;
  /** What was answered instead of an upgrade. */
  readonly refusal: { readonly status: number; readonly text: string } | undefined;
  readonly trouble: string | undefined;
  readonly closed: Promise<void>;
  /** Whether a frame is answered. */
  answers(): Promise<boolean>;
}

async function openSocket(url: URL, headers: Readonly<Record<string, string>>): Promise<OpenedSocket> {
  const socket = new WebSocket(url, {
    headers: { ...headers },
    perMessageDeflate: false,
    handshakeTimeout: ANSWER_TIMEOUT,
  });
  const { promise: opened, resolve } = Promise.withResolvers<void>();
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const { promise: answered, resolve: answer } = Promise.withResolvers<boolean>();
  let refusal: OpenedSocket["refusal"];
  let trouble: string | undefined;
  socket.on("open", resolve);
  socket.on("message", (bytes: Buffer) => jsonObject(bytes.toString())["type"] === "pong" && answer(true));
  const refused = async (request: ClientRequest, response: IncomingMessage): Promise<void> => {
    // One that never ends would keep it from ever resolving.
    const late = setTimeout(() => request.destroy(), ANSWER_TIMEOUT);
    refusal = { status: response.statusCode ?? 0, text: await textOf(response).catch(() => "") };
    clearTimeout(late);
    request.destroy();
    resolve();
  };
  socket.on("unexpected-response", (request, response) => void refused(request, response));
  socket.on("error", (error) => {
    trouble = whyFailed(error);
    resolve();
  });
  socket.on("close", () => close());
  await opened;
  const isOpen = socket.readyState === WebSocket.OPEN;
  return {
    isOpen,
    get hasClosed() {
      return socket.readyState !== WebSocket.OPEN;
    },
    refusal,
    trouble,
    closed,
    async answers() {
      socket.send('{"type":"ping","id":1}');
      const late = AbortSignal.timeout(AT_ONCE);
      late.addEventListener("abort", () => answer(false));
      return answered;
    },
    [Symbol.dispose]: () => socket.terminate(),
  };
}

import type { Socket } from "node:net";
import type { RawData, WebSocket } from "ws";
import type { ChannelPattern } from "../../protocol/channel.ts";
import { HubError } from "../../core/errors.ts";
import type { SubscribeRequest, Subscription } from "../../core/subscription.ts";
import { callTool, publish } from "../../tools/index.ts";
import { CLOSE_CODES, type ClientFrame } from "../../protocol/ws-frames.ts";
import { isId } from "../../protocol/jsonrpc.ts";
import { requestContext, type HttpContext } from "../context.ts";
import { asHubError, RETRY_AFTER } from "../problem-details.ts";
import type { Client } from "../../ops/connections.ts";
import { checkedChannels } from "../channel-query.ts";
import { WriteGuard } from "../write-guard.ts";
import { checkedFrame, frameObject } from "./frames.ts";
import { WsSink } from "./sink.ts";

/** Frames of one client that are worked on at once; it is not read from beyond that. More than the calls that may wait, which would stop all else. */
const MAX_AT_WORK = 128;
const MAX_NOT_JSON = 3;

/** One client of `/ws`: a reader that can also ask. Every frame in both directions is one JSON object. */
export class WsConnection {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #context: HttpContext;
  /** Told of what no caller can have caused. */
  readonly #report: (error: unknown) => void;
  readonly #subscription: Subscription;
  readonly #gone = new AbortController();
  readonly #guard: WriteGuard;
  readonly #client: Client;
  #atWork = 0;
  #notJson = 0;

  constructor(
    ws: WebSocket,
    socket: Socket,
    context: HttpContext,
    asked: SubscribeRequest,
    report: (error: unknown) => void,
  ) {
    this.#ws = ws;
    this.#report = report;
    this.#socket = socket;
    this.#context = context;
    this.#guard = new WriteGuard(context.limits.pending);
    const { hub, version, heartbeat, connections } = context;
    this.#client = connections.client(socket);
    const welcome = {
      type: "welcome",
      name: "sse-mcp-server",
      version,
      id: hub.cursor(),
      channels: asked.channels,
      heartbeatSeconds: heartbeat,
    };
    ws.send(JSON.stringify(welcome));
    this.#subscription = hub.subscribe(asked, new WsSink(ws, socket));
    ws.on("message", (data, isBinary) => this.#received(data, isBinary));
    ws.on("close", () => {
      this.#gone.abort();
      hub.unsubscribe(this.#subscription);
    });
    // `ws` tells the client by the close code what is wrong with its frames, and that is enough.
    ws.on("error", () => {});
  }

  #received(data: RawData, isBinary: boolean): void {
    // Frames that were on their way when it was closed.
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (isBinary) {
      this.#ws.close(CLOSE_CODES.binary, "frames are text");
      return;
    }
    const frame = frameObject((data as Buffer).toString());
    if (frame === undefined) {
      this.#refuse(undefined, new HubError("INVALID_JSON", "A frame must be one JSON object"));
      if (++this.#notJson >= MAX_NOT_JSON) this.#ws.close(CLOSE_CODES.not_json, "frames are JSON objects");
      return;
    }
    this.#notJson = 0;
    if (++this.#atWork >= MAX_AT_WORK) this.#ws.pause();
    void this.#answer(frame.json, frame.fault).finally(() => {
      if (--this.#atWork < MAX_AT_WORK && this.#ws.isPaused) this.#ws.resume();
    });
  }

  async #answer(json: Readonly<Record<string, unknown>>, fault: HubError | undefined): Promise<void> {
    const { id: given } = json;
    const id = isId(given) && given !== "" ? given : undefined;
    try {
      if (fault !== undefined) throw fault;
      await this.#do(checkedFrame(json), ({ type, ...rest }) => {
        this.#send({ type, ...(id === undefined ? {} : { id }), ...rest });
      });
    } catch (error) {
      const known = asHubError(error, this.#context.limits.body);
      if (known.code === "INTERNAL") this.#report(error);
      this.#refuse(id, known);
    }
  }

  async #do(frame: ClientFrame, answer: (frame: { type: string; [field: string]: unknown }) => void): Promise<void> {
    const { hub, limits } = this.#context;
    switch (frame.type) {
      case "ping":
        return answer({ type: "pong" });
      case "mcp_call": {
        const { tool, arguments: input } = frame;
        const result = await callTool(
          this.#context.tools.named(tool),
          input,
          requestContext(this.#context, this.#gone, this.#client),
        );
        return answer({ type: "mcp_result", tool, result });
      }
      case "publish": {
        const { channel, data, event, sender, ephemeral } = frame;
        const principal = this.#context.principal();
        const { receipt } = await publish({ channel, data, event, sender, ephemeral }, { hub, limits, principal });
        return answer({ type: "published", message: receipt });
      }
      case "subscribe": {
        const channels = this.#added(frame.channels);
        // The answer parts what was read before from what is read from here on.
        hub.flush(this.#subscription);
        answer({ type: "subscribed", channels });
        return hub.add(this.#subscription, { channels, after: frame.last_event_id || undefined });
      }
      case "unsubscribe": {
        const channels = checkedChannels(frame.channels, limits.channels);
        hub.remove(this.#subscription, channels);
        return answer({ type: "unsubscribed", channels });
      }
    }
  }

  #added(words: readonly string[]): readonly ChannelPattern[] {
    const { channels: most } = this.#context.limits;
    const channels = checkedChannels(words, most);
    const all = new Set([...this.#subscription.channels, ...channels]).size;
    if (all > most) {
      throw new HubError("TOO_MANY_CHANNELS", `This reader would have ${all} channels; at most ${most} are allowed`);
    }
    return channels;
  }

  #refuse(id: string | number | undefined, { code, message, retry }: HubError): void {
    const later = retry ? { retry, retryAfter: RETRY_AFTER } : { retry };
    this.#send({ type: "error", ...(id === undefined ? {} : { id }), code, message, ...later });
  }

  /** Answers wait for the reader as messages do, and a reader that takes neither is cut. */
  #send(frame: object): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#guard.check(this.#socket.writableLength) !== "ok") return this.#ws.terminate();
    const bytes = Buffer.from(JSON.stringify(frame));
    this.#ws.send(bytes, { binary: false });
    if (!this.#socket.writableNeedDrain) return;
    // Its messages wait in the same socket, so they count together.
    this.#subscription.lag = this.#context.hub.backlog.add(this.#subscription, bytes);
  }
}

import type { Socket } from "node:net";
import type { RawData, WebSocket } from "ws";
import type { ChannelPattern } from "../../protocol/channel.ts";
import { HubError } from "../../core/errors.ts";
import { checkSubscribe, maySubscribe, type Principal } from "../../core/principal.ts";
import type { CloseReason } from "../../core/sink.ts";
import type { SubscribeRequest, Subscription } from "../../core/subscription.ts";
import type { Correlation } from "../../core/trace.ts";
import { callTool } from "../../tools/index.ts";
import { CLOSE_CODES, type ClientFrame } from "../../protocol/ws-frames.ts";
import { isId } from "../../protocol/jsonrpc.ts";
import { requestContext, type HttpContext } from "../context.ts";
import { asHubError, RETRY_AFTER } from "../problem-details.ts";
import type { Caller, Client } from "../../ops/connections.ts";
import type { Opened } from "../../ops/open-connections.ts";
import { judged } from "../authentication.ts";
import { checkedChannels } from "../channel-query.ts";
import { WriteGuard } from "../write-guard.ts";
import { checkedFrame, credentialNeeded, frameObject, needsCredential } from "./frames.ts";
import type { WsPresence } from "./presence.ts";
import { publishFrame } from "./publish.ts";
import { WsSink } from "./sink.ts";

/** Frames of one client that are worked on at once; it is not read from beyond that. More than the calls of one client that may wait, which would stop all else. */
const MAX_AT_WORK = 128;
const MAX_NOT_JSON = 3;
/** Close code of RFC 6455 registries: the same may work later. */
const TRY_AGAIN_LATER = 1013;
/** Milliseconds in which a client without a credential has to send one. */
const CREDENTIAL_TIMEOUT = 5000;

type Answer = (frame: { type: string; [field: string]: unknown }) => void;

/** The request that became the WebSocket. */
interface UpgradeRequest {
  readonly id: string;
  /** Its client among the participants. */
  readonly presence: WsPresence;
  /** Told of what no caller can have caused. */
  readonly failed: (error: unknown, correlation: Correlation) => void;
}

/** One client of `/ws`: a reader that can also ask. Every frame in both directions is one JSON object. */
export class WsConnection implements Opened {
  readonly door = "websocket";
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #context: HttpContext;
  readonly #request: UpgradeRequest;
  readonly #asked: SubscribeRequest;
  #principal: Principal;
  /** Undefined until the client has a credential that may read what it asked for. */
  #subscription: Subscription | undefined;
  readonly #presence: WsPresence;
  /** Lets go of what ends the connection: its credential, or the time in which one has to come. */
  #release: () => void = () => {};
  /** Gives back its place among the readers of its principal, if a frame presented the credential. */
  #unclaim: () => void = () => {};
  readonly #gone = new AbortController();
  readonly #guard: WriteGuard;
  readonly #client: Client;
  #atWork = 0;
  #notJson = 0;

  constructor(
    ws: WebSocket,
    socket: Socket,
    context: HttpContext,
    { principal, address }: Caller,
    asked: SubscribeRequest,
    request: UpgradeRequest,
  ) {
    this.#ws = ws;
    this.#principal = principal;
    this.#asked = asked;
    this.#request = request;
    this.#socket = socket;
    this.#context = context;
    this.#guard = new WriteGuard(context.limits.pending);
    this.#client = context.connections.client(address);
    this.#presence = request.presence;
    if (needsCredential(principal)) this.#waitForCredential();
    else this.#begin();
    ws.on("message", (data, isBinary) => this.#received(data, isBinary));
    const unlist = context.open.add(this);
    ws.on("close", () => {
      unlist();
      this.#gone.abort();
      this.#release();
      this.#unclaim();
      this.#presence.end();
      if (this.#subscription !== undefined) context.hub.unsubscribe(this.#subscription);
    });
    // `ws` tells the client by the close code what is wrong with its frames, and that is enough.
    ws.on("error", () => {});
  }

  get subject(): string {
    return this.#principal.subject;
  }

  get address(): string {
    return this.#client.address;
  }

  get client(): string | undefined {
    return this.#presence.client;
  }

  get channels(): readonly ChannelPattern[] {
    return this.#subscription?.channels ?? [];
  }

  get watches(): boolean {
    return this.#asked.watch === true;
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Calls of its client that wait end, too. */
  end(reason: CloseReason = "ended"): void {
    this.#gone.abort();
    if (this.#subscription !== undefined) this.#context.hub.end(this.#subscription, reason);
    else this.#ws.close(CLOSE_CODES.ended, "ended");
  }

  /** Welcomes the client and subscribes it to what it asked for, as far as it may read all of it; refuses it otherwise. */
  #begin(): void {
    const { hub, version, heartbeat } = this.#context;
    const { channels } = this.#asked;
    try {
      checkSubscribe(this.#principal, channels);
    } catch (error) {
      this.#refuse(undefined, error as HubError);
      this.#ws.close(CLOSE_CODES.forbidden, "this credential may not read these channels");
      return;
    }
    const name = "sse-mcp-server";
    this.#send({ type: "welcome", name, version, id: hub.cursor(), channels, heartbeatSeconds: heartbeat });
    this.#subscription = hub.subscribe(this.#asked, new WsSink(this.#ws, this.#socket));
    this.#presence.begin(this.#principal, this.#subscription);
    this.#hold();
  }

  #waitForCredential(): void {
    let leave: () => void;
    try {
      leave = this.#context.connections.wait(this.#client.address);
    } catch (error) {
      this.#refuse(undefined, error as HubError);
      this.#ws.close(TRY_AGAIN_LATER, "send a credential with the request");
      return;
    }
    const timer = setTimeout(() => {
      this.#refuse(undefined, credentialNeeded());
      this.#ws.close(CLOSE_CODES.unauthenticated, "no credential came in time");
    }, CREDENTIAL_TIMEOUT).unref();
    this.#release = () => {
      leave();
      clearTimeout(timer);
    };
  }

  /** Ends the connection when its credential ends, and says so a minute before. */
  #hold(): void {
    this.#release();
    this.#release = this.#context.lifetimes.hold(this.#principal, {
      expiring: (expires) => this.#send({ type: "expiring", expires: new Date(expires).toISOString() }),
      end: (reason) => this.end(reason),
    });
  }

  /** Takes a credential, or a newer one of the same principal, and drops what it may not read. */
  async #authenticate(token: string, answer: Answer): Promise<void> {
    const { authenticator } = this.#context;
    const principal = await judged(
      () => authenticator.token(token),
      () => this.#client.address,
      this.#context,
    );
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#principal.kind !== "anonymous" && this.#principal.id !== principal.id) {
      throw new HubError("FORBIDDEN", "This connection belongs to another principal; open another for this credential");
    }
    if (this.#principal.kind === "anonymous") this.#unclaim = this.#context.connections.claim(principal);
    this.#principal = principal;
    answer({
      type: "authenticated",
      subject: principal.subject,
      ...(principal.expires === undefined ? {} : { expires: new Date(principal.expires).toISOString() }),
    });
    if (this.#subscription === undefined) return this.#begin();
    this.#hold();
    this.#presence.identify(principal);
    const lost = this.#subscription.channels.filter((channel) => !maySubscribe(principal, channel));
    if (lost.length === 0) return;
    this.#context.hub.remove(this.#subscription, lost);
    this.#send({ type: "unsubscribed", channels: lost });
  }

  get #caller(): Caller {
    return { principal: this.#principal, address: this.#client.address };
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
    const trace = this.#context.tracer?.root.extract(json);
    const correlation: Correlation = { id: this.#request.id, trace };
    try {
      if (fault !== undefined) throw fault;
      const answer: Answer = ({ type, ...rest }) => this.#send({ type, ...(id === undefined ? {} : { id }), ...rest });
      await this.#do(checkedFrame(json), answer, correlation);
    } catch (error) {
      const known = asHubError(error, this.#context.limits.body);
      if (known.code === "INTERNAL") this.#request.failed(error, correlation);
      this.#refuse(id, known);
    }
  }

  async #do(frame: ClientFrame, answer: Answer, correlation: Correlation): Promise<void> {
    const { hub, limits, rateLimits } = this.#context;
    if (frame.type === "ping") return answer({ type: "pong" });
    if (frame.type === "auth") return this.#authenticate(frame.token, answer);
    const subscription = this.#subscription;
    if (subscription === undefined) throw credentialNeeded();
    switch (frame.type) {
      case "mcp_call": {
        const { tool, arguments: input } = frame;
        rateLimits.admit(this.#principal, this.#client.address, "tool_calls");
        const result = await callTool(
          this.#context.tools.named(tool),
          input,
          requestContext(this.#context, this.#gone, this.#client, this.#caller, correlation, this.#presence),
        );
        return answer({ type: "mcp_result", tool, result });
      }
      case "publish": {
        const caller = this.#caller;
        const told = await publishFrame(frame, this.#context, caller, correlation);
        if (told.type === "published") this.#presence.published(frame, caller.principal);
        return answer(told);
      }
      case "subscribe": {
        const channels = checkedChannels(frame.channels, limits.channels, subscription.channels);
        checkSubscribe(this.#principal, channels);
        // The answer parts what was read before from what is read from here on.
        hub.flush(subscription);
        answer({ type: "subscribed", channels });
        this.#presence.changed();
        return hub.add(subscription, { channels, after: frame.last_event_id || undefined });
      }
      case "unsubscribe": {
        const channels = checkedChannels(frame.channels, limits.channels);
        hub.remove(subscription, channels);
        this.#presence.changed();
        return answer({ type: "unsubscribed", channels });
      }
    }
  }

  #refuse(id: string | number | undefined, { code, message, retry, retryAfter = RETRY_AFTER }: HubError): void {
    const later = retry ? { retry, retryAfter } : { retry };
    this.#send({ type: "error", ...(id === undefined ? {} : { id }), code, message, ...later });
  }

  /** Answers wait for the reader as messages do, and a reader that takes neither is cut. */
  #send(frame: object): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#guard.check(this.#socket.writableLength) !== "ok") return this.#ws.terminate();
    const bytes = Buffer.from(JSON.stringify(frame));
    this.#ws.send(bytes, { binary: false });
    if (!this.#socket.writableNeedDrain || this.#subscription === undefined) return;
    // Its messages wait in the same socket, so they count together.
    this.#subscription.lag = this.#context.hub.backlog.add(this.#subscription, bytes);
  }
}

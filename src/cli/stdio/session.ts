import { setTimeout as wait } from "node:timers/promises";
import { isObject } from "../../protocol/json.ts";
import { oneLine } from "../../protocol/text.ts";
import { pushMessages, withChannelCapability } from "./claude-channel.ts";
import { exchange } from "./exchange.ts";
import { Failure } from "./failure.ts";
import type { HubEndpoint } from "./hub-endpoint.ts";
import { notification, type JsonObject, type Message, type Request } from "./message.ts";
import type { Output } from "./output.ts";
import type { PendingRequest } from "./pending-request.ts";
import { followSession } from "./session-stream.ts";
import { openTransport, type SessionState } from "./transport.ts";

/** Milliseconds to wait for what is only better awaited: a stream to open, a request to arrive before it is cancelled. */
const SETTLE_TIMEOUT = 1000;
/** Milliseconds that the hub has to take a cancellation. */
const CANCELLATION = 3000;
/** Milliseconds that the hub has to end a session. */
const END_TIMEOUT = 500;

/** A session that the hub has opened. */
interface Opened extends SessionState {
  readonly capabilities: JsonObject;
  /** Aborted when another has taken its place. */
  readonly over: AbortController;
}

/** The session of a client of the older revisions. It outlives its connections, and the hub: a lost one is renewed. */
export class Session {
  readonly #hub: HubEndpoint;
  readonly #output: Output;
  readonly #note: (sentence: string) => void;
  /** Channels of the hub whose messages wake the client. */
  readonly #channels: readonly string[];
  #pushing: AbortController | undefined;
  readonly #over = new AbortController();
  #opened: Opened | undefined;
  #renewal: Promise<Opened> | undefined;
  /** Resolves when the next message may be sent. */
  #gate: Promise<unknown> = Promise.resolve();
  // What the client has done in its session, to be done again in another.
  #initialize: Request | undefined;
  #initialized: Message | undefined;
  #level: Request | undefined;
  readonly #subscribed = new Map<unknown, Request>();

  constructor(hub: HubEndpoint, output: Output, note: (sentence: string) => void, channels: readonly string[] = []) {
    this.#channels = channels;
    this.#hub = hub;
    this.#output = output;
    this.#note = note;
  }

  /** Resolves when all is written. Throws `Failure`. */
  async answer(pending: PendingRequest): Promise<void> {
    const { message, signal, begin, write } = pending;
    if (message.method === "initialize") return this.#inTurn(() => this.#begin(pending));
    await this.#gate;
    // It is allowed before there is a session, in which alone a hub would answer it.
    if (message.method === "ping" && this.#opened === undefined) {
      return write({ jsonrpc: "2.0", id: message.id, result: {} });
    }
    const receive = (reply: Message): void => {
      if (reply.result !== undefined) this.#learn(message);
      write(reply);
    };
    await this.#send((session) => exchange(this.#hub, message, receive, { session, signal, begun: begin }));
  }

  /** Cancels a request at the hub. Throws `Failure`. */
  async cancel(pending: PendingRequest, message: Message): Promise<void> {
    if (pending.message.method === "initialize") return;
    pending.mute();
    // On another connection it could overtake the request.
    await Promise.race([pending.begun, wait(SETTLE_TIMEOUT, undefined, { ref: false })]);
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(CANCELLATION)]);
    try {
      await exchange(this.#hub, message, () => {}, { session: this.#opened, signal });
    } finally {
      pending.abort();
    }
  }

  /** Passes on a notification or a response. Throws `Failure`. */
  async pass(message: Message): Promise<void> {
    if (message.method === "notifications/initialized") return this.#inTurn(() => this.#pass(message, true));
    await this.#gate;
    await this.#pass(message);
  }

  /** Ends the session. */
  async close(): Promise<void> {
    this.#over.abort();
    if (this.#opened !== undefined) await this.#end(this.#opened);
  }

  /** Does this before anything that comes later. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#gate.then(work);
    this.#gate = done.catch(() => {});
    return done;
  }

  async #begin({ message, signal, write }: PendingRequest): Promise<void> {
    if (this.#opened !== undefined) void this.#end(this.#opened);
    this.#initialize = message;
    this.#initialized = undefined;
    this.#level = undefined;
    this.#subscribed.clear();
    this.#pushing?.abort();
    const answer = this.#channels.length === 0 ? write : (reply: Message) => write(withChannelCapability(reply));
    this.#opened = await this.#open(message, signal, answer);
  }

  /** Opens a session; undefined if the hub refuses it. */
  async #open(message: Request, signal: AbortSignal, receive: (reply: Message) => void): Promise<Opened | undefined> {
    let result: JsonObject | undefined;
    const note = (reply: Message): void => {
      ({ result } = reply);
      receive(reply);
    };
    const id = await exchange(this.#hub, message, note, { signal });
    if (result === undefined) return undefined;
    const { protocolVersion: version, capabilities } = result;
    return {
      id,
      protocolVersion: typeof version === "string" ? version : undefined,
      capabilities: isObject(capabilities) ? capabilities : {},
      over: new AbortController(),
    };
  }

  async #pass(message: Message, isInitialized = false): Promise<void> {
    if (this.#opened === undefined) throw new Failure(400, "There is no session; send initialize first");
    const { signal } = this.#over;
    const isResponse = message.method === undefined;
    await this.#send((session) => exchange(this.#hub, message, () => {}, { session, signal }), !isResponse);
    if (!isInitialized) return;
    this.#initialized = message;
    this.#push();
    // What changes after the first subscription would otherwise be missed.
    await Promise.race([this.#follow(false), wait(SETTLE_TIMEOUT, undefined, { ref: false })]);
  }

  /** Wakes the client with what is published on its channels from now on. */
  #push(): void {
    this.#pushing?.abort();
    if (this.#channels.length === 0) return;
    this.#pushing = new AbortController();
    const signal = AbortSignal.any([this.#over.signal, this.#pushing.signal]);
    const call = async (request: Request): Promise<Message> => {
      const { promise, resolve, reject } = Promise.withResolvers<Message>();
      const receive = (reply: Message): void => {
        if (reply.method === undefined) resolve(reply);
      };
      this.#send((session) => exchange(this.#hub, request, receive, { session, signal })).catch(reject);
      return promise;
    };
    void pushMessages(this.#channels, call, this.#output, this.#note, signal);
  }

  /** Sends in the session; if the hub has lost it, once more in another, unless it was for that one only. */
  async #send(send: (session: Opened | undefined) => Promise<unknown>, mayRepeat = true): Promise<void> {
    const session = this.#opened;
    try {
      await send(session);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 404 || session?.id === undefined) throw error;
      const renewed = await this.#renewed(session);
      if (!mayRepeat) throw new Failure(404, "The hub has lost the session in which it asked for this");
      await send(renewed);
    }
  }

  #learn(message: Request): void {
    const uri = message.params?.["uri"];
    if (message.method === "resources/subscribe") this.#subscribed.set(uri, message);
    else if (message.method === "resources/unsubscribe") this.#subscribed.delete(uri);
    else if (message.method === "logging/setLevel") this.#level = message;
  }

  /** The session that stands for one that the hub has lost. Throws `Failure`. */
  #renewed(lost: Opened): Promise<Opened> {
    if (this.#opened !== undefined && this.#opened !== lost) return Promise.resolve(this.#opened);
    return (this.#renewal ??= this.#renew(lost).finally(() => (this.#renewal = undefined)));
  }

  async #renew(lost: Opened): Promise<Opened> {
    if (this.#initialize === undefined) throw new Failure(404, "There is no session; send initialize first");
    const { signal } = this.#over;
    let refused: JsonObject = {};
    const session = await this.#open(this.#initialize, signal, ({ error = {} }) => (refused = error));
    if (session === undefined) {
      const { code, message } = refused;
      const status = Number(code) > 0 ? Number(code) : 503;
      throw new Failure(status, `The hub opens no other session: ${oneLine(String(message))}`);
    }
    const again = [this.#initialized, ...this.#subscribed.values(), this.#level].filter((done) => done !== undefined);
    for (const message of again) {
      const receive = ({ error }: Message): void => {
        if (error !== undefined) this.#subscribed.delete(message.params?.["uri"]);
      };
      await exchange(this.#hub, message, receive, { session, signal });
    }
    lost.over.abort();
    this.#opened = session;
    this.#note("the hub had lost the session; there is another now");
    if (this.#initialized !== undefined) void this.#follow(true);
    return session;
  }

  /** Reads the stream of the session; resolves when it is open. */
  #follow(isLate: boolean): Promise<void> {
    const session = this.#opened;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (session === undefined) return promise;
    const over = AbortSignal.any([session.over.signal, this.#over.signal]);
    const listener = {
      receive: (message: Message) => this.#output.write(message),
      opened: resolve,
      missed: () => this.#tellMissed(session),
      lost: () => this.#renewed(session),
      note: this.#note,
    };
    followSession(this.#hub, session, listener, { isLate, over }).catch((error: unknown) => {
      this.#note(`the stream of the session failed: ${error instanceof Error ? error.stack : String(error)}`);
    });
    return promise;
  }

  /** Tells the client of everything that may have changed. */
  #tellMissed({ capabilities }: Opened): void {
    for (const list of ["tools", "prompts", "resources"]) {
      const can = capabilities[list];
      if (isObject(can) && can["listChanged"] === true) this.#output.write(notification(`${list}/list_changed`));
    }
    for (const uri of this.#subscribed.keys()) this.#output.write(notification("resources/updated", { uri }));
  }

  /** Tells the hub that a session is over. */
  async #end(session: Opened): Promise<void> {
    session.over.abort();
    await using transport = await openTransport(this.#hub, session, AbortSignal.timeout(END_TIMEOUT));
    await transport.terminateSession().catch(() => {
      // The hub finds out by itself.
    });
  }
}

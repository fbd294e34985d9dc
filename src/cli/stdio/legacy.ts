import { setMaxListeners } from "node:events";
import type { IncomingMessage } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { rpcResult } from "../../protocol/jsonrpc.ts";
import { Backoff } from "./backoff.ts";
import { Broken, Failure, isPassing } from "./failure.ts";
import type { Era, Job } from "./job.ts";
import { isObject, notification, type RpcNotification, type RpcResponse } from "./message.ts";
import type { Output } from "./output.ts";
import { refusal, replies, type Place } from "./replies.ts";
import { follow } from "./session-stream.ts";
import { Opening, openSession, type Session } from "./session.ts";
import { discard, type Upstream } from "./upstream.ts";

/** Milliseconds to wait for what is only better awaited: a stream to open, a request to arrive before it is cancelled. */
const PATIENCE = 1000;
/** Milliseconds that the hub has to take a cancellation. */
const CANCELLATION = 3000;
/** Milliseconds that the hub has to end a session. */
const FAREWELL = 500;
/** Times to ask for the rest of an answer. */
const MAX_RESUMES = 8;

/** Requests in a session, which outlives its connections, and the hub. */
export class Legacy implements Era {
  readonly #upstream: Upstream;
  readonly #output: Output;
  readonly #note: (sentence: string) => void;
  readonly #over = new AbortController();
  #session: Session | undefined;
  #opening: Opening | undefined;
  #renewal: Promise<Session> | undefined;
  /** Resolves when the next message may be sent. */
  #gate: Promise<unknown> = Promise.resolve();

  constructor(upstream: Upstream, output: Output, note: (sentence: string) => void) {
    this.#upstream = upstream;
    this.#output = output;
    this.#note = note;
    setMaxListeners(0, this.#over.signal);
  }

  answer(job: Job): Promise<void> {
    if (job.request.method === "initialize") return this.#inTurn(() => this.#begin(job));
    return this.#gate.then(() => this.#answer(job));
  }

  async cancel(job: Job, text: string): Promise<void> {
    if (job.request.method === "initialize") return;
    job.mute();
    // On another connection it could overtake the request.
    await Promise.race([job.accepted, wait(PATIENCE, undefined, { ref: false })]);
    try {
      const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(CANCELLATION)]);
      const answer = await this.#session?.post(text, signal);
      if (answer !== undefined) discard(answer);
    } finally {
      job.abort();
    }
  }

  /** Passes on what needs no answer. Throws `Failure`. */
  pass(message: RpcNotification | RpcResponse): Promise<void> {
    if (message.kind === "notification" && message.method === "notifications/initialized") {
      return this.#inTurn(() => this.#initialized(message));
    }
    return this.#gate.then(() => this.#pass(message));
  }

  /** Ends the session. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#session?.end(AbortSignal.timeout(FAREWELL));
  }

  /** Does this before anything that comes later. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#gate.then(work);
    this.#gate = done.catch(() => {});
    return done;
  }

  async #begin(job: Job): Promise<void> {
    void this.#session?.end(this.#over.signal);
    this.#session = undefined;
    const write = (message: { readonly text: string }): Promise<void> => job.write(message.text);
    this.#session = await openSession(this.#upstream, job.request, job.signal, write);
    this.#opening = new Opening(job.request);
  }

  async #initialized(message: RpcNotification): Promise<void> {
    await this.#pass(message);
    if (this.#opening !== undefined) this.#opening.initialized = message;
    // What changes behind the first subscription would otherwise be told to nobody.
    await Promise.race([this.#follow(false), wait(PATIENCE, undefined, { ref: false })]);
  }

  async #answer(job: Job): Promise<void> {
    const { request, signal } = job;
    // It is allowed before there is a session, in which alone a hub would answer it.
    if (request.method === "ping" && this.#session === undefined) return job.write(rpcResult(request.id, {}));
    const place: Place = { lastId: "", retry: undefined };
    let { answer, session } = await this.#post(request.text, signal);
    job.accept();
    for (;;) {
      try {
        for await (const message of replies(answer, request.id, place)) {
          if (message.kind === "response") this.#opening?.learn(request, message);
          await job.write(message.text);
        }
        return;
      } catch (error) {
        if (!(error instanceof Broken) || session === undefined || place.lastId === "") throw error;
        answer = await resumed(session, place, signal, error);
      }
    }
  }

  async #pass(message: RpcNotification | RpcResponse): Promise<void> {
    if (this.#session === undefined) throw new Failure(400, "There is no session; send initialize first");
    const { answer } = await this.#post(message.text, this.#over.signal, message.kind === "notification");
    discard(answer);
    if ((answer.statusCode ?? 0) >= 400) throw refusal(answer);
  }

  /** Posts in the session; where the hub has lost that, once more in another, unless it was for that one only. */
  async #post(
    text: string,
    signal: AbortSignal,
    mayRepeat = true,
  ): Promise<{ answer: IncomingMessage; session: Session | undefined }> {
    const session = this.#session;
    const answer = await (session === undefined ? this.#upstream.post(text, {}, signal) : session.post(text, signal));
    if (answer.statusCode !== 404 || session?.id === undefined) return { answer, session };
    discard(answer);
    const renewed = await this.#renewed(session);
    if (!mayRepeat) throw new Failure(404, "The hub has lost the session in which it asked for this");
    return { answer: await renewed.post(text, signal), session: renewed };
  }

  /** The session that stands for one that the hub has lost. Throws `Failure`. */
  #renewed(lost: Session): Promise<Session> {
    if (this.#session !== undefined && this.#session !== lost) return Promise.resolve(this.#session);
    return (this.#renewal ??= this.#renew(lost).finally(() => (this.#renewal = undefined)));
  }

  async #renew(lost: Session): Promise<Session> {
    const opening = this.#opening;
    if (opening === undefined) throw new Failure(404, "There is no session; send initialize first");
    const session = await opening.repeat(this.#upstream, this.#over.signal);
    lost.leave();
    this.#session = session;
    this.#note("the hub had lost the session; there is another now");
    if (opening.initialized !== undefined) void this.#follow(true);
    return session;
  }

  /** Reads the stream of the session; resolves when it is open. */
  #follow(isLate: boolean): Promise<void> {
    const session = this.#session;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (session === undefined) return promise;
    const listener = {
      write: (text: string) => this.#output.write(text, session.over),
      missed: () => this.#tellMissed(session),
      lost: () => this.#renewed(session),
      opened: resolve,
      note: this.#note,
    };
    void follow(session, listener, isLate);
    return promise;
  }

  /** Tells the client of everything that may have changed. */
  async #tellMissed({ capabilities, over }: Session): Promise<void> {
    for (const list of ["tools", "prompts", "resources"]) {
      const can = capabilities[list];
      if (isObject(can) && can["listChanged"] === true)
        await this.#output.write(notification(`${list}/list_changed`), over);
    }
    for (const uri of this.#opening?.uris ?? [])
      await this.#output.write(notification("resources/updated", { uri }), over);
  }
}

/** The rest of an answer whose connection broke. Throws `Broken` where there is none to be had. */
async function resumed(session: Session, place: Place, signal: AbortSignal, error: Broken): Promise<IncomingMessage> {
  const backoff = new Backoff();
  for (let attempt = 0; attempt < MAX_RESUMES && !signal.aborted; attempt++) {
    await backoff.pause(signal, place.retry);
    let answer: IncomingMessage;
    try {
      answer = await session.get(place.lastId, signal);
    } catch {
      continue;
    }
    const { statusCode: status } = answer;
    if (status === 200) return answer;
    discard(answer);
    if (status !== 409 && !isPassing(status)) break;
  }
  throw error;
}

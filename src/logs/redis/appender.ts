import { HubError } from "../../core/errors.ts";
import type { Appended } from "../../core/log.ts";
import type { Draft, Message } from "../../core/message.ts";
import { WriteBatch, type Waiting } from "../write-batch.ts";
import { isRefusal, type RedisConnection } from "./connection.ts";
import type { AppendReply, RedisEngine } from "./engine.ts";
import type { RedisFollower } from "./follower.ts";
import type { Mirror } from "./mirror.ts";
import { undecided } from "./runs.ts";

export interface AppenderOptions {
  readonly connection: RedisConnection;
  readonly engine: RedisEngine;
  readonly follower: RedisFollower;
  readonly mirror: Mirror;
  /** full: a replica confirms each batch. */
  readonly durability: "normal" | "full";
}

/** A script occupies the engine while it runs, so a batch is bounded. */
const BATCH = 256;
const BATCH_CHARACTERS = 256 * 1024;
/** Milliseconds that a batch is tried for. */
const APPEND_TIMEOUT = 2500;
const RETRY = 50;
const RETRY_ADVICE =
  "If it had an Idempotency-Key, publish it again with the same key; without one, publishing again may duplicate it";
/** Refusals of an engine that is about to serve, or to be replaced by another. */
const TRANSIENT_ERRORS = /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|UNBLOCKED)/;

/**
 * Sends what is appended to the engine, a batch at a time: what is appended while one is on its way goes with the next.
 * A batch whose answer was lost is sent again under its number, which the engine recognizes.
 */
export class RedisAppender {
  readonly #options: AppenderOptions;
  readonly #batch = new WriteBatch(
    () => void this.#send(),
    () => this.#refusal(),
  );
  #number = 0;
  #sending: Promise<void> | undefined;
  #closing = false;
  /** Channels that a batch on its way adds. */
  readonly #newChannels = new Set<string>();
  /** Channels that were refused since something began to wait: what comes after it must not overtake what was refused. */
  readonly #refusedChannels = new Set<string>();

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  append(draft: Draft): Promise<Appended> {
    return this.#batch.add(draft);
  }

  appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return this.#batch.addAll(drafts);
  }

  /** Sends what was appended, and refuses what comes after that. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#send();
  }

  /** Why nothing may be appended now; undefined if it may. */
  #refusal(): HubError | undefined {
    if (this.#closing) return closed();
    // What waited for the engine to come back would be published late, and out of turn.
    if (!this.#options.connection.isReady) return this.#options.connection.unavailable();
    // Its message would be kept, and its publisher could not be told so.
    const problem = this.#options.follower.mirrorProblem;
    return problem === undefined ? undefined : new HubError("LOG_UNAVAILABLE", problem);
  }

  #send(): Promise<void> {
    return (this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined)));
  }

  async #sendAll(): Promise<void> {
    while (this.#batch.size > 0) {
      const waiting = this.#batch.take(BATCH, BATCH_CHARACTERS).filter((one) => this.#isAdmitted(one));
      if (waiting.length > 0) await this.#sendBatch(waiting);
      this.#newChannels.clear();
    }
    this.#refusedChannels.clear();
  }

  /** Whether there is room for the channel of a draft, which is refused if not. */
  #isAdmitted(waiting: Waiting): boolean {
    const { draft } = waiting;
    const { channels } = this.#options.mirror;
    const isKnown = (channels.find(draft.channel)?.kept ?? 0) > 0 || this.#newChannels.has(draft.channel);
    if (draft.ephemeral || isKnown) return true;
    const isRefused = this.#refusedChannels.has(draft.channel);
    const full = channels.full(isRefused ? Infinity : this.#newChannels.size - channels.emptySize);
    if (full === undefined) this.#newChannels.add(draft.channel);
    else {
      this.#refusedChannels.add(draft.channel);
      waiting.settle(full);
    }
    return full === undefined;
  }

  async #sendBatch(waiting: readonly Waiting[]): Promise<void> {
    const { engine, follower, durability } = this.#options;
    const drafts = waiting.map(({ draft }) => draft);
    const number = ++this.#number;
    const start = performance.now();
    let problem: unknown;
    for (let isSent = false; ;) {
      const { epoch } = follower.runs;
      try {
        const reply = await engine.append(number, epoch, drafts);
        if (reply !== undefined) {
          const unconfirmed =
            durability === "full"
              ? await engine.confirm().then(
                  () => undefined,
                  (error) => error as HubError,
                )
              : undefined;
          this.#answer(waiting, reply, epoch, unconfirmed);
          return;
        }
        problem = undefined;
        if (await follower.catchUp()) continue;
      } catch (error) {
        problem = (error as Error).cause;
        // What was refused, or never sent, was not kept.
        isSent ||= !isRefusal(problem) && !String(problem).includes("isn't writeable");
      }
      const isHopeless = isRefusal(problem) && !TRANSIENT_ERRORS.test((problem as Error).message);
      if (isHopeless || performance.now() - start > APPEND_TIMEOUT) return this.#refuse(waiting, problem, isSent);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  /** Hands on what the engine has kept, and answers its publishers after that. */
  #answer(waiting: readonly Waiting[], reply: AppendReply, epoch: string, unconfirmed: HubError | undefined): void {
    const { follower, mirror } = this.#options;
    const { before, floor, time, offsets } = reply;
    let last = before;
    const messages: Message[] = [];
    const outcomes = waiting.map(({ draft }, index): Appended => {
      const offset = offsets[index] ?? 0;
      const { key = "" } = draft;
      // Its own message, or that of an earlier draft of the same batch.
      if (offset < 0) {
        const known = messages.find((message) => message.offset === -offset) ?? mirror.message(-offset);
        return {
          message: known === undefined ? { ...draft, offset: -offset, time } : { ...known, key },
          repeated: true,
        };
      }
      if (offset > 0) last = offset;
      const message: Message = { ...draft, offset: last, time };
      messages.push(message);
      return { message, repeated: false };
    });
    follower.deliver({
      epoch,
      before,
      floor,
      messages,
      settle: (isDelivered) => {
        const failure = isDelivered ? unconfirmed : undelivered();
        for (const [index, one] of waiting.entries()) one.settle(failure ?? (outcomes[index] as Appended));
      },
    });
  }

  #refuse(waiting: readonly Waiting[], cause: unknown, isSent: boolean): void {
    const { connection } = this.#options;
    const away = connection.unavailable(cause ?? undecided());
    const sentence = `${away.message}. The message may have been kept. ${RETRY_ADVICE}`;
    const unsure = new HubError("LOG_UNAVAILABLE", sentence, { cause });
    for (const one of waiting) one.settle(isSent ? unsure : away);
    // What was appended after this batch must not wait either.
    this.#batch.fail(away);
  }
}

function closed(): HubError {
  return new HubError("LOG_UNAVAILABLE", "The log is closed");
}

function undelivered(): HubError {
  return new HubError(
    "LOG_UNAVAILABLE",
    `The message was kept, but this node could not confirm that it stays. ${RETRY_ADVICE}`,
  );
}

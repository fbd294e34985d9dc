import type { ChannelModel, ConfirmChannel, Message } from "amqplib";
import type { Outgoing, Target } from "../../bus.ts";
import { isTemplate, levelProblem, render } from "../../template.ts";
import { brokerMessage, closeChannel } from "./channel.ts";
import type { AmqpOut } from "./rules.ts";

/** Bytes of a routing key at most. */
const MAX_KEY = 255;
/** What may not add words to a routing key; a channel and an event, such as `order.created`, may. */
const ONE_WORD: readonly string[] = ["sender"];
/** The broker closes the channel with this code if a message is too large. */
const PRECONDITION_FAILED = 406;
/** And with this one if the user may not publish. */
const ACCESS_REFUSED = 403;
/** What it says if that is because of the routing key. */
const FORBIDDEN_KEY = /access to topic/;

/** Publishes to one exchange, on a channel of its own with publisher confirms. */
export class AmqpTarget implements Target {
  readonly #model: ChannelModel;
  readonly #rule: AmqpOut;
  readonly #fail: (error: Error) => void;
  readonly #lost: Promise<never>;
  #channel!: ConfirmChannel;
  /** Why the broker closed the channel, if that was because of a message. */
  #refusal: Error | undefined;
  /** Ids of messages that reached no queue: the broker returns them before it confirms them. */
  readonly #returned: Set<string> = new Set();
  /** Set while the broker blocks publishers. */
  #blocked: PromiseWithResolvers<void> | undefined;

  private constructor(model: ChannelModel, rule: AmqpOut, fail: (error: Error) => void, lost: Promise<never>) {
    this.#model = model;
    this.#rule = rule;
    this.#fail = fail;
    this.#lost = lost;
  }

  static async open(
    model: ChannelModel,
    rule: AmqpOut,
    report: (sentence: string) => void,
    fail: (error: Error) => void,
    lost: Promise<never>,
  ): Promise<AmqpTarget> {
    const target = new AmqpTarget(model, rule, fail, lost);
    model.on("blocked", (reason: string) => {
      target.#blocked ??= Promise.withResolvers();
      report(`the broker takes no messages until it has recovered: ${reason}`);
    });
    model.on("unblocked", () => {
      target.#blocked?.resolve();
      target.#blocked = undefined;
      report("the broker takes messages again");
    });
    await target.#openChannel();
    return target;
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    if (this.#blocked !== undefined) await Promise.race([this.#blocked.promise, this.#lost]);
    // Waits for all of them, so that no confirmation comes for a channel that was replaced.
    const sent = await Promise.allSettled(messages.map((message) => this.#publish(message)));
    if (this.#refusal !== undefined) return this.#sendEach(messages, this.#refusal);
    return sent.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  async close(): Promise<void> {
    this.#blocked?.resolve();
    await closeChannel(this.#channel);
  }

  /** Sends one by one, since the broker does not say for which message it closed the channel. */
  async #sendEach(messages: readonly Outgoing[], refusal: Error): Promise<readonly (Error | undefined)[]> {
    await this.#openChannel();
    if (messages.length === 1) return [refusal];
    const results: (Error | undefined)[] = [];
    for (const message of messages) results.push(...(await this.send([message])));
    return results;
  }

  /** Resolves when the broker has confirmed the message, with an error if it refuses it for good. */
  #publish(message: Outgoing): Promise<Error | undefined> {
    const { body = new Uint8Array(), headers, contentType, id, names } = message;
    const { exchange, routingKey, persistent, mandatory } = this.#rule;
    const key = render(routingKey, names);
    if (key === undefined)
      return Promise.resolve(new Error(`it has no value for a placeholder of its routing key, ${routingKey}`));
    if (Buffer.byteLength(key) > MAX_KEY) {
      return Promise.resolve(new Error(`its routing key is longer than ${MAX_KEY} bytes: ${key.slice(0, 50)}…`));
    }
    // Without an exchange, the key names a queue, and has no words.
    const problem = exchange === "" ? undefined : levelProblem(routingKey, names, ONE_WORD, ".");
    if (problem !== undefined) return Promise.resolve(new Error(problem));
    const { promise, resolve, reject } = Promise.withResolvers<Error | undefined>();
    const confirm = (error: Error | null): void => {
      if (error !== null) reject(new Error(`the broker did not take a message: ${error.message}`, { cause: error }));
      else if (this.#returned.delete(id)) resolve(new Error(unroutable(exchange, key)));
      else resolve(undefined);
    };
    const options = { headers, contentType, messageId: id, type: names["event"], persistent, mandatory };
    try {
      const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
      this.#channel.publish(exchange, key, content, options, confirm);
    } catch (cause) {
      if (cause instanceof RangeError || cause instanceof TypeError) {
        resolve(new Error(`its headers cannot be sent: ${cause.message}`, { cause }));
      } else reject(cause);
    }
    return promise;
  }

  /** Whether this connection may not publish with the routing key of one message: others may have another one. */
  #isForbidden({ code, message }: Error & { code?: unknown }): boolean {
    return code === ACCESS_REFUSED && FORBIDDEN_KEY.test(message) && isTemplate(this.#rule.routingKey);
  }

  async #openChannel(): Promise<void> {
    this.#refusal = undefined;
    const channel = await this.#model.createConfirmChannel();
    channel.on("return", ({ properties }: Message) => this.#returned.add(String(properties.messageId)));
    channel.on("error", (error: Error & { code?: unknown }) => {
      const reason = new Error(brokerMessage(error), { cause: error });
      if (error.code === PRECONDITION_FAILED || this.#isForbidden(error)) this.#refusal = reason;
      else this.#fail(reason);
    });
    this.#channel = channel;
  }
}

function unroutable(exchange: string, key: string): string {
  return exchange === ""
    ? `there is no queue ${key}, and without an exchange the routing key names one`
    : `no queue is bound to exchange ${exchange} for routing key ${key}; bind one, or set mandatory: false`;
}

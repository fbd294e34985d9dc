import type { IClientPublishOptions, MqttClient } from "mqtt";
import { PartlyRefusedError, type Outgoing, type Target } from "../../bus.ts";
import { reasonOf } from "../../server-connection.ts";
import { isTemplate, levelProblem, render } from "../../template.ts";
import type { MqttOut } from "./rules.ts";
import { MAX_TEXT, topicProblem } from "./topic.ts";

/** Messages that are sent before the first of them is confirmed, at most. */
const MAX_UNCONFIRMED = 256;
/** Bytes of a packet besides its topic, its payload and the texts in its properties, at most. */
const OVERHEAD = 32;
/** Bytes of each property besides its texts. */
const PROPERTY_OVERHEAD = 5;
/** What a broker may end the connection for, and Mosquitto does (MQTT 5, section 1.5.4). */
const FORBIDDEN = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;
/** What may not add levels to a topic; a channel may. */
const ONE_LEVEL: readonly string[] = ["event", "sender"];
/** Reason codes from here on are refusals. */
const REFUSAL = 0x80;
const NOT_AUTHORIZED = 0x87;
/** Temporary refusals: "server busy" and "quota exceeded". */
const TEMPORARY: ReadonlySet<number> = new Set([0x89, 0x97]);

/** Publishes with QoS 1: the broker confirms each message. */
export class MqttTarget implements Target {
  readonly #rule: MqttOut;
  readonly #clientFor: (topic: string) => MqttClient;
  /** Functions that reject what is not confirmed yet. */
  readonly #unconfirmed: Set<(error: Error) => void> = new Set();
  #loss: Error | undefined;

  constructor(rule: MqttOut, clientFor: (topic: string) => MqttClient, lost: Promise<never>) {
    this.#rule = rule;
    this.#clientFor = clientFor;
    lost.catch((error: Error) => this.#end(error));
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    const sent: Promise<Error | undefined>[] = [];
    for (const message of messages) {
      const topic = this.#topicOf(message);
      const client = this.#clientFor(topic ?? "");
      const most = Math.min(MAX_UNCONFIRMED, client.serverProperties?.receiveMaximum ?? MAX_UNCONFIRMED);
      // Brokers confirm in order.
      if (sent.length >= most) await sent[sent.length - most];
      const problem = this.#problemOf(message, topic, client);
      const result = problem === undefined ? this.#publish(message, topic ?? "", client) : Promise.resolve(problem);
      // All of them fail when the connection is lost; `Promise.all` below reports the first.
      result.catch(() => {});
      sent.push(result);
    }
    try {
      return await Promise.all(sent);
    } catch (cause) {
      // Mosquitto 2.0.11 ends the connection after a refusal, and would do so each time that the message is sent.
      const results = await Promise.allSettled(sent);
      const refusals = results.map((result) => (result.status === "fulfilled" ? result.value : undefined));
      const first = refusals.find((error) => error !== undefined);
      if (first === undefined) throw cause;
      throw new PartlyRefusedError(`${reasonOf(cause)}; before that: ${first.message}`, refusals, { cause });
    }
  }

  async close(): Promise<void> {
    this.#end(new Error("the bridge is closed"));
  }

  #topicOf({ names }: Outgoing): string | undefined {
    const { channel } = names;
    return render(this.#rule.topic, { ...names, channel: channel?.replaceAll(".", "/") });
  }

  /** Why a message can never be sent; undefined if it can. */
  #problemOf(message: Outgoing, topic: string | undefined, client: MqttClient): Error | undefined {
    if (topic === undefined) return new Error(`it has no value for a placeholder of its topic, ${this.#rule.topic}`);
    const problem = topicProblem(topic) ?? levelProblem(this.#rule.topic, message.names, ONE_LEVEL, "/");
    if (problem !== undefined) return new Error(problem);
    const { body, headers, contentType = "" } = message;
    const texts = [topic, contentType];
    for (const name in headers) texts.push(name, headers[name] ?? "");
    let size = OVERHEAD + (body?.byteLength ?? 0);
    for (const text of texts) {
      const bytes = Buffer.byteLength(text);
      if (bytes > MAX_TEXT) return new Error(`one of its headers is longer than ${MAX_TEXT} bytes`);
      const [forbidden] = FORBIDDEN.exec(text) ?? [];
      if (forbidden !== undefined)
        return new Error(
          `its topic or one of its headers has a character that MQTT does not allow: ${codePoint(forbidden)}`,
        );
      size += bytes + PROPERTY_OVERHEAD;
    }
    const most = client.serverProperties?.maximumPacketSize ?? Infinity;
    return size > most ? new Error(`it takes about ${size} bytes; the broker takes ${most} at most`) : undefined;
  }

  /** Resolves when the broker has confirmed the message, with an error if it refuses it for good. */
  #publish({ body, headers, contentType }: Outgoing, topic: string, client: MqttClient): Promise<Error | undefined> {
    if (this.#loss !== undefined) return Promise.reject(this.#loss);
    const { promise, resolve, reject } = Promise.withResolvers<Error | undefined>();
    this.#unconfirmed.add(reject);
    const options: IClientPublishOptions = {
      qos: 1,
      retain: this.#rule.retain,
      properties: {
        // mqtt.js never sends a message with empty user properties.
        ...(Object.keys(headers).length === 0 ? {} : { userProperties: { ...headers } }),
        ...(contentType === undefined ? {} : { contentType }),
      },
    };
    const payload = body === undefined ? "" : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    client.publish(topic, payload, options, (error) => {
      this.#unconfirmed.delete(reject);
      const code = error === undefined || error === null || !("code" in error) ? 0 : error.code;
      // If all messages have one topic, they wait until it is allowed.
      const mayWait = TEMPORARY.has(code) || (code === NOT_AUTHORIZED && !isTemplate(this.#rule.topic));
      if (code >= REFUSAL && !mayWait)
        resolve(new Error(`the broker refuses topic ${topic}: ${error?.message ?? code}`));
      else if (error) reject(error);
      else resolve(undefined);
    });
    return promise;
  }

  #end(error: Error): void {
    this.#loss ??= error;
    for (const reject of this.#unconfirmed) reject(error);
    this.#unconfirmed.clear();
  }
}

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`;
}

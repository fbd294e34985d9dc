import type { IPublishPacket, MqttClient } from "mqtt";
import { MAX_BATCH, type Batch, type Outcome, type Received, type Source } from "../../bus.ts";
import { heldBytes } from "../../held-bytes.ts";
import { Inbox } from "../../inbox.ts";
import { closeClient } from "./client.ts";
import type { MqttIn } from "./rules.ts";
import { matches, sharedFilter, topicNames } from "./topic.ts";

/** Keeps mqtt.js from acknowledging a message, which happens when it is settled. */
const LATER = new Error("not settled yet");
/** PUBACK, and the reason code of one that rejects: "implementation specific error". */
const PUBACK = 0x40;
const REJECTED = 0x83;
/** Bytes of a PUBACK with a reason code; without one, it is shorter. */
const MAX_PUBACK = 5;
const NO_HEADERS = {};
/** Milliseconds between pings while nothing is read. */
const PAUSED_PING = 5000;

/** The topics of one rule, with a session of its own at the broker. */
export class MqttSource implements Source {
  readonly #rule: MqttIn;
  readonly #inbox: Inbox<IPublishPacket> = new Inbox(({ payload, topic, properties }) =>
    heldBytes(payload.length + topic.length, 0, properties),
  );
  #client: MqttClient | undefined;

  constructor(rule: MqttIn, lost: Promise<never>) {
    this.#rule = rule;
    lost.catch((error: Error) => this.#inbox.fail(error));
  }

  /** Receives the messages of a client. */
  attach(client: MqttClient): void {
    this.#client = client;
    client.handleMessage = (packet, done) => {
      if (packet.retain && this.#rule.retained === "skip") {
        done();
        return;
      }
      this.#inbox.add(packet);
      const next = (): void => done(packet.qos > 0 ? LATER : undefined);
      // Brokers hold back QoS 1 until it is acknowledged (Mosquitto 2.0.11 not all of it), but never QoS 0.
      if (this.#inbox.size > this.#rule.prefetch || this.#inbox.isHeavy) void this.#pause(client, next);
      else next();
    };
  }

  async subscribe(report: (sentence: string) => void): Promise<void> {
    const { topics, retained } = this.#rule;
    const isShared = sharedFilter(topics[0] ?? "") !== undefined;
    // No Local is not allowed for shared subscriptions. Retained messages come with the first subscription of a session.
    const options = { qos: 1 as const, nl: !isShared, rap: false, rh: retained === "take" ? 1 : 2 };
    const subscribe = async (): Promise<void> => {
      const granted = await this.#client?.subscribeAsync(Object.fromEntries(topics.map((topic) => [topic, options])));
      const lesser = granted?.filter(({ qos }) => qos === 0).map(({ topic }) => topic) ?? [];
      if (lesser.length > 0)
        report(`the broker sends ${lesser.join(", ")} without acknowledgements: messages can be lost`);
    };
    const subscribing = subscribe();
    subscribing.catch((error: Error) => this.#inbox.fail(error));
    // The broker may send what waits in the session before it answers. If that is too much, it has to be taken first.
    await Promise.race([subscribing, this.#inbox.whenFull(this.#rule.prefetch + 1)]);
  }

  /** The client, if it receives what is published to a topic: what it publishes itself does not come back to it. */
  clientFor(topic: string): MqttClient | undefined {
    return this.#rule.topics.some((filter) => matches(filter, topic)) ? this.#client : undefined;
  }

  async *batches(): AsyncGenerator<Batch> {
    for (;;) {
      const taken = await this.#inbox.take(MAX_BATCH);
      if (taken.length === 0) return;
      yield { messages: taken.map(receivedOf), settle: async (outcomes) => this.#settle(taken, outcomes) };
    }
  }

  async close(): Promise<void> {
    this.#inbox.close();
    if (this.#client !== undefined) await closeClient(this.#client);
  }

  /** Reads nothing until enough has been taken. Meanwhile answers to pings are not read either, so it expects none. */
  async #pause(client: MqttClient, next: () => void): Promise<void> {
    const timer = setInterval(() => {
      client.sendPing();
      client.reschedulePing(true);
    }, PAUSED_PING);
    await this.#inbox.whenRoom(this.#rule.prefetch);
    clearInterval(timer);
    next();
  }

  #settle(packets: readonly IPublishPacket[], outcomes: readonly Outcome[]): void {
    const client = this.#client;
    if (client?.connected !== true) throw new Error("the connection ended before messages were acknowledged");
    const acknowledgements = Buffer.allocUnsafe(MAX_PUBACK * packets.length);
    let end = 0;
    for (let index = 0; index < packets.length; index++) {
      const { qos, messageId = 0 } = packets[index] as IPublishPacket;
      if (qos === 0) continue;
      const isDone = outcomes[index] === "done";
      end = acknowledgements.writeUInt8(PUBACK, end);
      end = acknowledgements.writeUInt8(isDone ? 2 : 3, end);
      end = acknowledgements.writeUInt16BE(messageId, end);
      if (!isDone) end = acknowledgements.writeUInt8(REJECTED, end);
    }
    if (end > 0) client.stream.write(acknowledgements.subarray(0, end));
  }
}

export function receivedOf(packet: IPublishPacket): Received {
  const { topic, payload, properties } = packet;
  return {
    body: typeof payload === "string" ? Buffer.from(payload) : payload,
    headers: headersOf(properties),
    contentType: properties?.contentType,
    // Only rules with placeholders need them.
    get names() {
      return topicNames(topic);
    },
    position: undefined,
  };
}

function headersOf(properties: IPublishPacket["properties"]): Record<string, string> {
  const user = properties?.userProperties;
  if (user === undefined) return NO_HEADERS;
  return Object.fromEntries(Object.entries(user).map(([name, value]) => [name, [value].flat().join(",")]));
}

import type { Bus, BusKind, BusMessage } from "../src/bridges/bus.ts";
import type { BusServer } from "../test/support/buses/bus-server.ts";

export type AnyKind = BusKind<unknown, unknown, unknown>;

/** Messages that warm up both ends, and those that are measured after them. */
export interface Counts {
  readonly warm: number;
  readonly count: number;
}

/** In: Node compiles what runs often, so programs become faster up to some 100,000 messages. */
export const IN: Counts = { warm: 100_000, count: 150_000 };
/** Out: fewer, since Mosquitto takes only some 5,000 a second. */
export const OUT: Counts = { warm: 60_000, count: 90_000 };

/** Messages a second, and microseconds of CPU that the process took for each. */
export interface Figure {
  readonly rate: number;
  readonly cpu: number;
}

/** By default, it takes 20 messages before it has confirmed the first; and the tests have it log each packet. */
const MOSQUITTO = ["max_inflight_messages 1000", "log_type information"];

/** How a real server of each kind of bus is started. */
export const SERVERS: Readonly<Record<string, () => Promise<BusServer>>> = {
  amqp: async () => (await import("../test/support/buses/rabbitmq.ts")).Rabbit.start(),
  kafka: async () => (await import("../test/support/buses/kafka.ts")).openKafka(),
  mqtt: async () => (await import("../test/support/buses/mosquitto.ts")).Mosquitto.start(...MOSQUITTO),
  nats: async () => (await import("../test/support/buses/nats.ts")).startNats(),
  redis: async () => (await import("../test/support/buses/redis-streams.ts")).startRedisStreams(),
};

/** The messages of a run, of 100 bytes each. */
export const MESSAGE: BusMessage = {
  headers: {},
  contentType: "application/json",
  body: new TextEncoder().encode(JSON.stringify({ order: 17, note: "x".repeat(76) })),
};

export async function kindOf(name: string): Promise<AnyKind> {
  const kinds = (await import(`../src/bridges/kinds/${name}.ts`)) as Readonly<Record<string, AnyKind>>;
  return kinds[name] as AnyKind;
}

export function connected(kind: AnyKind, connection: unknown, bridge: string): Promise<Bus<unknown, unknown>> {
  return kind.connect(kind.connection.parse(connection), { bridge, node: "bench", report: () => {} });
}

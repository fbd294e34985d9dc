import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { type BusClient, type BusKind, CONNECT_TIMEOUT } from "../bus.ts";
import { loadDriver } from "../driver.ts";
import { KafkaBus } from "./kafka/bus.ts";
import type { ClientOptions, InRule, KafkaDriver, OutRule } from "./kafka/driver.ts";
import { sentence, TOPIC } from "./kafka/driver.ts";

const BROKER = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/]+)(?::\d{1,5})?$/;
const TOPIC_FORM = "must be a topic's name: 1 to 249 letters, digits, dots, hyphens and underscores";

interface Connection {
  readonly brokers: string[];
  /** Files in PEM, by their paths or as they are, or only whether to use TLS. */
  readonly tls: boolean | { ca?: string | undefined; cert?: string | undefined; key?: string | undefined };
  readonly sasl?: { mechanism: keyof typeof SASL; username: string; password: string } | undefined;
}

const connection: z.ZodType<Connection> = z.strictObject({
  brokers: z.array(z.string().regex(BROKER, "must be a host and port, such as kafka-1:9092")).min(1).max(100),
  tls: z
    .union([
      z.boolean(),
      z.strictObject({ ca: z.string().optional(), cert: z.string().optional(), key: z.string().optional() }),
    ])
    .default(false),
  sasl: z
    .strictObject({
      mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
      username: z.string().min(1),
      password: z.string(),
    })
    .optional(),
});

const incoming = z.strictObject({
  topics: z.array(z.string().regex(TOPIC, TOPIC_FORM)).min(1).max(100),
  /** The consumer group; the name of the bridge by default. */
  group: z.string().min(1).max(255).regex(/^\S+$/, "must be without spaces").optional(),
  /** Where a group begins that has no position yet. */
  from: z.enum(["latest", "earliest"]).default("latest"),
  /** Makes the topics that are not there. */
  declare: z.boolean().default(false),
});

const outgoing = z.strictObject({
  topic: z.string().min(1),
  /** What the partition is chosen by; messages of one key stay in order. */
  key: z.string().default("${channel}"),
  declare: z.boolean().default(false),
});

/** Topics of Apache Kafka, and of what speaks its protocol. */
export const kafka: BusKind<Connection, InRule, OutRule> = {
  connection,
  in: incoming,
  out: outgoing,
  everything: { from: "earliest" },
  outTemplates: ["topic", "key"],
  names: ["topic", "partition", "offset"],
  prefixes: ["ce_"],
  // The consumer group gives each partition to one node.
  isExclusive: () => false,
  connect,
};

async function connect(options: Connection, client: BusClient): Promise<KafkaBus> {
  const driver = await loadDriver(() => import("@platformatic/kafka"), "@platformatic/kafka@2");
  const clientOptions = await clientOptionsOf(driver, options, client);
  const admin = new driver.Admin({ ...clientOptions, retries: 0 });
  admin.on("error", () => {});
  try {
    // A broker that drops packets would hold the first request for longer than a start may take.
    await within(CONNECT_TIMEOUT, admin.metadata({ topics: [] }));
  } catch (cause) {
    await admin.close().catch(() => {});
    const brokers = options.brokers.join(", ");
    throw new HubError("INVALID_INPUT", `Kafka at ${brokers} does not answer: ${sentence(cause)}`, { cause });
  }
  return new KafkaBus(driver, clientOptions, client, admin);
}

async function clientOptionsOf(driver: KafkaDriver, options: Connection, client: BusClient): Promise<ClientOptions> {
  const { tls, sasl } = options;
  const files = typeof tls === "object" ? tls : {};
  return {
    clientId: `${client.bridge}-${client.node}`.replaceAll(/[^A-Za-z0-9._-]/g, "-"),
    bootstrapBrokers: options.brokers,
    connectTimeout: 5000,
    requestTimeout: 30_000,
    retries: 3,
    retryDelay: 500,
    autocreateTopics: false,
    ...(tls !== false && {
      tls: { ca: await pem("ca", files.ca), cert: await pem("cert", files.cert), key: await pem("key", files.key) },
      // The name that the certificate is for; an address is not allowed there.
      tlsServerName: !options.brokers.some((broker) => isIP(broker.replace(/:\d+$/, "").replaceAll(/[[\]]/g, "")) > 0),
    }),
    ...(sasl && {
      sasl: {
        mechanism: driver.SASLMechanisms[SASL[sasl.mechanism]],
        username: sasl.username,
        password: sasl.password,
      },
    }),
  };
}

const SASL = { plain: "PLAIN", "scram-sha-256": "SCRAM_SHA_256", "scram-sha-512": "SCRAM_SHA_512" } as const;

async function pem(field: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  // The text itself, which `${file:PATH}` puts there.
  if (path.trimStart().startsWith("-----BEGIN ")) return Buffer.from(path);
  try {
    return await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new HubError("INVALID_INPUT", `connection.tls.${field} must be a file that can be read: ${code}`, { cause });
  }
}

async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000} seconds`)), milliseconds);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

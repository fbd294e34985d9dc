import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { z } from "zod";
import { HubError } from "../../../core/errors.ts";
import type { BusClient } from "../../bus.ts";
import type { ClientOptions, KafkaDriver } from "./driver.ts";

const SASL = { plain: "PLAIN", "scram-sha-256": "SCRAM_SHA_256", "scram-sha-512": "SCRAM_SHA_512" } as const;
const BROKER = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/]+)(?::\d{1,5})?$/;

/** How to reach the brokers, and as whom. */
export interface Connection {
  readonly brokers: string[];
  /** Whether to use TLS, or the paths of PEM files or their content. */
  readonly tls: boolean | { ca?: string | undefined; cert?: string | undefined; key?: string | undefined };
  readonly sasl?: { mechanism: keyof typeof SASL; username: string; password: string } | undefined;
}

export const connection: z.ZodType<Connection> = z.strictObject({
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

/** What every client of a bridge is made with. Rejects if a file cannot be read. */
export async function clientOptions(
  driver: KafkaDriver,
  options: Connection,
  client: BusClient,
): Promise<ClientOptions> {
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
      // Sends the name that the certificate is for (SNI), which must not be an IP address.
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

async function pem(field: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  // The content itself, as `${file:PATH}` gives it.
  if (path.trimStart().startsWith("-----BEGIN ")) return Buffer.from(path);
  try {
    return await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new HubError("INVALID_INPUT", `connection.tls.${field} must be a file that can be read: ${code}`, { cause });
  }
}

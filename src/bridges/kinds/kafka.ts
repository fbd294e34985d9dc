import { HubError } from "../../core/errors.ts";
import { type BusClient, type BusKind, CONNECT_TIMEOUT } from "../bus.ts";
import { loadDriver } from "../driver.ts";
import { withTimeOut } from "../time-out.ts";
import { KafkaBus } from "./kafka/bus.ts";
import { clientOptions, connection, type Connection } from "./kafka/connection.ts";
import { boundDecompression } from "./kafka/decompression.ts";
import { rootCause } from "./kafka/driver.ts";
import { inFields, outFields, type KafkaIn, type KafkaOut } from "./kafka/rules.ts";

/** Topics of Apache Kafka, and of what speaks its protocol. */
export const kafka: BusKind<Connection, KafkaIn, KafkaOut> = {
  connection,
  in: inFields,
  out: outFields,
  fromBeginning: { from: "earliest" },
  destination: "topic",
  outTemplates: ["key"],
  names: ["topic", "partition", "offset"],
  prefixes: ["ce_"],
  // The consumer group gives each partition to one node.
  isExclusive: () => false,
  connect,
};

async function connect(asked: Connection, client: BusClient): Promise<KafkaBus> {
  const driver = await loadDriver(() => import("@platformatic/kafka"), "@platformatic/kafka@2");
  boundDecompression(driver);
  const options = await clientOptions(driver, asked, client);
  const admin = new driver.Admin({ ...options, retries: 0 });
  admin.on("error", () => {});
  try {
    // The driver would wait longer for a broker that drops packets.
    const sentence = `no answer within ${CONNECT_TIMEOUT / 1000} seconds`;
    await withTimeOut(admin.metadata({ topics: [] }), CONNECT_TIMEOUT, sentence);
  } catch (cause) {
    await admin.close().catch(() => {});
    const brokers = asked.brokers.join(", ");
    throw new HubError("INVALID_INPUT", `Kafka at ${brokers} does not answer: ${rootCause(cause)}`, { cause });
  }
  return new KafkaBus(driver, options, client, admin);
}

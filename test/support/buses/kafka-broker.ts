import { execFile, spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { leashed, onPath } from "../leash.ts";
import { needs } from "../needs.ts";
import { freePort } from "../free-port.ts";
import { TemporaryFolder } from "../temporary-folder.ts";
import { until } from "../until.ts";

const CACHE = join(import.meta.dirname, "../../../.cache/kafka");
const INSTALL =
  "apt-get install default-jre-headless maven && mvn -q -f test/support/buses/kafka.pom.xml dependency:copy-dependencies";
/** Whom listeners with SCRAM let in. */
export const USER = { username: "hub", password: "hub-password" } as const;
const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
const CLUSTER = "AAAAAAAAAAAAAAAAAAAAAA";
const MOST_OUTPUT = 100_000;
const JVM = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", join(CACHE, "*")];

/** Whether this machine has a broker. */
export const hasKafka: boolean = onPath("java") !== undefined && globSync("kafka_*.jar", { cwd: CACHE }).length > 0;

/** Whether a test has a broker. */
export function needsKafka(test: TestContext): boolean {
  return needs(test, "Apache Kafka", hasKafka, INSTALL);
}

export interface BrokerOptions {
  /** More lines of its properties. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** A real Apache Kafka, broker and controller in one, on free ports of loopback; it ends with this process. */
export class KafkaBroker implements AsyncDisposable {
  readonly port: number;
  /** A listener whose clients are told to come by way of another port, which a proxy is to have. */
  readonly proxied: { readonly port: number; readonly advertised: number };
  /** The end of what it wrote since it was last started. */
  output = "";
  readonly #folder = new TemporaryFolder();
  #child: ChildProcessByStdio<null, Readable, Readable> | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  private constructor(ports: readonly [number, number, number, number], { properties = {} }: BrokerOptions) {
    const [port, controller, proxied, advertised] = ports;
    this.port = port;
    this.proxied = { port: proxied, advertised };
    const all = {
      ...COMMON,
      "controller.quorum.voters": `1@127.0.0.1:${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxied},CONTROLLER://127.0.0.1:${controller}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${advertised}`,
      "log.dirs": this.#folder.file("data"),
      ...properties,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(this.#folder.file("server.properties"), lines.join(""));
  }

  static async open(options: BrokerOptions = {}): Promise<KafkaBroker> {
    const broker = new KafkaBroker([await freePort(), await freePort(), await freePort(), await freePort()], options);
    try {
      await broker.#format();
      await broker.start();
      return broker;
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<void> {
    this.output = "";
    const [command, ...rest] = leashed("java", ...JVM, "kafka.Kafka", this.#folder.file("server.properties"));
    const child = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#ended = once(child, "close");
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output = (this.output + text).slice(-MOST_OUTPUT)));
    }
    await until("Kafka serves", () => this.output.includes("Kafka Server started") || !this.isRunning, 60_000);
    if (!this.isRunning) throw new Error(`Kafka ended: ${this.output}`);
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (!this.isRunning) return;
    this.#child?.kill(signal);
    if (signal === "SIGSTOP" || signal === "SIGCONT") return;
    this.#child?.kill("SIGCONT");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }

  /** Makes its folder, from one that the tool of Kafka made once: that takes as long as a start. */
  async #format(): Promise<void> {
    const made = join(CACHE, "formatted.4.3.1");
    if (!existsSync(made)) {
      mkdirSync(CACHE, { recursive: true });
      const file = this.#folder.file("server.properties");
      const users = SCRAM.flatMap((mechanism) => [
        "--add-scram",
        `${mechanism}=[name=${USER.username},password=${USER.password}]`,
      ]);
      const words = [...JVM, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", file, ...users];
      await promisify(execFile)("java", words);
      cpSync(this.#folder.file("data"), `${made}.${process.pid}`, { recursive: true });
      if (!existsSync(made)) cpSync(`${made}.${process.pid}`, made, { recursive: true });
      rmSync(`${made}.${process.pid}`, { recursive: true });
      return;
    }
    cpSync(made, this.#folder.file("data"), { recursive: true });
  }
}

const COMMON = {
  "process.roles": "broker,controller",
  "node.id": "1",
  "controller.listener.names": "CONTROLLER",
  "inter.broker.listener.name": "PLAINTEXT",
  "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
  "auto.create.topics.enable": "false",
  "num.partitions": "1",
  "offsets.topic.replication.factor": "1",
  "offsets.topic.num.partitions": "1",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.state.log.num.partitions": "1",
  "share.coordinator.state.topic.replication.factor": "1",
  "share.coordinator.state.topic.min.isr": "1",
  // Else the first member of a group waits three seconds for others.
  "group.initial.rebalance.delay.ms": "0",
  "log.retention.ms": "-1",
};

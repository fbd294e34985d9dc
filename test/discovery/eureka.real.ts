import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Cli } from "../support/cli.ts";
import { EUREKA_INSTANCE, EurekaDouble } from "../support/eureka-double.ts";
import { leashed, onPath } from "../support/leash.ts";
import { freePort } from "../support/free-port.ts";

/** Where the server is built: its sources are beside this file, its libraries come from Maven. */
const BUILD = join(import.meta.dirname, "../../.cache/eureka");
const HEADERS = { accept: "application/json", "content-type": "application/json" };
/** Milliseconds: it starts in 6 seconds on a machine that has nothing else to do, and a renewal comes every 30. */
const TIMEOUT = 600_000;

/** The server of spring-cloud-netflix, on loopback. */
class Eureka {
  readonly url: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}/eureka`;
  }

  async start(): Promise<void> {
    const options = ["register-with-eureka", "fetch-registry"].map((name) => `--eureka.client.${name}=false`);
    const address = [`--server.port=${this.#port}`, "--server.address=127.0.0.1"];
    const java = ["java", "-Xmx300m", "-XX:+UseSerialGC", "-cp", "target/classes:target/libs/*", "registry.Eureka"];
    const [command, ...words] = leashed(...java, ...address, ...options);
    this.#child = spawn(command, words, { cwd: BUILD, stdio: "ignore" });
    await until("Eureka serves", async () => (await this.ask("GET", "/apps")).status === 200);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** The status is 0 if no one answers. */
  ask(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly text: string }> {
    return ask(this.url, method, path, body);
  }

  /** What it says of an instance; undefined if it has none. */
  async instance(app: string, id: string): Promise<Record<string, unknown> | undefined> {
    const { status, text } = await this.ask("GET", `/apps/${app}/${id}`);
    return status === 200 ? (JSON.parse(text) as { instance: Record<string, unknown> }).instance : undefined;
  }
}

async function ask(
  url: string,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const answer = await fetch(url + path, {
      method,
      headers: HEADERS,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return { status: 0, text: "" };
  }
}

function build(): void {
  for (const command of ["java", "mvn"]) {
    if (onPath(command) === undefined)
      throw new Error(`${command} is missing: apt-get install maven openjdk-17-jdk-headless`);
  }
  if (existsSync(join(BUILD, "target/libs"))) return;
  mkdirSync(BUILD, { recursive: true });
  cpSync(join(import.meta.dirname, "eureka"), BUILD, { recursive: true });
  const words = ["-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory=target/libs"];
  execFileSync("mvn", words, { cwd: BUILD, stdio: "inherit" });
}

const started = performance.now();
function say(sentence: string): void {
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${sentence}\n`);
}

/** Asks a few times a second: what it waits for is slow, and is on this machine, too. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + TIMEOUT;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${TIMEOUT / 1000} s: ${what}`);
    await wait(300);
  }
}

/** The hub, from its registration to its end. */
async function wholeLife(registry: Eureka): Promise<void> {
  const port = await freePort();
  const id = `sse-mcp-server-127.0.0.1-${port}`;
  const status = async (): Promise<unknown> => (await registry.instance("SSE-MCP-SERVER", id))?.["status"];
  const env = {
    PORT: String(port),
    DATA: "memory:",
    DISCOVERY: `eureka:${registry.url}`,
    DRAIN_WAIT: "60",
    DRAIN: "0",
  };
  await using hub = new Cli(["serve"], { env });
  await until("the hub listens", async () => /listens on \S+\n/.test(hub.stdout));
  const url = await hub.url();
  const health = async (): Promise<string | undefined> => {
    const answer = (await (await fetch(`${url}/health`)).json()) as { checks: { discovery?: string } };
    return answer.checks.discovery;
  };
  await until("it is UP", async () => (await status()) === "UP");
  say("registered: UP");
  const { text } = await registry.ask("GET", "/apps/SSE-MCP-SERVER");
  assert.ok(text.includes(`"instanceId":"${id}"`), text);
  const check = (await registry.instance("SSE-MCP-SERVER", id))?.["healthCheckUrl"];
  assert.equal((await fetch(String(check))).status, 200);
  say("seen by name, and its health check is answered");
  const renewed = async (): Promise<unknown> => {
    const lease = (await registry.instance("SSE-MCP-SERVER", id))?.["leaseInfo"] as Record<string, unknown>;
    return lease["lastRenewalTimestamp"];
  };
  const first = await renewed();
  await until("it renews", async () => (await renewed()) !== first);
  say("renewed");
  await registry.kill();
  await until("/health says so", async () => (await health()) === "Eureka: it cannot be reached (ECONNREFUSED)");
  assert.equal((await fetch(`${url}/health`)).status, 200);
  say("Eureka killed: the hub is healthy, and says that it cannot reach it");
  await registry.start();
  assert.equal(await registry.instance("SSE-MCP-SERVER", `${id}-other`), undefined);
  await until("it is UP again", async () => (await status()) === "UP");
  say("Eureka started again: registered again");
  hub.kill("SIGTERM");
  await until("it is out of service", async () => (await status()) === "OUT_OF_SERVICE");
  assert.equal(await health(), "out of service");
  say("SIGTERM: OUT_OF_SERVICE, for as long as DRAIN_WAIT");
  hub.kill("SIGTERM");
  assert.equal(await hub.exit(), 0);
  assert.equal(await status(), undefined);
  say("stopped: gone");
}

/** What the double of the tests answers is what the real server answers. */
async function sameAsDouble(registry: Eureka): Promise<void> {
  await using double = await new EurekaDouble().listen();
  const instance = { ...EUREKA_INSTANCE, metadata: { version: "1.2.3" } };
  const path = `/apps/HUB/${instance.instanceId}`;
  const steps: readonly (readonly [string, string, object?])[] = [
    ["GET", path],
    ["PUT", path],
    ["DELETE", path],
    ["PUT", `${path}/status?value=OUT_OF_SERVICE`],
    ["DELETE", `${path}/status?value=UP`],
    ["POST", "/apps/HUB", {}],
    ["POST", "/apps/HUB", { instance }],
    ["GET", path],
    ["PUT", path],
    ["PUT", `${path}/status?value=OUT_OF_SERVICE`],
    ["GET", path],
    ["POST", "/apps/HUB", { instance }],
    ["GET", path],
    ["DELETE", `${path}/status?value=UP`],
    ["GET", path],
    ["DELETE", path],
    ["GET", path],
  ];
  for (const [method, at, body] of steps) {
    const [real, made] = await Promise.all(
      [registry.url, `${double.url}/eureka`].map((url) => ask(url, method, at, body)),
    );
    assert.deepEqual(seen(made), seen(real), `${method} ${at}`);
  }
  say(`the double of the tests answers ${steps.length} requests as it does`);
}

/** What an answer says that the hub, or a test, goes by. */
function seen(answer: { readonly status: number; readonly text: string } | undefined): unknown {
  const { status = 0, text = "" } = answer ?? {};
  if (status !== 200 || text === "") return [status];
  const { instance } = JSON.parse(text) as { instance: Record<string, unknown> };
  const times = new Set(["leaseInfo", "lastUpdatedTimestamp", "lastDirtyTimestamp", "actionType", "countryId"]);
  times.add("isCoordinatingDiscoveryServer");
  return [
    status,
    Object.fromEntries(
      Object.entries(instance)
        .filter(([name]) => !times.has(name))
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
  ];
}

build();
const registry = new Eureka(await freePort());
try {
  await registry.start();
  say("Eureka serves");
  await sameAsDouble(registry);
  await wholeLife(registry);
} finally {
  await registry.kill();
}

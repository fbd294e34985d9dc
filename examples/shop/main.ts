// A shop of four services, an agent and a page, with a hub that connects them to RabbitMQ and to Kafka.
// README.md beside this file says how to start it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = import.meta.dirname;
if (!existsSync(fileURLToPath(import.meta.resolve("sse-mcp-server/client")))) {
  console.error("The services need the library: run npm run compile first");
  process.exit(1);
}
const { AMQP_URL, KAFKA_BROKER, PORT = "8000" } = process.env;
const brokers: Readonly<Record<string, string | undefined>> = { amqp: AMQP_URL, kafka: KAFKA_BROKER };
const { bridges } = JSON.parse(readFileSync(join(here, "bridges.json"), "utf8")) as {
  readonly bridges: readonly { readonly kind: string }[];
};
const children: ChildProcess[] = [];

/** Starts a program; resolves with the first line that it writes which has this. */
async function start(file: string, words: readonly string[], env: NodeJS.ProcessEnv, awaited: string): Promise<string> {
  const child = spawn(process.execPath, [file, ...words], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  child.once("exit", (code) => process.exit(code ?? 1));
  return await new Promise((resolve) => {
    createInterface(child.stdout).on("line", (line) => {
      console.log(line);
      if (line.includes(awaited)) resolve(line);
    });
  });
}

process.once("exit", () => {
  for (const child of children) child.kill();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(0));

const isThere = bridges.filter(({ kind }) => brokers[kind] !== undefined);
const settings = { BRIDGES: JSON.stringify(isThere), PORT };
const listening = await start(join(here, "../../src/cli/main.ts"), ["serve"], settings, "listens on");
const hub = { HUB: /listens on (\S+)/.exec(listening)?.[1] };
const services = [
  "user",
  "notification",
  "agent",
  ...(AMQP_URL === undefined ? [] : ["order"]),
  ...(KAFKA_BROKER === undefined ? [] : ["analytics"]),
];
await Promise.all(services.map((name) => start(join(here, `${name}.ts`), [], hub, "ready")));

const page = readFileSync(join(here, "page.html"));
const server = createServer((_, response) => {
  response.setHeader("content-type", "text/html; charset=utf-8").end(page);
}).listen(Number(process.env["PAGE_PORT"] ?? 8080), "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
console.log(`The shop is open at http://127.0.0.1:${port}/?hub=${hub.HUB}`);

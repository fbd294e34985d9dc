import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { it } from "node:test";
import { hasKafka } from "./support/buses/kafka-broker.ts";
import { openKafka } from "./support/buses/kafka.ts";
import { needsRabbit, Rabbit } from "./support/buses/rabbitmq.ts";
import { needsBrowser, openBrowser } from "./support/browser.ts";
import { COMPILED } from "./support/compiled.ts";
import { leashed } from "./support/leash.ts";
import { until } from "./support/until.ts";

const ROOT = join(import.meta.dirname, "..");
const LONG = 60_000;

it("examples/shop connects services, an agent and a page by way of RabbitMQ, and of Kafka where it is installed", async (t) => {
  if (!needsRabbit(t)) return;
  await using rabbit = await Rabbit.start();
  await using kafka = hasKafka ? await openKafka() : undefined;
  const [broker] = kafka?.connection.brokers ?? [];
  const { PATH = "", HOME = "" } = process.env;
  const [command, ...words] = leashed(process.execPath, join(ROOT, "examples/shop/main.ts"));
  const shop = spawn(command, words, {
    env: {
      PATH,
      HOME,
      ...COMPILED,
      NODE_OPTIONS: `--import ${join(ROOT, "test/support/from-source.ts")}`,
      PORT: "0",
      PAGE_PORT: "0",
      DATA: "memory:",
      AMQP_URL: rabbit.connection,
      ...(broker === undefined ? {} : { KAFKA_BROKER: broker }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [shop.stdout, shop.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const ended = once(shop, "exit");
  try {
    const isOpen = (): boolean => /The shop is open at/.test(output);
    await until("the shop is open", () => isOpen() || shop.exitCode !== null, LONG);
    const url = /The shop is open at (\S+)/.exec(output)?.[1];
    assert.ok(url !== undefined, output);
    await using browser = await openBrowser();
    if (!needsBrowser(t, browser)) return;
    const page = await browser.newPage();
    await page.goto(url);
    const rows = async (): Promise<readonly string[]> => await page.locator("li").allTextContents();
    await page.getByRole("button", { name: "Join" }).click();
    await until("the user joined", async () => (await rows()).some((row) => row.startsWith("users.joined")), LONG);
    await page.getByRole("button", { name: "Order a lamp" }).click();
    const expected = [
      'users.joined, user-service: {"user":1,"name":"Kim"}',
      "notices.Kim, notification-service: Welcome, Kim!",
      'orders.placed, order-service: {"order":1,"name":"Kim","item":"lamp","price":120}',
      "notices.Kim, notification-service: Order 1 (lamp) is on its way",
      "notices.Kim, agent: Thank you for choosing the lamp: the next delivery is free",
      ...(kafka === undefined ? [] : ['totals, analytics-service: {"users":1,"orders":1,"revenue":120}']),
    ];
    for (const row of expected) await until(row, async () => (await rows()).includes(row), LONG);
  } finally {
    shop.kill();
    await ended;
  }
});

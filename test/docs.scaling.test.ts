import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { startCluster } from "./support/redis-cluster.ts";
import { freePort } from "./support/free-port.ts";
import { needsEngine, startEngine } from "./support/redis.ts";
import { leashed, onPath } from "./support/leash.ts";
import { needs } from "./support/needs.ts";
import { blocksIn, type Block } from "./support/page-blocks.ts";
import { Recipe, type Started } from "./support/recipe.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";
import { until } from "./support/until.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/scaling.md"), "utf8");
const NODES = ["8001", "8002", "8003"];
const HAPROXY = onPath("haproxy") ?? "/usr/sbin/haproxy";
const NGINX = onPath("nginx") ?? "/usr/sbin/nginx";

describe("docs/scaling.md", { timeout: 180_000 }, () => {
  it("makes three nodes of five lines, which go on while one dies and another is updated", async (test) => {
    if (!needsEngine(test) || !needsBinary(test, HAPROXY)) return;
    await using recipe = await openRecipe();
    const blocks = blocksIn(section("From one node to three"));
    const lines = blockOf(blocks, "sh").text.split("\n");
    assert.equal(lines.length, 5);
    const [redis = "", ...others] = lines;
    await recipe.start(redis, (output) => output.includes("Ready to accept connections"));
    writeFileSync(recipe.file("hub.cfg"), `${recipe.real(blockOf(blocks, "haproxy").text)}\n`);
    const nodes: Started[] = [];
    for (const line of others.slice(0, 3)) nodes.push(await recipe.start(line));
    await recipe.start(others[3] ?? "", () => isReady(recipe));
    await recipe.follow(blockOf(blocks, "console"));
    await recipe.streamsShowed();

    const last = await publish(recipe, "Order 124");
    const [first, second] = nodes;
    first?.child.kill("SIGKILL");
    await publish(recipe, "Order 125", true);
    assert.match(await resumed(recipe, last), /data: Order 125\n/);

    // Told to stop, it goes on until the balancer has noticed, so that no request is refused.
    assert.ok(second !== undefined);
    const ended = once(second.child, "close");
    second.child.kill("SIGTERM");
    let published = 0;
    for (; second.child.exitCode === null; published += 1) {
      await publish(recipe, `Order ${200 + published}`);
      // Some hundreds are enough: as many as it can would keep the machine busy until the node has ended.
      await pause(10);
    }
    assert.deepEqual(await ended, [0, null]);
    assert.equal((await resumed(recipe, last)).match(/^data: Order 2\d\d/gm)?.length, Math.min(published, 100));
  });

  it("has the same balancer for nginx", async (test) => {
    if (!needsEngine(test) || !needsBinary(test, NGINX)) return;
    await using recipe = await openRecipe();
    const blocks = blocksIn(section("From one node to three"));
    const [redis = "", ...others] = blockOf(blocks, "sh").text.split("\n");
    await recipe.start(redis, (output) => output.includes("Ready to accept connections"));
    for (const line of others.slice(0, 2)) await recipe.start(line);
    writeFileSync(
      recipe.file("nginx.conf"),
      `pid ${recipe.file("nginx.pid")};\n${recipe.real(blockOf(blocks, "nginx").text)}\n`,
    );
    const words = `-p ${recipe.file(".")} -c ${recipe.file("nginx.conf")} -e ${recipe.file("error.log")} -g 'daemon off;'`;
    await recipe.start(`exec ${NGINX} ${words}`, () => isReady(recipe));
    const last = await publish(recipe, "Order 1");
    await publish(recipe, "Order 2");
    assert.match(await resumed(recipe, last), /data: Order 2\n/);
  });

  it("gives the hub a user of Redis that may do what it needs, and nothing else", async (test) => {
    if (!needsEngine(test)) return;
    using folder = new TemporaryFolder();
    const file = folder.file("redis.conf");
    writeFileSync(file, `${blockOf(blocksIn(section("Redis or Valkey")), "redis").text}\n`);
    await using engine = await startEngine({ file, folder: folder.path });
    const cli = (...words: string[]): Promise<string> =>
      engine.cli("--no-auth-warning", "--user", "hub", "--pass", "a-long-password", ...words);
    await using recipe = await Recipe.open();
    const node = await recipe.start(`DATA=redis://hub:a-long-password@127.0.0.1:${engine.port} sse-mcp-server`);
    assert.ok(!node.output.includes("a-long-password"), node.output);
    await publish(recipe, "Order 1");
    const health = await fetch(`http://localhost:${recipe.port}/health`);
    assert.equal(health.status, 200, await health.text());
    for (const words of [["CONFIG", "GET", "*"], ["FLUSHALL"], ["GET", "other"], ["KEYS", "*"]]) {
      await assert.rejects(cli(...words), /NOPERM/, words.join(" "));
    }
  });

  it("gives that user what a Cluster needs besides", async (test) => {
    if (!needsEngine(test)) return;
    const page = section("Redis or Valkey");
    const [, rules = ""] = /^user hub on >a-long-password (.*)$/m.exec(page) ?? [];
    const [, more = ""] = /For a Cluster, add `([^`]+)`/.exec(page) ?? [];
    assert.ok(rules !== "" && more !== "");
    await using cluster = await startCluster();
    for (const engine of cluster.engines) {
      await engine.cli("ACL", "SETUSER", "hub", "on", ">a-long-password", ...rules.split(" "), ...more.split(" "));
    }
    await using recipe = await Recipe.open();
    await recipe.start(`DATA=${cluster.url.replace("://", "://hub:a-long-password@")} sse-mcp-server`);
    await publish(recipe, "Order 1");
  });
});

/** Three nodes, a Redis and a balancer, each with the port of the test in place of that of the page. */
async function openRecipe(): Promise<Recipe> {
  const ports = await Promise.all(["6379", ...NODES].map(async (shown) => [shown, await freePort()] as const));
  return Recipe.open(async (port) => ({
    ...Object.fromEntries(
      ports.flatMap(([shown, real]) =>
        ["--port ", "localhost:", "127.0.0.1:"].map((before) => [`${before}${shown}`, `${before}${real}`]),
      ),
    ),
    "127.0.0.1:8000": `127.0.0.1:${port}`,
    "DRAIN_WAIT=5": "DRAIN_WAIT=3",
    "redis-server": leashed("redis-server").join(" "),
    "haproxy -f": `${leashed(HAPROXY).join(" ")} -db -f`,
  }));
}

function isReady(recipe: Recipe): Promise<boolean> {
  return fetch(`http://localhost:${recipe.port}/health`).then(
    async (response) => (await response.text()) !== "" && response.ok,
    () => false,
  );
}

/** Publishes through the balancer; `isPatient`: until a node that is there takes it. Resolves with the id. */
async function publish(recipe: Recipe, text: string, isPatient = false): Promise<string> {
  let answer = "";
  const key = `"${text}"`;
  const attempt = async (): Promise<boolean> => {
    const url = `http://localhost:${recipe.port}/channels/orders.eu/messages`;
    const response = await fetch(url, { method: "POST", body: text, headers: { "idempotency-key": key } });
    answer = await response.text();
    assert.ok(isPatient || response.status === 201, `${response.status} ${answer}`);
    return response.status === 201 || response.status === 200;
  };
  await until(`${text} is published`, attempt);
  return (JSON.parse(answer) as { readonly id: string }).id;
}

/** What a reader gets that comes back after a message, until nothing comes for a moment. */
async function resumed(recipe: Recipe, id: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    "curl",
    ["-sN", "-m", "2", "-H", `Last-Event-ID: ${id}`, `http://localhost:${recipe.port}/events?channel=orders.eu`],
    { maxBuffer: 2 ** 24 },
  ).catch((error: { readonly stdout: string }) => error);
  return stdout;
}

function section(heading: string): string {
  const [, text] = PAGE.split(`\n## ${heading}\n`);
  assert.ok(text !== undefined, `docs/scaling.md has no section ${heading}`);
  return text.split("\n## ")[0] ?? "";
}

function blockOf(blocks: readonly Block[], language: string): Block {
  return blocks.find((block) => block.language === language) ?? assert.fail(`no block of ${language}`);
}

function needsBinary(test: TestContext, binary: string): boolean {
  const [name = ""] = binary.split("/").slice(-1);
  return needs(test, name, existsSync(binary), `apt-get install ${name}`);
}

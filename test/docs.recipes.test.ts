import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { onPath } from "./support/leash.ts";
import { needs } from "./support/needs.ts";
import { RecipePage } from "./support/recipe-page.ts";
import { freePort } from "./support/redis.ts";
import { request } from "./support/request.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { TcpProxy } from "./support/tcp-proxy.ts";
import { until } from "./support/until.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = join(ROOT, ".cache/python/bin/python");

interface Kept {
  readonly id: string;
  readonly event: string;
  readonly sender: string;
  readonly data: unknown;
}

/** What the hub keeps of a channel. */
async function kept(server: TestServer, channel: string): Promise<readonly Kept[]> {
  const { status, text } = await server.request(`/channels/${channel}/messages`);
  return status === 200 ? (JSON.parse(text) as { messages: readonly Kept[] }).messages : [];
}

async function answer(server: TestServer, channel: string, text: string): Promise<void> {
  await server.call("send_sse_message", { channel, message: text, sender: "kim" });
}

describe("docs/recipes", { concurrency: 3, timeout: 300_000 }, () => {
  it("has a test here for every page", () => {
    const source = readFileSync(import.meta.filename, "utf8") + readFileSync(join(import.meta.dirname, "recipes/all.ts"), "utf8");
    for (const page of readdirSync(join(ROOT, "docs/recipes"))) {
      assert.ok(source.includes(`new RecipePage("${page.replace(".md", "")}")`), `${page} has no test`);
    }
  });

  it("github-webhook: only what GitHub signed is published, once for each delivery", async () => {
    await using server = await startServer();
    await using page = new RecipePage("github-webhook");
    const secret = "It's a Secret to Everybody";
    const relay = page.start(process.execPath, ["relay.js"], { GITHUB_SECRET: secret, HUB: server.url, PORT: "0" });
    await until("the relay listens", () => relay.output.includes("listens on"));
    const [, url = ""] = /listens on (\S+)/.exec(relay.output) ?? [];
    const body = JSON.stringify({
      action: "opened",
      repository: { full_name: "octo/shop" },
      sender: { login: "octocat" },
      issue: { title: "It is broken", html_url: "https://github.com/octo/shop/issues/1" },
    });
    const signed = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    const deliver = async (signature: string | undefined, delivery: string): Promise<number> => {
      const named = { "x-github-event": "issues", "x-github-delivery": delivery, "content-type": "application/json" };
      const headers = { ...named, ...(signature === undefined ? {} : { "x-hub-signature-256": signature }) };
      return (await request(url, { method: "POST", headers, body })).status;
    };
    assert.equal(await deliver(signed.replace(/.$/, (last) => (last === "0" ? "1" : "0")), "1"), 401);
    assert.equal(await deliver(undefined, "1"), 401);
    assert.deepEqual(await kept(server, "github"), []);
    assert.equal(await deliver(signed, "72d3162e"), 201);
    assert.ok([200, 201].includes(await deliver(signed, "72d3162e")));
    const [message, ...others] = await kept(server, "github");
    assert.deepEqual([others, message?.event], [[], "issues"]);
    const told = { action: "opened", repository: "octo/shop", by: "octocat", title: "It is broken" };
    assert.deepEqual(message?.data, { ...told, url: "https://github.com/octo/shop/issues/1" });
    const waiting = page.start("bash", ["-c", page.block("sh").replace("http://localhost:8000", server.url)], {});
    assert.match(await waiting.ended(), /octo\/shop/);
  });

  it("claude-code-hook: what it tells is published, and an answer decides", async () => {
    await using server = await startServer();
    await using page = new RecipePage("claude-code-hook");
    const { hooks } = JSON.parse(page.block("json")) as {
      hooks: Record<"Notification" | "Stop" | "PreToolUse", readonly { hooks: readonly { command: string }[] }[]>;
    };
    const told = { session_id: "abc123", hook_event_name: "Notification", message: "Claude is waiting for your input" };
    for (const event of ["Notification", "Stop"] as const) {
      const [{ command } = { command: "" }] = hooks[event][0]?.hooks ?? [];
      const shell = command.replace("http://localhost:8000", server.url);
      await page.start("bash", ["-c", shell], {}, JSON.stringify({ ...told, hook_event_name: event })).ended();
    }
    const events = (await kept(server, "claude")).map(({ data }) => (data as typeof told).hook_event_name);
    assert.deepEqual(events, ["Notification", "Stop"]);

    assert.equal(hooks.PreToolUse[0]?.hooks[0]?.command, "node .claude/ask.js");
    const input = { hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: { command: "rm -r build" } };
    const ask = (env: Record<string, string> = {}) =>
      page.start(process.execPath, ["ask.js"], { HUB: server.url, ...env }, JSON.stringify(input));
    const decision = (output: string): unknown => {
      const { hookSpecificOutput: said } = JSON.parse(output) as { hookSpecificOutput: Record<string, unknown> };
      assert.equal(said["hookEventName"], "PreToolUse");
      return said["permissionDecision"];
    };
    for (const [index, [said, decided]] of [
      ["Yes, go on", "allow"],
      ["no, I need it", "deny"],
    ].entries()) {
      const asked = ask();
      await until("it asks", async () => (await kept(server, "claude.review")).length === 2 * index + 1);
      await answer(server, "claude.review", said ?? "");
      assert.equal(decision(await asked.ended()), decided);
    }
    assert.deepEqual((await kept(server, "claude.review"))[0]?.data, "May I run this? yes or no: rm -r build");
    assert.equal(decision(await ask({ MINUTES: "0.01" }).ended()), "ask", "no one answers");
    assert.equal(decision(await ask({ HUB: "http://127.0.0.1:1" }).ended()), "ask", "there is no hub");
  });

  it("alertmanager: an alert is a message, with nothing in between", async (test) => {
    const file = onPath("prometheus-alertmanager") ?? "/usr/bin/prometheus-alertmanager";
    if (!needs(test, "Alertmanager", existsSync(file), "apt-get install prometheus-alertmanager")) return;
    await using server = await startServer();
    await using page = new RecipePage("alertmanager");
    const reader = page.start(process.execPath, ["on-call.js"], { HUB: server.url });
    await until("it reads", () => server.hub.size === 1);
    const config = page.block("yaml").replace("http://localhost:8000", server.url);
    writeFileSync(page.file("alertmanager.yml"), config);
    const port = await freePort();
    const listen = [`--web.listen-address=127.0.0.1:${port}`, "--cluster.listen-address="];
    const alertmanager = page.start(file, ["--config.file=alertmanager.yml", "--storage.path=data", ...listen], {});
    const url = `http://127.0.0.1:${port}`;
    await until("it is ready", async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.status === 200);
    const labels = { alertname: "HubDown", instance: "hub-1", severity: "page" };
    const alerts = JSON.stringify([{ labels, annotations: { summary: "The hub does not answer" } }]);
    const headers = { "content-type": "application/json" };
    assert.equal((await fetch(`${url}/api/v2/alerts`, { method: "POST", headers, body: alerts })).status, 200);
    await until(`it is published: ${alertmanager.output}`, async () => (await kept(server, "alerts")).length === 1);
    const [message] = await kept(server, "alerts");
    assert.equal(message?.event, "alert");
    const { status, version, alerts: sent } = message?.data as Record<string, unknown> & { alerts: [{ labels: object }] };
    assert.deepEqual([status, version, sent[0].labels], ["firing", "4", labels]);
    await until("it is printed", () => reader.output === "firing: HubDown on hub-1: The hub does not answer\n");
  });

  it("nextjs: the route streams the channel of whoever is logged in, and leaves with the browser", async () => {
    await using server = await startServer();
    await using page = new RecipePage("nextjs");
    process.env["HUB"] = server.url;
    const route = (await import(page.file("app/api/events/route.ts"))) as Record<"GET" | "POST", (request: Request) => Promise<Response>>;
    delete process.env["HUB"];
    const url = "http://localhost:3000/api/events";
    for (const method of ["GET", "POST"] as const) assert.equal((await route[method](new Request(url))).status, 401);
    const leaving = new AbortController();
    const headers = { cookie: "theme=dark; user=ada" };
    const { status, body, headers: answered } = await route.GET(new Request(url, { headers, signal: leaving.signal }));
    assert.deepEqual([status, answered.get("content-type")], [200, "text/event-stream; charset=utf-8"]);
    let text = "";
    const reading = (async () => {
      for await (const bytes of body ?? []) text += Buffer.from(bytes as Uint8Array).toString();
    })();
    const posted = await route.POST(new Request(url, { method: "POST", headers, body: '"for Ada"' }));
    assert.equal(posted.status, 201);
    await server.publish("users.kim", "for Kim");
    await server.publish("news", "for all");
    await until("it arrives", () => text.includes("data: for all\n"));
    assert.match(text, /data: for Ada\n/);
    assert.doesNotMatch(text, /for Kim/);
    leaving.abort();
    await assert.rejects(reading, { name: "AbortError" });
    await until("its reader has left", () => server.hub.size === 0);

    const { id = "" } = (await kept(server, "users.ada"))[0] ?? {};
    const again = new AbortController();
    const resumed = await route.GET(new Request(url, { headers: { ...headers, "last-event-id": id }, signal: again.signal }));
    let missed = "";
    for await (const bytes of resumed.body ?? []) {
      missed += Buffer.from(bytes as Uint8Array).toString();
      if (missed.includes("event: live\n")) break;
    }
    assert.match(missed, /data: for all\n/);
    assert.doesNotMatch(missed, /for Ada/);
  });

  it("python-client: it gives each message once, through broken connections", async (test) => {
    const pip = `pip install in .cache/python: ${page("python-client")}`;
    if (!needs(test, "httpx-sse", existsSync(PYTHON), pip)) return;
    await readsThroughCuts(test, "python-client", PYTHON, ["follow.py"]);
  });
});

/** The line that installs what a page needs. */
function page(name: string): string {
  return new RecipePage(name).block("sh");
}

/** A client that prints id, event and data of `orders.*` gets each message once, whatever happens to its connections. */
export async function readsThroughCuts(_: TestContext, name: string, file: string, words: readonly string[]): Promise<void> {
  await using server = await startServer();
  await using proxy = await TcpProxy.open(server.port);
  await using page = new RecipePage(name);
  const client = page.start(file, words, { HUB: `http://127.0.0.1:${proxy.port}` });
  await until(`it reads: ${client.output}`, () => server.hub.size === 1 || client.code !== undefined);
  const expected: string[] = [];
  for (let order = 1; order <= 6; order++) {
    const { id } = await server.publish(order % 2 === 0 ? "orders.eu" : "orders.us", { order });
    expected.push(`${id} message {"order":${order}}`);
    if (order % 2 === 0) proxy.cut();
  }
  const printed = (): readonly string[] => client.output.replaceAll('": ', '":').split("\n").filter(Boolean);
  await until(`all are printed: ${client.output}`, () => printed().length >= expected.length);
  assert.deepEqual(printed(), expected);
}

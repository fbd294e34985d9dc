import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { build } from "esbuild";
import type { Question } from "../src/protocol/question.ts";
import { needsBrowser, openBrowser } from "./support/browser.ts";
import { runCli } from "./support/cli.ts";
import { deliver } from "./support/hooks.ts";
import { onPath } from "./support/leash.ts";
import { needs } from "./support/needs.ts";
import { RecipePage, type Program } from "./support/recipe-page.ts";
import { freePort } from "./support/free-port.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { TcpProxy } from "./support/tcp-proxy.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";
import { until } from "./support/until.ts";

const ROOT = join(import.meta.dirname, "..");
const MAIN = join(ROOT, "src/cli/main.ts");
const PYTHON = join(ROOT, ".cache/python/bin/python");
const PAGES = readdirSync(join(ROOT, "docs/recipes")).map((page) => join(ROOT, "docs/recipes", page));
/** Python with what `npm run recipes` installs: it takes too long for every run of the tests. */
const LIBRARIES = join(ROOT, ".cache/recipes/bin/python");
const SKIP = process.env["RECIPES"] === "all" ? false : "npm run recipes runs it";
/** The same for JavaScript. */
const NODE_LIBRARIES = join(ROOT, ".cache/recipes-node/node_modules");
/** For each framework a model that wants the tool once, and then says what the tool said. */
const SCRIPTED = {
  "use.py": `import asyncio, json
from agents import Agent, ModelResponse, Usage
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from openai_agents_approval import refund, run

class Scripted(Model):
    async def get_response(self, system_instructions, input, *args, **kwargs):
        said = [i.get("output") for i in input if isinstance(i, dict) and i.get("type") == "function_call_output"]
        if said:
            text = ResponseOutputText(type="output_text", text=str(said[-1]) + " (refused)" * ("euros" not in str(said[-1])), annotations=[])
            output = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
        else:
            output = ResponseFunctionToolCall(id="f", call_id="c", type="function_call", name="refund", arguments=json.dumps({"order": 123, "euros": 20}))
        return ModelResponse(output=[output], usage=Usage(), response_id=None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError

print(asyncio.run(run(Agent(name="support", tools=[refund], model=Scripted()), "It came broken")), flush=True)
`,
  "use-openai.js": `import { Agent } from "@openai/agents";
import { assistantMessage, functionCall, modelResponder, ScriptedModel } from "@openai/agents-core/testing";
import { refund, runWithPeople } from "./openai-agents-approval.js";
const model = new ScriptedModel([
  [functionCall("refund", { order: 123, euros: 20 }, { callId: "c" })],
  modelResponder(({ request }) => [assistantMessage(JSON.stringify(request.input.at(-1)))]),
]);
const said = await runWithPeople(new Agent({ name: "support", model, tools: [refund] }), "It came broken");
console.log(said.includes("euros") ? said : said + " (refused)");
`,
  "use-ai.js": `import { MockLanguageModelV4 } from "ai/test";
import { run } from "./ai-sdk-approval.js";
const tokens = { total: 1, noCache: 1, text: 1 };
const answer = (reason, part) => ({
  content: [part],
  finishReason: { unified: reason, raw: undefined },
  usage: { inputTokens: tokens, outputTokens: tokens },
  warnings: [],
});
const input = JSON.stringify({ order: 123, euros: 20 });
const call = { type: "tool-call", toolCallId: "c", toolName: "refund", input };
const model = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => {
    const said = prompt.filter(({ role }) => role === "tool").flatMap(({ content }) => content).at(-1)?.output;
    if (said === undefined) return answer("tool-calls", call);
    return answer("stop", { type: "text", text: JSON.stringify(said) + (said.type === "text" ? "" : " (refused)") });
  },
});
console.log(await run(model, "It came broken"));
`,
} as const;

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

/** Answers the only open question as Ana, once a program has asked it; resolves with it. */
async function answerQuestion(server: TestServer, value: unknown, program: Program): Promise<Question> {
  let open: readonly Question[] = [];
  await until("it is asked", async () => {
    assert.equal(program.code, undefined, program.output);
    open = ((await server.request("/questions?state=open")).json() as { questions: readonly Question[] }).questions;
    return open.length === 1;
  });
  const [question] = open as [Question];
  const body = JSON.stringify({ value, by: "Ana" });
  const headers = { "content-type": "application/json" };
  const { status, text } = await server.request(`/questions/${question.id}/answer`, { method: "POST", headers, body });
  assert.equal(status, 200, text);
  return question;
}

describe("docs/recipes", { concurrency: 3, timeout: 300_000 }, () => {
  it("has a test here for every page", () => {
    const source = readFileSync(import.meta.filename, "utf8");
    for (const page of readdirSync(join(ROOT, "docs/recipes"))) {
      assert.ok(source.includes(`"${page.replace(".md", "")}"`), `${page} has no test`);
    }
  });

  it("shows each file of examples/recipes as it is", () => {
    for (const file of readdirSync(join(ROOT, "examples/recipes"))) {
      const source = readFileSync(join(ROOT, "examples/recipes", file), "utf8");
      const shown = PAGES.filter((page) => readFileSync(page, "utf8").includes(`\n${source}\`\`\`\n`));
      assert.equal(shown.length, 1, `no page shows ${file} as it is`);
    }
  });

  it("github-webhook: only what GitHub signed is published, once for each delivery", async () => {
    await using page = new RecipePage("github-webhook");
    using folder = new TemporaryFolder();
    const file = folder.file("hooks.json");
    const [, ...words] = page.block("sh").trim().replace("hooks.json", file).split(" ");
    const made = await runCli(words);
    const [, secret = ""] = /\nSecret: (\S+)\n/.exec(made.stdout) ?? [];
    assert.notEqual(secret, "", made.stderr);
    await using server = await startServer({ hooksFile: file });
    const payload = {
      action: "opened",
      repository: { full_name: "octo/shop", private: true },
      sender: { login: "octocat", id: 1 },
      issue: { title: "It is broken", html_url: "https://github.com/octo/shop/issues/1" },
    };
    assert.equal((await deliver(server, payload, { secret: "guessed", delivery: "1" })).status, 401);
    assert.deepEqual(await kept(server, "github"), []);
    assert.equal((await deliver(server, payload, { secret, delivery: "72d3162e" })).status, 200);
    assert.equal((await deliver(server, payload, { secret, delivery: "72d3162e" })).status, 200);
    const [message, ...others] = await kept(server, "github");
    assert.deepEqual([others, message?.event], [[], "issues"]);
    const { private: _, ...repository } = payload.repository;
    assert.deepEqual(message?.data, { ...payload, repository, sender: { login: "octocat" } });
    const wait = page.block("sh", 2).replace("http://localhost:8000", server.url);
    const waiting = page.start("bash", ["-c", wait], {});
    assert.match(await waiting.ended(), /untrusted.*octo\/shop/);
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

    assert.equal(hooks.PreToolUse[0]?.hooks[0]?.command, "node .claude/permission-hook.js");
    const common = {
      session_id: "abc123",
      transcript_path: "/tmp/abc123.jsonl",
      cwd: "/src",
      permission_mode: "default",
    };
    const input = {
      ...common,
      hook_event_name: "PreToolUse",
      tool_name: "Bash",
      tool_input: { command: "rm -r build", description: "Remove the build" },
      tool_use_id: "toolu_01",
    };
    const ask = (env: Record<string, string> = {}): Program => hook(page, server, input, env);
    for (const [value, decided] of [
      [true, "allow"],
      [false, "deny"],
    ] as const) {
      const asked = ask();
      const question = await answerQuestion(server, value, asked);
      assert.deepEqual(question.proposal?.arguments, input.tool_input);
      assert.deepEqual(
        [question.text, question.context],
        ["May Claude Code use Bash?", "Remove the build\n\nIn `/src`"],
      );
      const permissionDecisionReason = `Ana said ${decided} on agents`;
      assert.deepEqual(decisionOf(await asked.ended()), { permissionDecision: decided, permissionDecisionReason });
    }
    const unanswered = { permissionDecision: "ask", permissionDecisionReason: "No one answered on agents" };
    assert.deepEqual(decisionOf(await ask({ HUB_DEADLINE: "1s" }).ended()), unanswered, "no one answers");
    assert.deepEqual(decisionOf(await ask({ HUB_URL: "http://127.0.0.1:1" }).ended()), unanswered, "there is no hub");
  });

  it("codex: an answer is what the hook decides, without one it decides nothing, and a turn that ends is told", async () => {
    await using server = await startServer();
    // The script is that of the other page.
    await using page = new RecipePage("claude-code-hook");
    const codex = new RecipePage("codex");
    assert.match(codex.block("json"), /"PermissionRequest": .*permission-hook\.js/s);
    const input = {
      session_id: "0199",
      turn_id: "1",
      transcript_path: null,
      cwd: "/src",
      hook_event_name: "PermissionRequest",
      model: "gpt",
      permission_mode: "default",
      tool_name: "Bash",
      tool_input: { command: "curl example.com", description: "Needs the network" },
    };
    const asked = hook(page, server, input);
    const question = await answerQuestion(server, false, asked);
    assert.equal(question.text, "May Codex use Bash?");
    const decision = { behavior: "deny", message: "Ana said deny on agents" };
    assert.deepEqual(decisionOf(await asked.ended(), "PermissionRequest"), { decision });
    const away = hook(page, server, input, { HUB_URL: "http://127.0.0.1:1" });
    assert.doesNotMatch(await away.ended(), /hookSpecificOutput/);

    const [, words = ""] = /^notify = (\[.*\])$/.exec(codex.block("toml")) ?? [];
    const [, ...told] = JSON.parse(words) as readonly string[];
    const happened = { type: "agent-turn-complete", "thread-id": "0199", "last-assistant-message": "Done" };
    const { code, stderr } = await runCli([...told, "--url", server.url, JSON.stringify(happened)]);
    assert.equal(code, 0, stderr);
    await codex[Symbol.asyncDispose]();
    const [message] = await kept(server, "codex");
    assert.deepEqual([message?.event, message?.sender, message?.data], ["turn", "codex", happened]);
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
    assert.ok(message !== undefined);
    assert.equal(message.event, "alert");
    const {
      status,
      version,
      alerts: sent,
    } = message.data as Record<string, unknown> & { alerts: [{ labels: object }] };
    assert.deepEqual([status, version, sent[0].labels], ["firing", "4", labels]);
    await until("it is printed", () => reader.output === "firing: HubDown on hub-1: The hub does not answer\n");
  });

  it("nextjs: the route streams the channel of whoever is logged in, and leaves with the browser", async () => {
    await using server = await startServer();
    await using page = new RecipePage("nextjs");
    process.env["HUB"] = server.url;
    const route = (await import(page.file("app/api/events/route.ts"))) as Record<
      "GET" | "POST",
      (request: Request) => Promise<Response>
    >;
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
    const elsewhere = { ...headers, "sec-fetch-site": "cross-site" };
    const forged = new Request(url, { method: "POST", headers: elsewhere, body: '"not by Ada"' });
    assert.equal((await route.POST(forged)).status, 403);
    await server.publish("users.kim", "for Kim");
    await server.publish("news", "for all");
    await until("it arrives", () => text.includes("data: for all\n"));
    assert.match(text, /data: for Ada\n/);
    assert.doesNotMatch(text, /for Kim|not by Ada/);
    leaving.abort();
    await assert.rejects(reading, { name: "AbortError" });
    await until("its reader has left", () => server.hub.size === 0);

    const { id = "" } = (await kept(server, "users.ada"))[0] ?? {};
    const again = new AbortController();
    const resumed = await route.GET(
      new Request(url, { headers: { ...headers, "last-event-id": id }, signal: again.signal }),
    );
    let missed = "";
    for await (const bytes of resumed.body ?? []) {
      missed += Buffer.from(bytes as Uint8Array).toString();
      if (missed.includes("event: live\n")) break;
    }
    assert.match(missed, /data: for all\n/);
    assert.doesNotMatch(missed, /for Ada/);
  });

  it("python-client: it gives each message once, through broken connections", async (test) => {
    const install = "python3 -m venv .cache/python && .cache/python/bin/pip install httpx httpx-sse";
    if (!needs(test, "httpx-sse", existsSync(PYTHON), install)) return;
    await readsThroughCuts("python-client", PYTHON, ["follow.py"]);
  });

  it("go-client: it gives each message once, through broken connections", { skip: SKIP }, async () => {
    await readsThroughCuts("go-client", "go", ["run", "main.go"]);
  });

  it("langgraph: an answer of people resumes the graph", { skip: SKIP }, async () => {
    for (const [value, status] of [
      [true, "shipped"],
      [false, "refused"],
    ] as const) {
      await using server = await startServer();
      await using page = new RecipePage("langgraph");
      const graph = page.start(LIBRARIES, ["langgraph_approval.py"], { HUB: server.url });
      const { text, channel } = await answerQuestion(server, value, graph);
      assert.deepEqual([text, channel], ["May I ship order 123?", "review"]);
      assert.equal(await graph.ended(), `${status}\n`);
    }
  });

  for (const [name, file, program] of [
    ["openai-agents", "use.py", LIBRARIES],
    ["openai-agents", "use-openai.js", process.execPath],
    ["ai-sdk", "use-ai.js", process.execPath],
  ] as const) {
    it(`${name}: an answer of people decides whether the tool runs (${file})`, { skip: SKIP }, async () => {
      for (const [value, output] of [
        [true, "20 euros for order 123 are on their way"],
        [false, "(refused)"],
      ] as const) {
        await using server = await startServer();
        await using page = new RecipePage(name);
        writeFileSync(page.file(file), SCRIPTED[file]);
        symlinkSync(NODE_LIBRARIES, page.file("node_modules"));
        const env = { HUB: server.url, OPENAI_AGENTS_DISABLE_TRACING: "1" };
        const agent = page.start(program, [file], env);
        const { text, proposal } = await answerQuestion(server, value, agent);
        assert.equal(text, "May I call refund?", agent.output);
        assert.deepEqual([proposal?.name, proposal?.arguments], ["refund", { order: 123, euros: 20 }]);
        assert.ok((await agent.ended()).includes(output), agent.output);
      }
    });
  }

  it("react: the hook shows what is kept and what comes", { skip: SKIP }, async (test) => {
    await using browser = await openBrowser();
    if (!needsBrowser(test, browser)) return;
    await using server = await startServer();
    await server.publish("orders.us", { order: 1 });
    await using page = new RecipePage("react");
    symlinkSync(NODE_LIBRARIES, page.file("node_modules"));
    const { outputFiles } = await build({
      entryPoints: [page.file("app.jsx")],
      alias: { "sse-mcp-server-client": join(ROOT, "src/client/index.ts") },
      jsx: "automatic",
      bundle: true,
      format: "esm",
      write: false,
    });
    const script = outputFiles[0]?.text ?? "";
    await using host = createServer(({ url = "" }, response) =>
      url.endsWith(".js")
        ? response.setHeader("content-type", "text/javascript").end(script)
        : response
            .setHeader("content-type", "text/html")
            .end('<!doctype html><div id="root"></div><script type="module" src="/app.js"></script>'),
    ).listen(0, "127.0.0.1");
    await once(host, "listening");
    const tab = await browser.newPage();
    await tab.goto(`http://localhost:${(host.address() as AddressInfo).port}/?hub=${server.url}`);
    await tab.locator("p", { hasText: "Live" }).waitFor();
    await tab.locator("button").click();
    await tab.locator("li", { hasText: "orders.eu: order 2" }).waitFor();
    assert.deepEqual(await tab.locator("li").allTextContents(), ["orders.us: order 1", "orders.eu: order 2"]);
    assert.equal(server.hub.size, 1);
  });
});

/** Starts `permission-hook.js`, with what an agent tells it on standard input. */
function hook(page: RecipePage, server: TestServer, input: object, env: Record<string, string> = {}): Program {
  const settings = { HUB_URL: server.url, HUB_CHANNEL: "agents", HUB_COMMAND: `${process.execPath} ${MAIN}` };
  return page.start(process.execPath, ["permission-hook.js"], { ...settings, ...env }, JSON.stringify(input));
}

/** What a hook decides; before it there may be what `ask` says on standard error. */
function decisionOf(output: string, event = "PreToolUse"): object {
  const { hookSpecificOutput: said } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Record<string, object>;
  const { hookEventName, ...decided } = said as Record<string, unknown>;
  assert.equal(hookEventName, event);
  return decided;
}

/** A client that prints id, event and data of `orders.*` gets each message once, whatever happens to its connections. */
async function readsThroughCuts(name: string, file: string, words: readonly string[]): Promise<void> {
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

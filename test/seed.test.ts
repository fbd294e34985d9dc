import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { EventSource } from "eventsource";
import { parse } from "yaml";
import { configure } from "../src/config.ts";
import { HUB_TOOLS } from "./support/mcp.ts";
import { needs } from "./support/needs.ts";
import { blocksOf, pointedAt, seedBlocks, type CodeBlock } from "./support/seed.ts";
import { startServer, type TestServer, type ToolAnswer } from "./support/server.ts";
import { until } from "./support/until.ts";

const run = promisify(execFile);
const PYTHON = "/usr/bin/python3";

function needsCurl(test: TestContext): boolean {
  return needs(test, "curl", spawnSync("curl", ["--version"]).status === 0, "apt-get install curl");
}

function needsPython(test: TestContext): boolean {
  const isThere = spawnSync(PYTHON, ["-c", "import requests, aiohttp"]).status === 0;
  return needs(test, "Python with requests and aiohttp", isThere, "apt-get install python3-requests python3-aiohttp");
}

/** What each `curl` of some shell code is given, as the shell reads it; the rest of the code is not ours to run. */
function curls(code: string): string[][] {
  const shell = `cd() { :; }; uv() { :; }; open() { :; }; curl() { printf '%s\\0' "$@"; printf '\\1\\0'; }\n${code}`;
  const { stdout, status, stderr } = spawnSync("bash", ["-c", shell], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout
    .split("\u0001\0")
    .slice(0, -1)
    .map((words) => words.split("\0").slice(0, -1));
}

async function curl(
  words: readonly string[],
): Promise<{ status: number; json: { result?: unknown; id?: unknown; status?: string } }> {
  const { stdout } = await run("curl", ["-sS", "-w", "\n%{http_code}", ...words]);
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end + 1)), json: JSON.parse(stdout.slice(0, end)) as { result?: unknown } };
}

/** The one block that a title names. */
function only(all: readonly CodeBlock[], language: string, title: RegExp): string {
  const found = blocksOf(all, language, title);
  assert.equal(found.length, 1, `${found.length} ${language} blocks are titled ${title}`);
  return (found[0] as CodeBlock).code;
}

/** An `EventSource` that a test can close. */
function closable(): { readonly opened: EventSource[]; readonly Source: typeof EventSource } {
  const opened: EventSource[] = [];
  class Source extends EventSource {
    constructor(...parameters: ConstructorParameters<typeof EventSource>) {
      super(...parameters);
      opened.push(this);
    }
  }
  return { opened, Source };
}

async function readers(server: TestServer, count: number): Promise<void> {
  await until(`${count} readers`, () => server.hub.size === count);
}

describe("the examples of the project's first document", { concurrency: true }, () => {
  it("every curl is answered, and what the sending ones say reaches the one that listens", async (test) => {
    const all = blocksOf(seedBlocks(test), "bash", /./);
    if (all.length === 0 || !needsCurl(test)) return;
    await using server = await startServer();
    const commands = all.flatMap(({ code }) => curls(pointedAt(code, server.port)));
    assert.ok(commands.length >= 10, `only ${commands.length} curl commands were found`);
    const streams = commands.filter((words) => words.some((word) => word.endsWith("/events")));
    assert.equal(streams.length, 1);
    const stream = spawn("curl", ["-sS", ...(streams[0] ?? [])], { stdio: ["ignore", "pipe", "inherit"] });
    let heard = "";
    stream.stdout.setEncoding("utf8").on("data", (text: string) => (heard += text));
    test.after(() => stream.kill("SIGKILL"));
    await readers(server, 1);
    const messages: string[] = [];
    for (const words of commands.filter((candidate) => !streams.includes(candidate))) {
      const { status, json } = await curl(words);
      assert.equal(status, 200, words.join(" "));
      if (words.some((word) => word.endsWith("/health"))) assert.equal(json.status, "healthy");
      else assert.ok("result" in json && !(json.result as ToolAnswer).isError, JSON.stringify(json));
      const message = /"message": ?"([^"]+)"/.exec(words.join(" "))?.[1];
      if (message !== undefined) messages.push(message);
    }
    assert.ok(messages.length >= 4);
    await until("every message", () => messages.every((message) => heard.includes(`\ndata: ${message}\n\n`)));
  });

  it("the tools are listed as expected: names, descriptions, what is required", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0 || !needsCurl(test)) return;
    interface Listed {
      readonly name: string;
      readonly description: string;
      readonly inputSchema: {
        readonly type: string;
        readonly required: string[];
        readonly properties: Readonly<Record<string, object>>;
      };
    }
    interface Listing {
      readonly jsonrpc: string;
      readonly id: number;
      readonly result: { readonly tools: readonly Listed[] };
    }
    await using server = await startServer();
    const expected = JSON.parse(only(all, "json", /^Expected Response$/)) as Listing;
    const [words = []] = curls(pointedAt(only(all, "bash", /^Example HTTP Request$/), server.port));
    const listing = (await curl(words)).json as unknown as Listing;
    assert.deepEqual([listing.jsonrpc, listing.id], [expected.jsonrpc, expected.id]);
    const names = expected.result.tools.map(({ name }) => name);
    assert.deepEqual(
      listing.result.tools.slice(0, names.length).map(({ name }) => name),
      names,
    );
    for (const [index, { description, inputSchema }] of expected.result.tools.entries()) {
      const ours = listing.result.tools[index] as Listed;
      assert.equal(ours.description, description);
      assert.deepEqual([ours.inputSchema.type, ours.inputSchema.required], [inputSchema.type, inputSchema.required]);
      for (const [name, property] of Object.entries(inputSchema.properties))
        assert.deepEqual(ours.inputSchema.properties[name], property);
    }
  });

  it("the EventSource client prints messages", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0) return;
    await using server = await startServer();
    const { opened, Source } = closable();
    const lines: unknown[][] = [];
    const console = {
      log: (...words: unknown[]) => lines.push(words),
      error: (...words: unknown[]) => lines.push(words),
    };
    const code = pointedAt(only(all, "javascript", /^SSE Client Connection$/), server.port);
    new Function("EventSource", "console", code)(Source, console);
    await readers(server, 1);
    await server.publish("default", "Hello");
    await server.call("send_sse_message", { message: "two\nlines" });
    await until("two lines", () => lines.length === 2);
    assert.deepEqual(
      lines.map(([, data]) => data),
      ["Hello", "two\nlines"],
    );
    for (const source of opened) source.close();
  });

  it("the dashboard shows what the server is, and messages as they come", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0) return;
    await using server = await startServer();
    const { opened, Source } = closable();
    const elements: Record<string, { innerHTML: string }> = {};
    const document = { getElementById: (id: string) => (elements[id] ??= { innerHTML: "" }) };
    const code = pointedAt(only(all, "javascript", /^Dashboard JavaScript$/), server.port);
    new Function("EventSource", "document", code)(Source, document);
    await until("the status", () => elements["server-status"]?.innerHTML.startsWith("Server: ") === true);
    assert.match(elements["server-status"]?.innerHTML ?? "", /^Server: sse-mcp-server \d\S+, up .+ readers?/);
    await readers(server, 1);
    await server.publish("default", "Hello");
    await until("the message", () => elements["logs"]?.innerHTML.endsWith(": Hello</div>") === true);
    for (const source of opened) source.close();
  });

  it("the WebSocket client calls a tool, gets its result and the message, and notices the end", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0) return;
    await using server = await startServer();
    const opened: WebSocket[] = [];
    class Socket extends WebSocket {
      constructor(url: string) {
        super(url);
        opened.push(this);
      }
    }
    const lines: unknown[][] = [];
    const console = { log: (...words: unknown[]) => lines.push(words) };
    const code = pointedAt(only(all, "javascript", /^WebSocket Client Example$/), server.port);
    new Function("WebSocket", "console", code)(Socket, console);
    const received = (type: string): Record<string, unknown> | undefined =>
      lines.map(([, frame]) => frame as Record<string, unknown> | undefined).find((frame) => frame?.["type"] === type);
    await until(
      "the result and the message",
      () => received("mcp_result") !== undefined && received("message") !== undefined,
    );
    const { isError, structuredContent } = (received("mcp_result") ?? {})["result"] as ToolAnswer;
    assert.deepEqual(
      [isError, structuredContent["receivers"], structuredContent["id"]],
      [undefined, 1, received("message")?.["id"]],
    );
    opened[0]?.close();
    await until("its last line", () => lines.length >= 5);
    assert.deepEqual([lines[0]?.length, lines.at(-1)?.length], [1, 1]);
  });

  it("the Python client lists the tools and calls one", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0 || !needsPython(test)) return;
    await using server = await startServer();
    const code = pointedAt(only(all, "python", /^Python HTTP MCP Client$/), server.port);
    const { stdout } = await run(PYTHON, ["-c", `${code}\nprint(json.dumps([tools, result]))`]);
    const [tools, result] = JSON.parse(stdout) as [
      { id: number; result: { tools: object[] } },
      { id: number; result: ToolAnswer },
    ];
    assert.deepEqual(
      [tools.id, tools.result.tools.length, result.id, result.result.isError],
      [1, HUB_TOOLS.length, 2, undefined],
    );
  });

  it("the order service tells the clients", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0 || !needsPython(test)) return;
    await using server = await startServer();
    using reader = await server.events();
    await run(PYTHON, ["-c", pointedAt(only(all, "python", /^Service Integration Example$/), server.port)]);
    assert.match((await reader.next()).data, /^Order ORDER-123 /);
  });

  it("the order service, as it is written, finds a hub by the name of its service", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0 || !needsPython(test)) return;
    // As in compose.yaml with ANONYMOUS_PUBLISH=default: `npm run image` does this with containers.
    const anonymous = { anonymousPublish: ["default"], anonymousSubscribe: ["default"] };
    await using server = await startServer({ env: "production", allowedHosts: ["sse-mcp-server"], ...anonymous });
    using reader = await server.events();
    const names = `import socket
find = socket.getaddrinfo
def named(host, port, *rest, **options):
    if (host, port) == ("sse-mcp-server", 8000): host, port = "127.0.0.1", ${server.port}
    return find(host, port, *rest, **options)
socket.getaddrinfo = named
`;
    await run(PYTHON, ["-c", names + only(all, "python", /^Service Integration Example$/)]);
    assert.match((await reader.next()).data, /^Order ORDER-123 /);
  });

  it("the health check of its Dockerfile and the environment of its compose file fit our server", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0 || !needsCurl(test)) return;
    const compose = parse(only(all, "yaml", /^Docker Compose$/)) as {
      services: Record<string, { ports: string[]; environment?: string[] }>;
    };
    const { ports = [], environment = [] } = compose.services["sse-mcp-server"] ?? {};
    const settings = Object.fromEntries(environment.map((line) => line.split("="))) as Record<string, string>;
    const { config, sources } = configure([], settings);
    assert.deepEqual([config.env, config.maxConnections], ["production", 1000]);
    assert.deepEqual([sources.env, sources.maxConnections], ["environment", "environment"]);
    assert.deepEqual(ports, [`${config.port}:${config.port}`]);
    const check = /^ *CMD (curl .*)$/m.exec(only(all, "dockerfile", /^Production Dockerfile$/))?.[1] ?? "";
    await using server = await startServer({ env: config.env, maxConnections: config.maxConnections });
    await run("sh", ["-c", pointedAt(check, server.port)]);
    await server.close();
    await assert.rejects(run("sh", ["-c", pointedAt(check, server.port)]), { code: 1 });
  });

  it("the load test completes its calls, and each of its readers sees the hundred messages of another run", async (test) => {
    const all = seedBlocks(test);
    if (all.length === 0 || !needsPython(test)) return;
    await using server = await startServer();
    const code = pointedAt(only(all, "python", /^Load Testing Script$/), server.port);
    const start = (): { output: string } => {
      const seen = { output: "" };
      const child = spawn(PYTHON, ["-u", "-c", code], { stdio: ["ignore", "pipe", "pipe"] });
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => (seen.output += text));
      // Its readers never end by themselves.
      test.after(() => child.kill("SIGKILL"));
      return seen;
    };
    // The script opens its readers behind its calls, so they see what a second run sends.
    const first = start();
    await readers(server, 10);
    assert.match(first.output, /^Completed 100 calls in /);
    const second = start();
    await readers(server, 20);
    const seenBy = (client: number): Set<string | undefined> =>
      new Set(
        [...first.output.matchAll(new RegExp(`^Client ${client}: b'data: Load test message (\\d+)\\\\n'$`, "gm"))].map(
          ([, n]) => n,
        ),
      );
    await until("all of it", () =>
      Array.from({ length: 10 }, (_, client) => seenBy(client).size).every((size) => size === 100),
    );
    assert.match(second.output, /^Completed 100 calls in /);
    assert.equal(server.hub.stats.published, 200);
    assert.equal(server.hub.stats.delivered, 1000);
  });
});

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { prompts } from "../src/mcp/prompts.ts";
import { ToolSet } from "../src/tools/index.ts";
import { EventReader } from "./support/event-reader.ts";
import { Inspector } from "./support/inspector.ts";
import { request, type Answer } from "./support/request.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";
import { until } from "./support/until.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/mcp.md"), "utf8");
const ADDRESS = "http://127.0.0.1:8000/mcp";

describe("the page for users of MCP", () => {
  it("shows configurations that can be read and name the endpoint", () => {
    const shown = [...blocks("json").map((text): unknown => JSON.parse(text)), ...blocks("toml").map(toml)];
    assert.equal(shown.length, 5);
    for (const configuration of shown) {
      const [servers] = Object.values(configuration as Record<string, { hub: Record<string, unknown> }>);
      assert.ok(servers !== undefined);
      const { url, command, args, type = "http" } = servers.hub;
      if (command === undefined) assert.deepEqual([url, type], [ADDRESS, "http"]);
      else {
        const here = (path: string): string => path.replace("/path/to/sse-mcp-server", join(import.meta.dirname, ".."));
        const [main = "", ...words] = args as string[];
        assert.ok([command as string, main].every((path) => path.startsWith("/path/to/") && existsSync(here(path))));
        assert.deepEqual(words, ["stdio", "--url", ADDRESS]);
      }
    }
    for (const line of blocks("sh")) assert.ok(line.includes(ADDRESS), line);
  });

  it("never lets npx fetch this package, which is not published", () => {
    assert.doesNotMatch(PAGE, /npx (?:-y )?sse-mcp-server|"npx"/);
  });

  it("shows a line for the Inspector that lists the tools", async () => {
    const line = blocks("sh").find((text) => text.startsWith("npx @modelcontextprotocol/inspector --cli "));
    const [, words] = /--transport http (.*)$/.exec(line ?? "") ?? [];
    assert.ok(words !== undefined);
    await using server = await startServer();
    using folder = new TemporaryFolder();
    for (const era of ["legacy", "modern"] as const) {
      const { code, stdout } = await new Inspector(server.url, era, folder.path, words.split(" ")).end();
      assert.equal(code, 0);
      assert.match(stdout, /"name":"wait_for_messages"/);
    }
  });

  it("lists what is offered", () => {
    assert.deepEqual(
      rows("tool").map(([name]) => name),
      new ToolSet().listings.map(({ name }) => `\`${name}\``),
    );
    assert.deepEqual(
      rows("prompt").map(([name]) => name),
      prompts.map(({ listing }) => `\`${listing.name}\``),
    );
    assert.deepEqual(
      rows("resource").map(([name]) => name),
      ["`hub://channels`", "`hub://channels/{channel}`", "`hub://questions/{id}`"],
    );
  });

  it("lists the errors of the endpoint as they are", async () => {
    await using server = await startServer({ maxSessions: 1, maxConnections: 1 });
    const happened: [status: string, code: string][] = [];
    for (const provoke of PROVOKED) {
      const { status, text } = await provoke(server);
      const [, data = text] = /^data: (\{.*)$/m.exec(text) ?? [];
      const { error } = JSON.parse(data) as { error?: { code: number } };
      happened.push([String(status), String(error?.code)]);
    }
    assert.deepEqual(
      happened,
      rows("status").map(([status, code]) => [status, code]),
    );
  });
});

const VERSION = "2026-07-28";
const BOTH = "application/json, text/event-stream";

/** One request for each row of the table, in its order. */
const PROVOKED: readonly ((server: TestServer) => Promise<Answer>)[] = [
  (server) => post(server, "{"),
  (server) => modern(server, "tools/list", {}, { jsonrpc: "1.0" }),
  (server) => post(server, JSON.stringify("x".repeat(2 ** 20))),
  (server) => post(server, "{}", { origin: "http://elsewhere.example" }),
  ({ url }) => request(`${url}/mcp`),
  (server) => post(server, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'),
  (server) => post(server, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}', { "mcp-session-id": "none" }),
  (server) => inSession(server, "tools/list", { accept: "text/html" }),
  (server) => modern(server, "tools/list", { "mcp-method": "tools/call" }),
  (server) => modern(server, "tools/list", { "mcp-protocol-version": "2030-01-01" }, {}, "2030-01-01"),
  (server) => modern(server, "tools/list", {}, { params: {} }),
  (server) => modern(server, "no/method"),
  (server) => inSession(server, "no/method"),
  (server) => modern(server, "resources/read"),
  async (server) => {
    const headers = { "mcp-session-id": await openSession(server) };
    using stream = await EventReader.open(`${server.url}/mcp`, { headers });
    assert.equal(stream.status, 200);
    const answer = await initialize(server);
    stream.close();
    await until("it is gone", async () => (await server.metric('sse_mcp_connections{door="mcp"}')) === 0);
    return answer;
  },
  async (server) => {
    using reader = await server.events();
    assert.equal(reader.status, 200);
    const call = { name: "wait_for_messages", arguments: { channels: ["default"] } };
    const more = { params: { ...call, ...META } };
    return await modern(server, "tools/call", { "mcp-name": call.name }, more);
  },
];

const META = metaOf(VERSION);

function metaOf(version: string): object {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": version,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return { _meta };
}

function post({ url }: TestServer, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return request(`${url}/mcp`, { method: "POST", headers, body });
}

function modern(
  server: TestServer,
  method: string,
  headers: Record<string, string> = {},
  body: object = {},
  version = VERSION,
): Promise<Answer> {
  const message = { jsonrpc: "2.0", id: 1, method, params: metaOf(version), ...body };
  return post(server, JSON.stringify(message), { "mcp-protocol-version": VERSION, "mcp-method": method, ...headers });
}

function initialize(server: TestServer): Promise<Answer> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
  const message = { jsonrpc: "2.0", id: 1, method: "initialize", params };
  return post(server, JSON.stringify(message), { accept: BOTH });
}

async function openSession(server: TestServer): Promise<string> {
  return String((await initialize(server)).headers["mcp-session-id"]);
}

async function inSession(server: TestServer, method: string, headers: Record<string, string> = {}): Promise<Answer> {
  const message = { jsonrpc: "2.0", id: 2, method };
  const session = await openSession(server);
  return post(server, JSON.stringify(message), { accept: BOTH, "mcp-session-id": session, ...headers });
}

function blocks(language: string): readonly string[] {
  return [...PAGE.matchAll(/^```(\w+)\n([\s\S]*?)\n```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , text = ""]) => text);
}

/** As much of TOML as the page uses: tables of texts. */
function toml(text: string): unknown {
  const root: Record<string, unknown> = {};
  let table = root;
  for (const line of text.split("\n")) {
    const [, path] = /^\[([\w.]+)\]$/.exec(line) ?? [];
    const [, key, value] = /^(\w+) = ("[^"\\]*")$/.exec(line) ?? [];
    if (path !== undefined) {
      table = path.split(".").reduce((at, name) => (at[name] ??= {}) as Record<string, unknown>, root);
    } else if (key !== undefined && value !== undefined) table[key] = JSON.parse(value);
    else assert.fail(`no TOML of this page: ${line}`);
  }
  return root;
}

/** The rows of the table whose head begins with this word. */
function rows(head: string): readonly string[][] {
  const lines = PAGE.split("\n");
  const start = lines.findIndex((line) => new RegExp(`^\\| ${head} `).test(line));
  const end = lines.indexOf("", start);
  return lines.slice(start + 2, end === -1 ? undefined : end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

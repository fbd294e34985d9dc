import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Inspector } from "../support/inspector.ts";
import { HUB_TOOLS } from "../support/mcp.ts";
import { startServer, type ToolAnswer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const WAIT = ["--method", "tools/call", "--tool-name", "wait_for_messages", "--tool-args-json"];
/** Milliseconds for a process of its own to start and ask. */
const DEADLINE = 30_000;
const REVISIONS = { legacy: "2025-11-25", modern: "2026-07-28" } as const;

for (const era of ["legacy", "modern"] as const) {
  describe(`the command line of the Inspector, ${era} era`, () => {
    it("connects and finds no error in the schemas of the tools", async () => {
      await using server = await startServer();
      using folder = new TemporaryFolder();
      const run = runner(server.url, era, folder);
      const { serverInfo, protocolVersion } = await run("--method", "initialize");
      assert.deepEqual([(serverInfo as { name: string }).name, protocolVersion], ["sse-mcp-server", REVISIONS[era]]);

      const { code, stdout, stderr } = await new Inspector(server.url, era, folder.path, [
        "--method",
        "tools/list",
        "--strict",
      ]).end();
      assert.equal(code, 0, stderr);
      const { result, schemaFindings } = JSON.parse(stdout) as {
        result: { tools: { name: string }[] };
        schemaFindings: { findings: { severity: string; rule: string; schema: string }[] }[];
      };
      assert.deepEqual(
        result.tools.map(({ name }) => name),
        HUB_TOOLS,
      );
      // What tools answer may be null, and data may be any JSON; what they take is portable throughout.
      for (const { severity, rule, schema } of schemaFindings.flatMap(({ findings }) => findings)) {
        assert.deepEqual([severity, schema], ["warning", "outputSchema"]);
        assert.ok(["type-union", "untyped-schema"].includes(rule), rule);
      }
    });

    it("calls each tool, and ends with 5 where a tool refuses", async () => {
      await using server = await startServer();
      using folder = new TemporaryFolder();
      const run = runner(server.url, era, folder);
      const call = async (name: string, input: object): Promise<ToolAnswer["structuredContent"]> => {
        const words = ["--method", "tools/call", "--tool-name", name, "--tool-args-json", JSON.stringify(input)];
        return (await run(...words))["structuredContent"] as ToolAnswer["structuredContent"];
      };
      const { id } = await call("send_sse_message", { message: "Hello", channel: "default" });
      const [info, channels, read, waited, refused] = await Promise.all([
        call("get_server_info", {}),
        call("list_channels", { prefix: "default" }),
        call("read_messages", { channel: "default" }),
        call("wait_for_messages", { channels: ["default"], timeoutSeconds: 0 }),
        new Inspector(server.url, era, folder.path, [
          "--method",
          "tools/call",
          "--tool-name",
          "read_messages",
          "--tool-args-json",
          '{"channel":"a b"}',
        ]).end(),
      ]);
      assert.equal(info["name"], "sse-mcp-server");
      assert.deepEqual(
        (channels["channels"] as { channel: string }[]).map(({ channel }) => channel),
        ["default"],
      );
      assert.deepEqual(
        (read["messages"] as { data: string }[]).map(({ data }) => data),
        ["Hello"],
      );
      assert.deepEqual([waited["messages"], waited["next"]], [[], id]);
      const { questionId } = await call("ask_person", { question: "Deploy?", timeoutSeconds: 0 });
      assert.equal((await call("await_answer", { questionId, timeoutSeconds: 0 }))["status"], "open");
      assert.equal(refused.code, 5);
    });

    it("reads channels and gets prompts", async () => {
      await using server = await startServer();
      using folder = new TemporaryFolder();
      const run = runner(server.url, era, folder);
      const { id } = await server.publish("default", "Hello");
      const read = async (uri: string): Promise<Record<string, unknown>> => {
        const { contents } = (await run("--method", "resources/read", "--uri", uri)) as {
          contents: { text: string }[];
        };
        return JSON.parse(contents[0]?.text ?? "") as Record<string, unknown>;
      };
      const [listed, templates, channels, channel, prompts, prompt] = await Promise.all([
        run("--method", "resources/list"),
        run("--method", "resources/templates/list"),
        read("hub://channels"),
        read("hub://channels/default"),
        run("--method", "prompts/list"),
        run("--method", "prompts/get", "--prompt-name", "catch_up", "--prompt-args", "channel=default"),
      ]);
      assert.deepEqual(
        (listed["resources"] as { uri: string }[]).map(({ uri }) => uri),
        ["hub://channels", "hub://channels/default"],
      );
      assert.match(JSON.stringify(templates), /hub:\/\/channels\/\{channel\}/);
      assert.match(JSON.stringify(channels), new RegExp(`"channel":"default".*"lastId":"${id}"`));
      assert.deepEqual([(channel["messages"] as unknown[]).length, channel["next"]], [1, id]);
      assert.deepEqual(
        (prompts["prompts"] as { name: string }[]).map(({ name }) => name),
        ["catch_up", "join_channel"],
      );
      assert.match(JSON.stringify(prompt), /Read the channel \\"default\\"/);
    });

    it("waits for messages and is answered when one comes", async () => {
      await using server = await startServer();
      using folder = new TemporaryFolder();
      const input = JSON.stringify({ channels: ["default"], timeoutSeconds: 25 });
      const waiting = runner(server.url, era, folder)(...WAIT, input);
      await until("it waits", async () => (await server.metric('sse_mcp_connections{door="waiting"}')) === 1, DEADLINE);
      const { id } = await server.publish("default", "Hello");
      const { structuredContent } = (await waiting) as { structuredContent: { next: string } };
      assert.equal(structuredContent.next, id);
    });
  });
}

describe("an Inspector that is stopped", () => {
  it("ends the call that it waits for", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const inspector = new Inspector(server.url, "modern", folder.path, [
      ...WAIT,
      '{"channels":["default"],"timeoutSeconds":50}',
    ]);
    const waiting = (): Promise<number> => server.metric('sse_mcp_connections{door="waiting"}');
    await until("it waits", async () => (await waiting()) === 1, DEADLINE);
    inspector.child.kill("SIGTERM");
    await inspector.end();
    await until("the server waits no longer", async () => (await waiting()) === 0);
  });
});

/** Runs the Inspector to its end, which must be a good one; resolves with the result it prints. */
function runner(
  url: string,
  era: keyof typeof REVISIONS,
  folder: TemporaryFolder,
): (...words: string[]) => Promise<Record<string, unknown>> {
  return async (...words) => {
    const { code, stdout, stderr } = await new Inspector(url, era, folder.path, words).end();
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { result: Record<string, unknown> }).result;
  };
}

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openSdkClient } from "../support/mcp-clients.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const ROOT = join(import.meta.dirname, "../..");
const PLUGIN = join(ROOT, "examples/claude-code");

interface Monitor {
  readonly name: string;
  readonly command: string;
  readonly description: string;
  readonly when?: string;
}

function json(path: string): unknown {
  return JSON.parse(readFileSync(join(PLUGIN, path), "utf8"));
}

describe("the plugin for Claude Code", () => {
  it("has the files and fields that the documentation of plugins names, in version 2.1", () => {
    const manifest = json(".claude-plugin/plugin.json") as Record<string, unknown>;
    assert.match(String(manifest["name"]), /^[a-z][a-z\d-]*$/);
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    assert.equal(manifest["version"], version);
    assert.ok(
      Object.keys(manifest).every((key) => ["name", "version", "description", "license", "keywords"].includes(key)),
    );
    const { mcpServers } = json(".mcp.json") as { mcpServers: Record<string, { type: string; url: string }> };
    assert.deepEqual(Object.values(mcpServers), [{ type: "http", url: "${HUB_URL:-http://127.0.0.1:8000}/mcp" }]);
    const monitors = json("monitors/monitors.json") as Monitor[];
    assert.equal(new Set(monitors.map(({ name }) => name)).size, monitors.length);
    for (const { name, command, description, when = "always", ...more } of monitors) {
      assert.ok(name !== "" && description !== "");
      assert.match(when, /^always$|^on-skill-invoke:[\w-]+$/);
      assert.deepEqual(more, {});
      for (const [, path = ""] of command.matchAll(/\$\{CLAUDE_PLUGIN_ROOT\}\/([\w./-]+)/g))
        assert.ok(existsSync(join(PLUGIN, path)), path);
    }
  });

  it("is woken by others, not by Claude itself, with lines that fit, also after a restart", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const [monitor] = json("monitors/monitors.json") as Monitor[];
    const data = join(folder.path, "data");
    const replaced = (monitor?.command ?? "")
      .replaceAll("${CLAUDE_PLUGIN_ROOT}", PLUGIN)
      .replaceAll("${CLAUDE_PLUGIN_DATA}", data);
    const { PATH = "" } = process.env;
    const env = {
      PATH,
      HUB_URL: server.url,
      HUB_CHANNELS: "team.* default",
      HUB_NAME: "test",
      // Claude Code gives it to what it starts (seen in 2.1.332).
      CLAUDE_CODE_SESSION_ID: "one",
      HUB_COMMAND: `${process.execPath} ${join(ROOT, "src/cli/main.ts")}`,
    };
    await using claude = await openSdkClient("v2 in auto mode", server.url);
    const lines: string[] = [];
    for (const text of ["first", "x".repeat(2000)]) {
      const child = spawn(replaced, { shell: true, env, stdio: ["ignore", "pipe", "inherit"], detached: true });
      child.stdout.setEncoding("utf8").on("data", (line: string) => lines.push(...line.split("\n").slice(0, -1)));
      const count = lines.length;
      try {
        await until("it follows", () => existsSync(join(data, "place-one")) && server.hub.size === 1);
        await claude.call("send_sse_message", { channel: "team.eu", message: "my own" });
        await server.publish("team.eu", text);
        await until("a line", () => lines.length > count);
      } finally {
        process.kill(-(child.pid ?? 0), "SIGTERM");
        await once(child, "close");
      }
    }
    assert.ok(lines.every((line) => line.length <= 450));
    const wakes = lines.map((line) => JSON.parse(line) as { after: string; newest: { data: string; cut?: string } });
    assert.deepEqual([wakes.length, wakes[0]?.newest.data], [2, "first"]);
    assert.match(wakes[1]?.newest.cut ?? "", /of 2000 characters left out/);
    const { structuredContent } = await claude.call("read_messages", { channel: "team.*", after: wakes[1]?.after });
    const read = (structuredContent["messages"] as { data: string }[]).map((message) => message.data);
    assert.equal(read.at(-1), "x".repeat(2000));
  });
});

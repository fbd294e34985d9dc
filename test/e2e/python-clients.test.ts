import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { HUB_TOOLS } from "../support/mcp.ts";
import { needs } from "../support/needs.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const CACHE = join(import.meta.dirname, "../../.cache");
const PROGRAM = join(import.meta.dirname, "python-clients/talk.py");
const WAITING = 'sse_mcp_connections{door="waiting"}';
const PACKAGES = { mcp: "mcp==2.3.0 fastmcp==4.2.3", "mcp-v1": "mcp==1.30.0" } as const;

/** The clients, where they are, and the revision that they speak, as far as they say it. */
const CLIENTS = [
  ["official auto", "mcp", "2026-07-28"],
  ["official legacy", "mcp", "2025-11-25"],
  ["fastmcp", "mcp", null],
  ["v1", "mcp-v1", "2025-11-25"],
] as const;

describe("a client in Python", { concurrency: 2 }, () => {
  for (const [kind, venv, revision] of CLIENTS) {
    it(`${kind} lists the tools, is woken by a message, asks its own user, and asks people`, async (test) => {
      const python = join(CACHE, venv, "bin/python");
      const install = `python3 -m venv .cache/${venv} && .cache/${venv}/bin/pip install ${PACKAGES[venv]}`;
      if (!needs(test, `Python with ${PACKAGES[venv]}`, existsSync(python), install)) return;
      await using server = await startServer();
      const child = spawn(python, [PROGRAM, kind, `${server.url}/mcp`], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, NO_PROXY: "*" },
      });
      const ended = once(child, "close");
      const steps: Record<string, unknown>[] = [];
      createInterface(child.stdout).on("line", (line) => steps.push(JSON.parse(line) as Record<string, unknown>));
      try {
        await until("it waits", async () => (await server.metric(WAITING)) === 1);
        await server.publish("news", "hello");
        const open = async (): Promise<string | undefined> => {
          const { questions } = (await server.request("/questions?state=open")).json() as {
            questions: { id: string; assignees?: unknown }[];
          };
          return questions.find(({ assignees }) => assignees === undefined)?.id;
        };
        await until("it asks people", async () => steps.length === 3 && (await open()) !== undefined);
        const body = JSON.stringify({ value: true, by: "ana" });
        const headers = { "content-type": "application/json" };
        await server.request(`/questions/${await open()}/answer`, { method: "POST", headers, body });
        assert.deepEqual(await ended, [0, null]);
      } finally {
        child.kill("SIGKILL");
      }
      const [connected, woken, mine, others] = steps;
      assert.deepEqual(connected, { step: "connected", revision, tools: [...HUB_TOOLS] });
      assert.deepEqual(woken, { step: "woken", data: ["hello"], hadProgress: true });
      assert.partialDeepStrictEqual(mine, { answer: { status: "answered", value: true, via: "mcp" } });
      assert.partialDeepStrictEqual(others, { answer: { status: "answered", value: true, by: "ana", via: "rest" } });
    });
  }
});

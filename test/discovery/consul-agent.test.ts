import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { leashed, onPath } from "../support/leash.ts";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

describe("discovery with an agent of Consul", () => {
  it("registers, passes the health check, is out of service while it drains, and gone at the end", async (test) => {
    const binary = onPath("consul");
    // It is not among the packages of Debian, nor of any other registry that CI reaches.
    if (binary === undefined) return test.skip("consul is not on the PATH; the double stands in for it");
    const ports = { http: await freePort(), dns: -1, grpc: -1, "grpc-tls": -1, "serf-lan": await freePort() };
    const other = { "serf-wan": -1, server: await freePort() };
    const flags = Object.entries({ ...ports, ...other }).map(([name, port]) => `-${name}-port=${port}`);
    const [command, ...words] = leashed(binary, "agent", "-dev", "-bind=127.0.0.1", ...flags);
    const agent = spawn(command, words, { stdio: "ignore" });
    const url = `http://127.0.0.1:${ports.http}`;
    const checks = async (): Promise<readonly { readonly Status: string }[]> => {
      const answer = await fetch(`${url}/v1/health/checks/sse-mcp-server`).catch(() => undefined);
      return answer?.status === 200 ? ((await answer.json()) as { Status: string }[]) : [];
    };
    await using server = await startServer({ discovery: `consul:${url}`, drainWait: 60 });
    await until("the check passes", async () => (await checks()).some(({ Status }) => Status === "passing"), 60_000);
    const skip = new AbortController();
    const drained = server.drain(skip.signal);
    await until("it is in maintenance", async () => (await checks()).some(({ Status }) => Status === "critical"));
    skip.abort();
    await drained;
    await server.close();
    await until("it is gone", async () => (await checks()).length === 0);
    agent.kill();
    await once(agent, "exit");
    assert.equal(agent.killed, true);
  });
});

import { setTimeout as pause } from "node:timers/promises";
import { Caller } from "./load/caller.ts";
import { mcpRequest } from "./mcp-request.ts";
import { requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";

const CONNECTIONS = 32;
const WARM_UP = 1000;

/** A call of a tool, as a client sends it. */
export interface ToolCall {
  readonly tool: string;
  readonly input: object;
  /** Over the MCP endpoint, as revision 2026-07-28 has it; otherwise with plain HTTP. */
  readonly mcp?: boolean;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
}

/** How many calls of a tool a server answers per second to connections that each wait for their answer. */
export async function callsPerSecond(port: number, call: ToolCall, seconds: number): Promise<number> {
  const address: Address = { secure: false, host: "127.0.0.1", name: "127.0.0.1", port };
  const { tool } = call;
  const request = requestOf(address, call);
  let answers = 0;
  let trouble: string | undefined;
  const callers = Array.from({ length: CONNECTIONS }, () => {
    const caller: Caller = new Caller(address, {
      answered(status, text) {
        if (status !== 200) trouble = `${tool} was answered ${status}: ${text}`;
        answers += 1;
        caller.send(request);
      },
      broken: (reason) => (trouble ??= reason),
    });
    return caller;
  });
  await Promise.all(callers.map((caller) => caller.open()));
  for (const caller of callers) caller.send(request);
  await pause(WARM_UP);
  const before = answers;
  const start = performance.now();
  await pause(seconds * 1e3);
  const rate = ((answers - before) * 1e3) / (performance.now() - start);
  const failed = trouble;
  for (const caller of callers) caller.close();
  if (failed !== undefined) throw new Error(failed);
  return rate;
}

function requestOf(address: Address, { tool, input, mcp = false, token }: ToolCall): Buffer {
  const params = { name: tool, arguments: input };
  const credential = token === undefined ? [] : [`Authorization: Bearer ${token}`];
  if (mcp) return mcpRequest(address, "tools/call", params, tool);
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const fields = [...credential, "Content-Type: application/json", `Content-Length: ${body.length}`];
  return Buffer.from(requestHead("POST", "/mcp/tools/call", address, fields) + body);
}

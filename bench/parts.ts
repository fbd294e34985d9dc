import { callsPerSecond, type ToolCall } from "./calls.ts";
import { listenCost, type ListenCost } from "./listeners.ts";
import { measureCell, measureMemory, measureQuietly, WARM_UP } from "./cell.ts";
import type { Cell, ConnectionMemory } from "./cell.ts";
import { quiet } from "./kernel.ts";
import { ServerProcess } from "./server-process.ts";
import { BARE, OURS, SDK } from "./targets.ts";
import type { Contender } from "./targets.ts";

const QUIET = 0.1;
const TIMEOUT = 5000;
const LISTEN_SECONDS = 6;
const CALL_WARM_UP = 4;
const INFO = { tool: "get_server_info", input: {} };
const SEND = { tool: "send_sse_message", input: { message: "hello" } };
const SEED_LOAD = { readers: 100, publishers: 1, rate: 50 };
/** At 50 publishes a second a server would compile for minutes. */
const SEED_WARM_UP = { ...SEED_LOAD, rate: 0, seconds: 8 };
const MEMORY_LOAD = { readers: 5000, publishers: 16, seconds: 1, rate: 0 };

/** Calls answered per second, by round. */
export interface CallRates {
  readonly bare: number[];
  readonly info: number[];
  readonly send: number[];
}

/** Tool calls, against a server that does nothing but parse and answer. */
export async function measureCalls(rounds: number, seconds: number): Promise<CallRates> {
  const rates: CallRates = { bare: [], info: [], send: [] };
  await using bare = await ServerProcess.start(BARE);
  await using ours = await ServerProcess.start(OURS);
  await warmUp(bare.port, [INFO]);
  await warmUp(ours.port, [INFO, SEND]);
  for (let round = 0; round < rounds; round += 1) {
    await quiet(QUIET, TIMEOUT);
    rates.bare.push(await callsPerSecond(bare.port, INFO, seconds));
    rates.info.push(await callsPerSecond(ours.port, INFO, seconds));
    rates.send.push(await callsPerSecond(ours.port, SEND, seconds));
  }
  return rates;
}

/** Calls over the MCP endpoint per second, and what listening costs, by round. */
export interface McpRates extends CallRates {
  readonly sdk: number[];
  readonly listening: ListenCost[];
}

/** The same over MCP, against that server and a minimal one on the official SDK; and 1,000 listeners. */
export async function measureMcp(rounds: number, seconds: number): Promise<McpRates> {
  const rates: McpRates = { bare: [], info: [], send: [], sdk: [], listening: [] };
  await using bare = await ServerProcess.start(BARE);
  await using ours = await ServerProcess.start(OURS);
  await using sdk = await ServerProcess.start(SDK);
  const [info, send] = [
    { ...INFO, mcp: true },
    { ...SEND, mcp: true },
  ];
  await warmUp(bare.port, [info]);
  await warmUp(ours.port, [info, send]);
  await warmUp(sdk.port, [info]);
  for (let round = 0; round < rounds; round += 1) {
    await quiet(QUIET, TIMEOUT);
    rates.bare.push(await callsPerSecond(bare.port, info, seconds));
    rates.info.push(await callsPerSecond(ours.port, info, seconds));
    rates.send.push(await callsPerSecond(ours.port, send, seconds));
    rates.sdk.push(await callsPerSecond(sdk.port, info, seconds));
    rates.listening.push(await listenCost(ours, LISTEN_SECONDS));
  }
  return rates;
}

/** Calls until a server has compiled what it needs for them, which takes some seconds on a slow machine. */
async function warmUp(port: number, calls: readonly ToolCall[]): Promise<void> {
  for (const call of calls) await callsPerSecond(port, call, CALL_WARM_UP);
}

/** 100 readers and 50 publishes per second, by contender and round. */
export async function measureSeed(
  contenders: readonly Contender[],
  rounds: number,
  seconds: number,
): Promise<ReadonlyMap<string, readonly Cell[]>> {
  const cells = new Map<string, Cell[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) {
      await using server = await ServerProcess.start(contender.server);
      await measureCell(contender, server, WARM_UP);
      await measureCell(contender, server, SEED_WARM_UP);
      const cell = await measureQuietly(contender, server, { ...SEED_LOAD, seconds });
      cells.set(contender.name, [...(cells.get(contender.name) ?? []), cell]);
    }
  }
  return cells;
}

/** Memory per connection at 5,000 readers, each contender in a fresh process. */
export async function measureMemories(
  contenders: readonly Contender[],
): Promise<ReadonlyMap<string, ConnectionMemory>> {
  const memories = new Map<string, ConnectionMemory>();
  for (const contender of contenders) {
    await using server = await ServerProcess.start(contender.server);
    memories.set(contender.name, await measureMemory(contender, server, MEMORY_LOAD));
  }
  return memories;
}

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { connect, requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";

/**
 * What callers cost that wait for hours, idle and woken:
 * `node bench/waiting-callers.ts PORT PID [COUNT] [SECONDS] [ERA] [WHAT]`. ERA is `modern`, `legacy`, or `http` for
 * `GET /questions/{id}?wait=3600`; WHAT is `messages`, or `answer` to one question. Prints a line of JSON. The first run against a server counts: later ones reuse its memory. Sessions of the legacy era
 * need `--max-sessions` COUNT.
 */
const [port = "8000", pid = "", count = "1000", seconds = "30", era = "modern", what = "messages"] =
  process.argv.slice(2);
const address: Address = { secure: false, host: "127.0.0.1", name: "127.0.0.1", port: Number(port) };
const callers = Number(count);
const ACCEPT = "application/json, text/event-stream";
const VERSION = "2026-07-28";
const server = `http://127.0.0.1:${port}`;
/** The question that is waited for. */
const question = what === "answer" || era === "http" ? await asked() : "";
const WAIT =
  question === ""
    ? { name: "wait_for_messages", arguments: { channels: ["wake.*"], timeoutSeconds: 86_400 } }
    : { name: "await_answer", arguments: { questionId: question, timeoutSeconds: 86_400 } };
/** What is in the first bytes that a caller gets, and in those that end its wait. */
const BEGUN = era === "http" ? "HTTP/1.1 200" : "notifications/progress";
const ENDED = era === "http" ? '"outcome":"answered"' : "structuredContent";
const PREFIX = "io.modelcontextprotocol";
const modernMeta = { [`${PREFIX}/protocolVersion`]: VERSION, [`${PREFIX}/clientCapabilities`]: {}, progressToken: 1 };
const clientInfo = { name: "bench", version: "1.0.0" };

console.log(JSON.stringify(await measured()));

async function measured(): Promise<object> {
  const before = await settled();
  const requests =
    era === "legacy" ? await legacyCalls() : Array.from({ length: callers }, era === "http" ? httpCall : modernCall);
  const opened = await settled();
  const seen = { progress: 0, woken: 0 };
  const sockets = requests.map((request) => {
    const socket = connect(address, (bytes, length) => {
      const text = bytes.subarray(0, length);
      if (text.includes(BEGUN)) seen.progress += 1;
      if (text.includes(ENDED)) seen.woken += 1;
    });
    socket.on("error", () => {});
    socket.write(request);
    return socket;
  });
  while (seen.progress < callers) await pause(50);
  const waiting = await settled();
  const cpu = cpuSeconds();
  const told = seen.progress;
  await pause(Number(seconds) * 1000);
  const idle = cpuSeconds() - cpu;
  const during = seen.progress - told;
  const later = await settled();
  const start = performance.now();
  if (question === "") await fetch(`${server}/channels/wake.all/messages`, { method: "POST", body: "x" });
  else await fetch(`${server}/questions/${question}/answer`, { method: "POST", body: '{"value":true,"by":"Ana"}' });
  while (seen.woken < callers) await pause(1);
  const wake = performance.now() - start;
  for (const socket of sockets) socket.destroy();
  return {
    era,
    what: question === "" ? "messages" : "answer",
    callers,
    kilobytesPerSession: kilobytes(opened - before),
    kilobytesPerWait: kilobytes(waiting - opened),
    kilobytesPerWaitLater: kilobytes(later - opened),
    cpuPercentIdle: (100 * idle) / Number(seconds),
    progressPerSecond: during / Number(seconds),
    millisecondsToWakeAll: wake,
  };
}

function kilobytes(bytes: number): number {
  return Math.round((10 * bytes) / callers / 1024) / 10;
}

/** Resident bytes of the server, once its memory has settled. */
async function settled(): Promise<number> {
  await pause(2000);
  const [, pages = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
  return Number(pages) * 4096;
}

function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function asked(): Promise<string> {
  const response = await fetch(`${server}/questions`, { method: "POST", body: "Deploy?" });
  return ((await response.json()) as { readonly id: string }).id;
}

function httpCall(): Buffer {
  return Buffer.from(requestHead("GET", `/questions/${question}?wait=3600`, address, []));
}

function modernCall(): Buffer {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...WAIT, _meta: modernMeta } });
  const fields = [
    `Accept: ${ACCEPT}`,
    `MCP-Protocol-Version: ${VERSION}`,
    "Mcp-Method: tools/call",
    `Mcp-Name: ${WAIT.name}`,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.from(requestHead("POST", "/mcp", address, fields) + body);
}

/** A session for each caller. */
async function legacyCalls(): Promise<Buffer[]> {
  const requests: Buffer[] = [];
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  while (requests.length < callers) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    const headers = { accept: ACCEPT };
    const response = await fetch(`${server}/mcp`, { method: "POST", headers, body });
    await response.arrayBuffer();
    const session = response.headers.get("mcp-session-id") ?? "";
    const call = JSON.stringify({
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { ...WAIT, _meta: { progressToken: 1 } },
    });
    const fields = [`Accept: ${ACCEPT}`, `Mcp-Session-Id: ${session}`, `Content-Length: ${call.length}`];
    requests.push(Buffer.from(requestHead("POST", "/mcp", address, fields) + call));
  }
  return requests;
}

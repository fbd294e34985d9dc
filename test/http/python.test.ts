import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { needs } from "../support/needs.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const SYSTEM = "/usr/bin/python3";
/** Made by `.ci/run`, for what the system has no package of. */
const VENV = join(import.meta.dirname, "../../.cache/python");
const PIP = "sseclient-py==1.9.0 requests-sse==0.5.3 httpx==0.28.1 httpx-sse==0.4.3";

/** What reads a stream with a library and its defaults, and prints `> ` and the data of what comes. */
const READERS: readonly (readonly [string, string, string])[] = [
  [
    "requests",
    "iter_lines",
    `import requests
with requests.get(url, stream=True) as r:
    for line in r.iter_lines(decode_unicode=True):
        if line.startswith("data: "): print(">", line[6:], flush=True)`,
  ],
  [
    "tornado",
    "streaming_callback",
    `from tornado.httpclient import AsyncHTTPClient
import asyncio
def take(piece):
    for line in piece.decode().split("\\n"):
        if line.startswith("data: "): print(">", line[6:], flush=True)
async def main(): await AsyncHTTPClient().fetch(url, streaming_callback=take, request_timeout=60)
asyncio.run(main())`,
  ],
  [
    "aiohttp",
    "lines",
    `import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        async for line in answer.content:
            if line.startswith(b"data: "): print(">", line[6:].decode().rstrip(), flush=True)
asyncio.run(main())`,
  ],
  [
    "sseclient, requests",
    "sseclient-py",
    `import requests, sseclient
for event in sseclient.SSEClient(requests.get(url, stream=True)).events():
    if event.data: print(">", event.data, flush=True)`,
  ],
  [
    "requests_sse",
    "requests-sse",
    `from requests_sse import EventSource
with EventSource(url, timeout=60) as source:
    for event in source: print(">", event.data, flush=True)`,
  ],
  [
    "httpx, httpx_sse",
    "httpx-sse",
    `import httpx, httpx_sse, json
with httpx.Client(timeout=60) as client, httpx_sse.connect_sse(client, "GET", url + "&format=json&id_events=false") as source:
    for event in source.iter_sse(): print(">", json.loads(event.data)["data"], flush=True)`,
  ],
];

function pythonWith(test: TestContext, modules: string): string | undefined {
  for (const python of [join(VENV, "bin/python"), SYSTEM]) {
    if (existsSync(python) && spawnSync(python, ["-c", `import ${modules}`]).status === 0) return python;
  }
  const install =
    `apt-get install python3-venv python3-requests python3-tornado python3-aiohttp && ` +
    `python3 -m venv --system-site-packages .cache/python && .cache/python/bin/pip install ${PIP}`;
  needs(test, `Python with ${modules}`, false, install);
  return undefined;
}

/** Runs a program that is given \`url\`, and resolves with the lines it prints of what comes while that is sent. */
async function read(python: string, program: string, server: TestServer, data: readonly string[]): Promise<string[]> {
  const child = spawn(python, ["-c", `url = "${server.url}/events?channel=late"\n${program}`], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NO_PROXY: "*" },
  });
  const lines: string[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    const all = (rest + more).split("\n");
    rest = all.pop() ?? "";
    lines.push(...all);
  });
  const ended = once(child, "close");
  try {
    await until("it reads", () => server.hub.size === 1);
    for (const [index, each] of data.entries()) {
      await server.publish("late", each);
      // Each before the next is published: nothing later pushes it on.
      await until(`message ${index}`, () => lines.length > index);
    }
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
  return lines.map((line) => line.slice(2));
}

describe("a Python program", () => {
  for (const [modules, name, program] of READERS) {
    it(`[SSE-20] [SSE-51] that reads with ${name} as it comes gets each message when it is published, compressed or not`, async (test) => {
      const python = pythonWith(test, modules);
      if (python === undefined) return;
      const data = ["first", "second", "\u20ac".repeat(300), "last"];
      for (const compressStreams of [false, true]) {
        await using server = await startServer({ compressStreams });
        assert.deepEqual(await read(python, program, server, data), data, `compressed: ${compressStreams}`);
      }
    });
  }

  it("that ends lines as Python does takes no message for two", async (test) => {
    const python = pythonWith(test, "requests");
    if (python === undefined) return;
    await using server = await startServer();
    const program = `import requests, json
url += "&format=json"
with requests.get(url, stream=True) as r:
    for line in r.iter_lines(decode_unicode=True):
        if line.startswith("data: "): print(">", ascii(json.loads(line[6:])["data"]), flush=True)`;
    const data = ["a\u0085b", "a\u2028b\u2029", "a\u000b\u001eb"];
    assert.deepEqual(await read(python, program, server, data), ["'a\\x85b'", "'a\\u2028b\\u2029'", "'a\\x0b\\x1eb'"]);
  });

  it("that reads lines with aiohttp takes large messages with the buffer that the documentation names", async (test) => {
    const python = pythonWith(test, "aiohttp");
    if (python === undefined) return;
    await using server = await startServer();
    await server.publish("large", "\u0001".repeat(60_000));
    const program = (options: string): string => `import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(${options}) as session:
        async with session.get("${server.url}/events?channel=large&format=json&last_event_id=earliest") as answer:
            async for line in answer.content:
                if line.startswith(b"data: "): return print(len(line))
asyncio.run(main())`;
    const run = promisify(execFile);
    await assert.rejects(run(python, ["-c", program("")]), /too big|LineTooLong/);
    const { stdout } = await run(python, ["-c", program("read_bufsize=2**20")]);
    assert.ok(Number(stdout) > 360_000, stdout);
  });
});

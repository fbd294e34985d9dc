import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { EventSource } from "eventsource";
import { needsBrowser, openBrowser } from "../support/browser.ts";
import { ClientPages } from "../support/client-page.ts";
import { HubRig } from "../support/hub-rig.ts";
import { needs } from "../support/needs.ts";
import { until } from "../support/until.ts";

const PYTHON = "/usr/bin/python3";

/** Reads a stream twice: a part, then the rest behind the last id it saw. */
const SCRIPT = `
import json, sys, requests
url, last, got = sys.argv[1], "earliest", []
def read(count):
    global last
    headers = {"Last-Event-ID": last}
    with requests.get(url + "/events?channel=a", headers=headers, stream=True, timeout=10) as response:
        for line in response.iter_lines(chunk_size=1, decode_unicode=True):
            if line.startswith("id: "): last = line[4:]
            # The event that says that replay is over has an object for its data.
            if not line.startswith("data: ") or line.startswith("data: {"): continue
            got.append(json.loads(line[6:]))
            if len(got) == count: return
read(3)
requests.post(url + "/channels/a/messages", json=3)
read(6)
print(json.dumps(got))
`;

describe("clients beside the library", { concurrency: true }, () => {
  it("a bare EventSource in Chromium comes back by itself and misses nothing", async (test) => {
    await using browser = await openBrowser();
    if (!needsBrowser(test, browser)) return;
    await using pages = await ClientPages.open();
    await using rig = await HubRig.open();
    const page = await pages.page(await browser.newContext());
    await page.evaluate(`
      globalThis.got = [];
      globalThis.source = new EventSource("${rig.front.url}/events?channel=a");
      source.onmessage = ({ data }) => got.push(Number(data));
      new Promise((resolve) => { source.onopen = resolve; })`);
    await rig.control.publishMany("a", 3);
    await until("three", async () => (await page.evaluate<number>("got.length")) === 3);
    await rig.control.cut();
    await rig.control.publishMany("a", 3, 3);
    await until("the rest", async () => (await page.evaluate<number>("got.length")) === 6);
    assert.deepEqual(await page.evaluate("got"), [0, 1, 2, 3, 4, 5]);
  });

  it("eventsource from npm comes back by itself and misses nothing", async () => {
    await using rig = await HubRig.open();
    const got: number[] = [];
    const source = new EventSource(`${rig.front.url}/events?channel=a`);
    source.addEventListener("message", ({ data }) => got.push(Number(data)));
    await rig.control.untilReaders(1);
    await rig.control.publishMany("a", 3);
    await until("three", () => got.length === 3);
    await rig.control.cut();
    await rig.control.publishMany("a", 3, 3);
    await until("the rest", () => got.length === 6);
    source.close();
    assert.deepEqual(got, [0, 1, 2, 3, 4, 5]);
  });

  it("Python with requests reads, goes on behind its last id, and publishes", async (test) => {
    const isThere = spawnSync(PYTHON, ["-c", "import requests"]).status === 0;
    if (!needs(test, "Python with requests", isThere, "apt-get install python3-requests")) return;
    await using rig = await HubRig.open();
    await rig.control.publishMany("a", 3);
    const reading = promisify(execFile)(PYTHON, ["-c", SCRIPT, rig.front.url]);
    await until(
      "four are kept",
      async () =>
        ((await rig.server.call("read_messages", { channel: "a" })).structuredContent["messages"] as unknown[])
          .length === 4,
    );
    await rig.control.publishMany("a", 2, 4);
    const { stdout } = await reading;
    assert.deepEqual(JSON.parse(stdout), [0, 1, 2, 3, 4, 5]);
  });
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { Cli, runCli } from "../support/cli.ts";
import { HubRig } from "../support/hub-rig.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

function lines(cli: Cli): string[] {
  return cli.stdout.split("\n").slice(0, -1);
}

function texts(cli: Cli): string[] {
  return lines(cli).map((line) => line.slice(line.indexOf(": ") + 2));
}

async function following(server: TestServer, cli: Cli): Promise<void> {
  await until("it reads", () => server.hub.size === 1 || cli.code !== undefined);
  assert.equal(cli.code, undefined, cli.stderr);
}

describe("sse-mcp-server tail", { concurrency: true }, () => {
  it("prints what is published, a line each, and ends with 0 on SIGINT", async () => {
    await using server = await startServer();
    await using cli = new Cli(["tail", "default", "orders.*", "--url", server.url]);
    await following(server, cli);
    const { time } = await server.publish("default", "Hello");
    await server.publish("orders.eu", { n: 1 });
    await server.publish("elsewhere", "not ours");
    await server.request("/channels/orders.eu/messages?event=done&sender=shop", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x",
    });
    await until("three lines", () => lines(cli).length === 3);
    assert.equal(lines(cli)[0], `${time} default anyone: Hello`);
    assert.match(lines(cli)[1] ?? "", / orders\.eu anyone: \{"n":1\}$/);
    assert.match(lines(cli)[2] ?? "", / orders\.eu \[done\] shop: x$/);
    cli.kill("SIGINT");
    assert.deepEqual([await cli.exit(), cli.stderr], [0, ""]);
  });

  it("takes no key through a redirect: it says where to, and ends", async () => {
    await using rig = await HubRig.open();
    await rig.control.answer("GET /", 302, { location: `${rig.server.url}/events` });
    const tail = ["tail", "--url", rig.front.url, "--header", "X-API-Key: secret"];
    const { code, stderr } = await runCli(tail);
    assert.equal(code, 1);
    assert.match(stderr, /REDIRECTED: .* redirects to "http:.*without credentials.*connect to the new address/);
    assert.doesNotMatch(stderr, /secret/);
  });

  it("prints each message on one line that looks like no other and drives no terminal", async () => {
    await using server = await startServer();
    const forged = "2026-11-28T17:00:00.000Z payments admin: APPROVED";
    const sent = [
      `nothing to see\n${forged}`,
      `\r${forged}`,
      `a\u2028${forged}`,
      "\u001b[2J\u001b]0;owned\u0007",
      "\u009b31m",
      "\u202eright to left",
      "\0\b\t",
      '"quoted"',
    ];
    for (const text of sent) await server.publish("a", text);
    await server.publish("a", { "key\u009b\u2028": "\u202e" });
    await server.request("/channels/a/messages?sender=x%3A%20y&event=z%5D%20w", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "last",
    });
    for (const more of [[], ["--json"]]) {
      await using cli = new Cli(["tail", "a", "--since", "earliest", "--url", server.url, ...more]);
      await until("all of them", () => lines(cli).length >= sent.length + 2);
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(cli.stdout, /[\0-\t\v-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/);
      assert.equal(lines(cli).length, sent.length + 2);
      if (more.length > 0) {
        assert.deepEqual(
          lines(cli)
            .slice(0, sent.length)
            .map((line) => (JSON.parse(line) as { data: unknown }).data),
          sent,
        );
        continue;
      }
      for (const line of lines(cli).slice(0, -1)) assert.match(line, /^\S+Z a anyone: /);
      assert.match(lines(cli).at(-1) ?? "", / a \["z\] w"\] "x: y": last$/);
    }
  });

  it("begins at a time, or so long ago, with --since", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    const { time } = await server.publish("a", 2);
    await until("the clock has gone on", () => Date.now() > Date.parse(time) + 5);
    const { time: last } = await server.publish("b", 3);
    await using hours = new Cli(["tail", "*", "--since", "1h", "--url", server.url]);
    await using from = new Cli(["tail", "a", "b", "--since", last, "--url", server.url]);
    await until("both have printed", () => lines(hours).length === 3 && lines(from).length === 1);
    await server.publish("a", 4);
    await until("both go on", () => lines(hours).length === 4 && lines(from).length === 2);
    assert.deepEqual(
      [texts(hours), texts(from)],
      [
        ["1", "2", "3", "4"],
        ["3", "4"],
      ],
    );
    assert.deepEqual([hours.stderr, from.stderr], ["", ""]);
  });

  it("ends with 1 and a sentence if what it prints cannot be written", async (test) => {
    if (!existsSync("/dev/full")) return test.skip("/dev/full is needed");
    await using server = await startServer();
    await server.publish("default", "x");
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const line = `exec "${process.execPath}" "${main}" tail --since earliest --url ${server.url} > /dev/full`;
    const { code, stderr } = await promisify(execFile)("sh", ["-c", line]).then(
      () => ({ code: 0, stderr: "" }),
      (error: { code: number; stderr: string }) => error,
    );
    assert.equal(code, 1);
    assert.match(stderr, /^sse-mcp-server: standard output cannot be written: ENOSPC/);
  });

  it("begins with all that is kept, or after an id, and prints whole messages with --json", async () => {
    await using server = await startServer();
    const { id } = await server.publish("default", 1);
    const { id: second } = await server.publish("default", 2);
    await using all = new Cli(["tail", "--since", "earliest", "--url", server.url]);
    await using rest = new Cli(["tail", "--since", id, "--json", "--url", server.url]);
    await until("both have printed", () => lines(all).length === 2 && lines(rest).length === 1);
    assert.deepEqual(texts(all), ["1", "2"]);
    assert.deepEqual((JSON.parse(rest.stdout) as { id: string; data: number }).id, second);
  });

  it("prints every digit of a number, more than JavaScript holds", async () => {
    await using server = await startServer();
    const data = '{"id":12345678901234567890}';
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: data };
    await server.request("/channels/default/messages", post);
    await using text = new Cli(["tail", "--since", "earliest", "--url", server.url]);
    await using json = new Cli(["tail", "--since", "earliest", "--json", "--url", server.url]);
    await until("both have printed", () => lines(text).length === 1 && lines(json).length === 1);
    assert.deepEqual(texts(text), [data]);
    assert.ok(json.stdout.includes(`"data":${data}`), json.stdout);
  });

  it("reconnects after a restart of the server, and prints exactly what it missed", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    const first = await startServer({ data });
    const { port } = first;
    await using cli = new Cli(["tail", "a", "--url", first.url]);
    await following(first, cli);
    await first.publish("a", 1);
    await until("the first line", () => lines(cli).length === 1);
    await first.close();
    await until("it says so", () => cli.stderr.includes("reconnecting"));
    await using second = await startServer({ data, port });
    for (const n of [2, 3]) await second.publish("a", n);
    await following(second, cli);
    await second.publish("a", 4);
    await until("four lines", () => lines(cli).length >= 4);
    assert.deepEqual(texts(cli), ["1", "2", "3", "4"]);
  });

  it("asks again for a message that was cut off in the middle", async () => {
    const asked: (string | undefined)[] = [];
    const message = (n: number): string =>
      `id: e-${n}\ndata: {"id":"e-${n}","channel":"a","event":"message","data":${n},"sender":"s","time":"t"}\n\n`;
    const server = createServer((socket: Socket) => {
      socket.once("data", (head) => {
        asked.push(/last_event_id=([^ &]*)/.exec(String(head))?.[1]);
        const whole =
          asked.length === 1 ? `retry: 10\n${message(1)}${message(2).slice(0, 30)}` : `${message(2)}${message(3)}`;
        socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${whole}`);
        if (asked.length === 1) socket.destroySoon();
      });
      socket.on("error", () => {});
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    await using cli = new Cli(["tail", "a", "--url", `http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
    await until("three lines", () => lines(cli).length >= 3);
    assert.deepEqual(
      [texts(cli), asked],
      [
        ["1", "2", "3"],
        [undefined, "e-1"],
      ],
    );
    server.close();
  });

  it("comes back after a hub, or a proxy before it, has refused for a while", async () => {
    await using rig = await HubRig.open();
    await using cli = new Cli(["tail", "a", "--url", rig.front.url]);
    await following(rig.server, cli);
    await rig.server.publish("a", 1);
    await until("the first line", () => lines(cli).length === 1);
    await rig.control.answer("GET /", 503, { "retry-after": "1" });
    await rig.control.cut();
    await until("it says so", () => cli.stderr.includes("503"));
    await rig.control.answer("");
    await rig.server.publish("a", 2);
    await until("another line", () => lines(cli).length > 1 || cli.code !== undefined);
    assert.deepEqual(texts(cli), ["1", "2"], cli.stderr);
  });

  it("reads no faster than what it prints is taken, and loses nothing", async () => {
    await using server = await startServer();
    await using cli = new Cli(["tail", "a", "--url", server.url]);
    await following(server, cli);
    cli.child.stdout.pause();
    const count = 6000;
    for (let n = 0; n < count; n++) await server.publish("a", `${n} ${"x".repeat(1000)}`);
    await until("it reads no more", () => server.hub.size === 0);
    cli.child.stdout.resume();
    await until("every line", () => lines(cli).length === count);
    assert.deepEqual(
      texts(cli).map((text) => Number.parseInt(text, 10)),
      Array.from({ length: count }, (_, n) => n),
    );
    assert.equal(cli.stderr, "");
  });

  it("says what can no longer be given", async () => {
    await using server = await startServer({ retentionMessages: 1 });
    const { id } = await server.publish("default", 1);
    for (const n of [2, 3]) await server.publish("default", n);
    await using cli = new Cli(["tail", "--since", id, "--url", server.url]);
    await until("the line", () => lines(cli).length === 1);
    assert.match(cli.stderr, new RegExp(`messages are missing \\(expired\\) between ${id} and \\S+\n`));
    assert.deepEqual(texts(cli), ["3"]);
  });

  it("ends quietly when its output is closed", async () => {
    await using server = await startServer();
    await using cli = new Cli(["tail", "--url", server.url]);
    await following(server, cli);
    cli.child.stdout.destroy();
    await until("it has noticed", async () => {
      await server.publish("default", "x");
      return cli.code !== undefined;
    });
    assert.deepEqual([cli.code, cli.stderr], [0, ""]);
  });

  it("says what is wrong: 2 for its words, 1 for what the hub refuses or if there never was one", async () => {
    await using server = await startServer();
    const wrong: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["tail", "--nonsense"], 2, /Unknown option '--nonsense'/],
      [["tail", "--since", "yesterday"], 2, /--since is "yesterday"; use the id of a message, a time such as /],
      [["tail", "--url", "ftp://x"], 2, /--url is "ftp:\/\/x"/],
      [["tail", "a.*.b", "--url", server.url], 1, /INVALID_PATTERN: /],
      [["tail", "--url", "http://127.0.0.1:1"], 1, /No hub answers at/],
    ];
    for (const [words, code, sentence] of wrong) {
      const cli = await runCli(words);
      assert.deepEqual([cli.code, cli.stdout], [code, ""], words.join(" "));
      assert.match(cli.stderr, sentence);
    }
  });
});

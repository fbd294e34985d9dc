import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Message } from "../../src/client/index.ts";
import { giveWakes, type Wake } from "../../src/cli/tail/wakes.ts";
import { Cli, runCli } from "../support/cli.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const NODE = JSON.stringify(process.execPath);

/** Where a command of the shell notes what it was given, and what else it does. */
function noting(folder: TemporaryFolder, more = ""): { readonly command: string; readonly seen: () => unknown[] } {
  const [notes, script] = [join(folder.path, "notes"), join(folder.path, "note.mjs")];
  writeFileSync(
    script,
    `import { appendFileSync, existsSync, readFileSync } from "node:fs";
const text = readFileSync(0, "utf8");
const message = JSON.parse(text);
${more}
appendFileSync(${JSON.stringify(notes)}, text);
`,
  );
  const lines = (): string[] => (existsSync(notes) ? readFileSync(notes, "utf8").split("\n").slice(0, -1) : []);
  return { command: `${NODE} ${JSON.stringify(script)}`, seen: () => lines().map((line): unknown => JSON.parse(line)) };
}

function data(seen: readonly unknown[]): unknown[] {
  return seen.map((message) => (message as { data: unknown }).data);
}

function send(server: TestServer, query: string, body: string): Promise<unknown> {
  return server.request(`/channels/a/messages?${query}`, {
    method: "POST",
    headers: { "content-type": "text/plain" },
    body,
  });
}

async function following(server: TestServer, cli: Cli): Promise<void> {
  await until("it reads", () => server.hub.size === 1 || cli.code !== undefined);
  assert.equal(cli.code, undefined, cli.stderr);
}

describe("sse-mcp-server tail --exec", { concurrency: 2 }, () => {
  it("runs a command for each message, in order, again if it fails, and goes on where it was after a restart", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const failed = join(folder.path, "failed");
    const { command, seen } = noting(
      folder,
      `const { writeFileSync } = await import("node:fs");
if (message.data === 2 && !existsSync(${JSON.stringify(failed)})) { writeFileSync(${JSON.stringify(failed)}, ""); process.exit(7); }`,
    );
    const place = join(folder.path, "place");
    const words = ["tail", "a", "--url", server.url, "--exec", command, "--place", place];
    {
      await using cli = new Cli(words);
      await until("it has a place before any message came", () => existsSync(place) || cli.code !== undefined);
      for (const n of [1, 2, 3]) await server.publish("a", n);
      await until("all ran", () => seen().length === 3);
      assert.match(cli.stderr, /the command ended with exit code 7; tried again in (?:0\.\d|1\.0) s/);
      cli.kill("SIGTERM");
      assert.equal(await cli.exit(), 0);
    }
    for (const n of [4, 5]) await server.publish("a", n);
    await using cli = new Cli(words);
    await until("it went on", () => seen().length === 5);
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 0);
    assert.deepEqual(data(seen()), [1, 2, 3, 4, 5]);
    assert.equal(readFileSync(place, "utf8"), `${server.hub.cursor()}\n`);
  });

  it("lets a command end that runs when it is told to stop, and does not run it twice", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const [running, go] = [join(folder.path, "running"), join(folder.path, "go")];
    const { command, seen } = noting(
      folder,
      `const { writeFileSync } = await import("node:fs");
writeFileSync(${JSON.stringify(running)}, "");
while (!existsSync(${JSON.stringify(go)})) await new Promise((resolve) => setTimeout(resolve, 20));`,
    );
    const place = join(folder.path, "place");
    const words = ["tail", "a", "--url", server.url, "--exec", command, "--place", place];
    {
      await using cli = new Cli(words);
      await until("it has a place", () => existsSync(place) || cli.code !== undefined);
      await server.publish("a", "first");
      await server.publish("a", "second");
      await until("it runs", () => existsSync(running));
      cli.kill("SIGTERM");
      await until("it reads no more", () => server.hub.size === 0);
      writeFileSync(go, "");
      assert.equal(await cli.exit(), 0);
      assert.deepEqual(data(seen()), ["first"]);
    }
    await using again = new Cli(words);
    await until("it ran for the other", () => seen().length === 2 || again.code !== undefined);
    assert.deepEqual(data(seen()), ["first", "second"]);
  });

  it("passes over a message whose command failed as often as it may, says which, and lets no other process have its place", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const { command, seen } = noting(folder, "if (message.data === 1) process.exit(3);");
    const place = join(folder.path, "place");
    const words = ["tail", "a", "--url", server.url, "--exec", command, "--place", place, "--tries", "2"];
    await using cli = new Cli(words);
    await until("it has a place", () => existsSync(place) || cli.code !== undefined);
    const { code, stderr } = await runCli(words);
    assert.equal(code, 1);
    assert.match(stderr, /--place is ".*place", which another process uses; end that, or name another file/);
    await server.publish("a", 1);
    const passed = server.hub.cursor();
    await server.publish("a", 2);
    await until("the next one ran", () => seen().length === 1);
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 0);
    assert.deepEqual(data(seen()), [2]);
    assert.match(
      cli.stderr,
      new RegExp(`message ${passed}: the command ended with exit code 3; given up after 2 tries`),
    );
  });

  it("is killed, and runs again only what it was about to pass", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const { command, seen } = noting(folder);
    const place = join(folder.path, "place");
    const words = ["tail", "a", "--url", server.url, "--since", "earliest", "--exec", command, "--place", place];
    for (let n = 0; n < 6; n++) await server.publish("a", n);
    for (const count of [2, 4]) {
      await using cli = new Cli(words);
      await until("some ran", () => seen().length >= count || cli.code !== undefined);
      cli.kill("SIGKILL");
      await cli.exit();
    }
    await using cli = new Cli(words);
    await until("all ran", () => data(seen()).includes(5) || cli.code !== undefined);
    cli.kill("SIGTERM");
    await cli.exit();
    const order = data(seen()) as number[];
    assert.deepEqual([...new Set(order)], [0, 1, 2, 3, 4, 5]);
    assert.ok(
      order.every((n, at) => at === 0 || n - (order[at - 1] ?? 0) === 1 || n === order[at - 1]),
      order.join(),
    );
    assert.ok(order.length <= 8, order.join());
  });

  it("gives what came meanwhile as one, and no more than its budget", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const { command, seen } = noting(folder);
    const place = join(folder.path, "place");
    const more = ["--coalesce", "--at-most", "2/h", "--except-sender", "me", "--place", place];
    await using cli = new Cli(["tail", "a", "--url", server.url, "--exec", command, ...more]);
    await until("it has a place", () => existsSync(place) || cli.code !== undefined);
    const begin = server.hub.cursor();
    await send(server, "sender=me", "mine");
    for (const n of ["1", "2", "3"]) await send(server, "sender=Ana", n);
    await until("it was woken", () => seen().length === 1);
    const [first] = seen() as { count: number; after: string; next: string; newest: { data: string; id: string } }[];
    assert.equal(first?.newest.data, String(first?.count));
    assert.equal(first?.next, first?.newest.id);
    const { structuredContent } = await server.call("read_messages", { channel: "a", after: first.after });
    assert.ok(first !== undefined && begin <= first.after);
    assert.equal((structuredContent["messages"] as { data: string }[])[0]?.data, "1");
    await send(server, "sender=Ana", "4");
    await until("it was woken again", () => seen().length === 2);
    await send(server, "sender=Ana", "5");
    await send(server, "sender=Ana", "6");
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 0);
    assert.equal(seen().length, 2);
    const { next } = seen()[1] as { next: string };
    assert.equal(readFileSync(place, "utf8").trim(), next);
  });
});

describe("sse-mcp-server tail as a monitor", { concurrency: 2 }, () => {
  it("prints lines of JSON that are never longer than they may be, and goes on after its place", async () => {
    await using server = await startServer();
    using folder = new TemporaryFolder();
    const place = join(folder.path, "place");
    const words = ["tail", "a", "--url", server.url, "--json", "--max-line", "400", "--place", place];
    {
      await using cli = new Cli([...words, "--since", "earliest"]);
      await following(server, cli);
      await server.publish("a", "short");
      await server.publish("a", `"\u202e${"long ".repeat(500)}`);
      await server.publish("a", { steps: Array(200).fill("step") });
      await until("three lines", () => cli.stdout.split("\n").length === 4);
      const lines = cli.stdout.split("\n").slice(0, -1);
      assert.ok(lines.every((line) => line.length <= 400));
      const [short, long, object] = lines.map((line) => JSON.parse(line) as { data: string; cut?: string });
      assert.deepEqual([short?.data, short?.cut], ["short", undefined]);
      assert.match(long?.cut ?? "", /^\d+ of 2502 characters left out$/);
      assert.match(object?.cut ?? "", /left out$/);
      assert.ok(object?.data.startsWith('{"steps":["step",'));
      await until("its place is saved", () => readFileSync(place, "utf8").trim() === server.hub.cursor());
      cli.kill("SIGTERM");
      await cli.exit();
    }
    await server.publish("a", "while it was away");
    await using cli = new Cli(words);
    await until("a line", () => cli.stdout.includes("\n"));
    assert.match(cli.stdout, /^\{.*"while it was away".*\}\n$/);
  });

  it("prints only what it is to be woken by", async () => {
    await using server = await startServer();
    const filters = ["--except-sender", "robot", "--mention", "ana", "--mention", "bob", "--event", "question"];
    await using cli = new Cli(["tail", "a", "--url", server.url, "--json", "--max-age", "1h", ...filters]);
    await following(server, cli);
    await send(server, "sender=robot&event=question", "@ana no");
    await send(server, "sender=Kim&event=question", "no one");
    await send(server, "sender=Kim", "@ana not a question");
    await send(server, "sender=Kim&event=question", "@Bob yes");
    await until("a line", () => cli.stdout.includes("\n"));
    assert.equal((JSON.parse(cli.stdout) as { data: string }).data, "@Bob yes");
  });

  it("passes over what is too old, and wakes with the rest as one within a budget", async () => {
    const message = (n: number, age: number): Message => ({
      id: `abc-${n}`,
      channel: "a",
      event: "message",
      data: n,
      sender: "Ana",
      time: new Date(Date.now() - age).toISOString(),
    });
    async function* messages(): AsyncGenerator<Message> {
      yield message(1, 90_000);
      yield message(2, 0);
      yield message(3, 0);
    }
    const given: unknown[] = [];
    const options = { filter: undefined, since: undefined, maxAge: 60_000, coalesce: false };
    const signal = new AbortController().signal;
    const give = async ({ newest, count, after, next }: Wake): Promise<boolean> =>
      given.push([newest.data, count, after, next]) > 0;
    await giveWakes(messages(), undefined, { ...options, budget: undefined }, give, signal);
    assert.deepEqual(given.splice(0), [
      [2, undefined, undefined, undefined],
      [3, undefined, undefined, undefined],
    ]);
    const budget = { wakes: 1, milliseconds: 50 };
    const start = performance.now();
    await giveWakes(messages(), undefined, { ...options, budget }, give, signal);
    assert.equal(given.splice(0).length, 2);
    assert.ok(performance.now() - start >= 50);
    await giveWakes(messages(), undefined, { ...options, coalesce: true, budget }, give, signal);
    assert.deepEqual(given, [[3, 3, undefined, "abc-3"]]);
  });

  it("refuses wrong arguments, naming the option", async () => {
    using folder = new TemporaryFolder();
    const place = join(folder.path, "place");
    writeFileSync(place, "my shopping list");
    const bad: readonly (readonly [string[], RegExp, number])[] = [
      [["--max-line", "20"], /--max-line is "20"; use a number of characters, at least 300/, 2],
      [["--at-most", "many"], /--at-most is "many"; use a number in a time, such as 6\/h/, 2],
      [["--max-age", "5"], /--max-age is "5"; use how long ago/, 2],
      [["--coalesce"], /--coalesce gives JSON; give --json, --exec or --codex, too/, 2],
      [["--exec", "cat", "--json"], /leave out --json/, 2],
      [["--codex", "ws://192.0.2.1:1", "--thread", "t"], /--codex is ".*"; use an address of this machine/, 2],
      [["--thread", "t"], /--codex and --thread belong together/, 2],
      [["--mention", "@"], /take a name each/, 2],
      [["--place", place], /--place is ".*place", which holds no place/, 1],
      [["--place", join(folder.path, "none", "place")], /--place is ".*place": ENOENT/, 1],
      [["--place", join(folder.path, "new")], /No hub answers/, 1],
      [["--exec", "cat", "--tries", "0"], /--tries is "0"; use a number from 1 to 1000/, 2],
      [["--tries", "3"], /--tries is for what can fail; give --exec or --codex, too/, 2],
    ];
    for (const [words, sentence, expected] of bad) {
      const { code, stderr } = await runCli(["tail", "--url", "http://127.0.0.1:1", ...words]);
      assert.match(stderr, sentence);
      assert.equal(code, expected, words.join(" "));
    }
  });
});

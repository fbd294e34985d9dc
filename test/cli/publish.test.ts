import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runCli, type Cli } from "../support/cli.ts";
import { startServer, type TestServer } from "../support/server.ts";

function publish(server: TestServer, words: readonly string[], input?: string): Promise<Cli> {
  return runCli(["publish", ...words, "--url", server.url], input === undefined ? {} : { input });
}

describe("sse-mcp-server publish", { concurrency: true }, () => {
  it("publishes a text, and prints its id and how many readers it was offered to", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a&format=json");
    const { code, stdout, stderr } = await publish(server, ["a", "Hello you", "--event", "greeting", "--sender", "me"]);
    const { id, data, event, sender } = JSON.parse((await reader.next()).data) as Record<string, string>;
    assert.deepEqual([code, stdout, stderr], [0, `${id} offered to 1 reader\n`, ""]);
    assert.deepEqual([data, event, sender], ["Hello you", "greeting", "me"]);
  });

  it("publishes standard input where the text is -, and JSON with --json", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a&format=json");
    await publish(server, ["a", "-"], "line one\nline two\n");
    assert.equal((JSON.parse((await reader.next()).data) as { data: string }).data, "line one\nline two\n");
    await publish(server, ["a", '{"n":[1]}', "--json"]);
    assert.deepEqual((JSON.parse((await reader.next()).data) as { data: unknown }).data, { n: [1] });
  });

  it("publishes once for one --key", async () => {
    await using server = await startServer();
    const first = await publish(server, ["a", "x", "--key", "order-1"]);
    const second = await publish(server, ["a", "x", "--key", "order-1"]);
    assert.equal(first.stdout.split(" ")[0], second.stdout.split(" ")[0]);
    assert.equal(server.hub.log.size().messages, 1);
  });

  it("says what is wrong: 2 for its words, 1 for what the hub refuses or where there is none", async () => {
    await using server = await startServer();
    const wrong: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["publish", "a"], 2, /publish takes CHANNEL and TEXT/],
      [["publish", "a", "b", "c"], 2, /put a TEXT of several words in quotes/],
      [["publish", "a", "b", "--nonsense"], 2, /Unknown option '--nonsense'/],
      [
        ["publish", "a", "b", "--url", "localhost:8000"],
        2,
        /--url is "localhost:8000"; use an address such as http:\/\/127\.0\.0\.1:8000/,
      ],
      [["publish", "../x", "b", "--url", server.url], 1, /INVALID_CHANNEL: Not a channel: "\.\.\/x"/],
      [["publish", "a", "{", "--json", "--url", server.url], 1, /INVALID_JSON: /],
      [["publish", "a", "b", "--url", "http://127.0.0.1:1"], 1, /No hub answers at http:\/\/127\.0\.0\.1:1/],
    ];
    for (const [words, code, sentence] of wrong) {
      const cli = await runCli(words);
      assert.deepEqual([cli.code, cli.stdout], [code, ""], words.join(" "));
      assert.match(cli.stderr, sentence);
      assert.match(cli.stderr, /^sse-mcp-server: [^\n]+\n$/);
    }
  });
});

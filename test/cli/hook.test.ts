import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { describe, it, mock } from "node:test";
import { hook } from "../../src/cli/hook.ts";
import { Cli, runCli } from "../support/cli.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

describe("sse-mcp-server hook", () => {
  it("makes a hook, which a running hub takes; a test is signed, verified and published", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("hooks.json");
    const env = { HOOKS_FILE: file, DATA: "memory:", PORT: "0", PUBLIC_URL: "https://hub.example" };
    const made = await runCli(["hook", "new", "github", "--channel", "builds"], { env });
    const [, secret = ""] =
      /^URL: https:\/\/hub\.example\/hooks\/github\nSecret: ([\w-]{43})\n$/.exec(made.stdout) ?? [];
    assert.notEqual(secret, "", made.stdout + made.stderr);
    assert.ok(!made.stderr.includes(secret));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const { PUBLIC_URL: _, ...open } = env;
    await using server = new Cli(["serve"], { env: open });
    const url = await server.url();
    const test = (name: string): Promise<Cli> => runCli(["hook", "test", name, "--url", url], { env });
    const tried = await test("github");
    assert.match(tried.stdout, /^github: accepted, and published on builds as [\w-]+\n$/, tried.stderr);
    const here = await runCli(["hook", "test", "github"], { env: { ...open, PORT: new URL(url).port } });
    assert.match(here.stdout, /^github: accepted/, here.stderr);
    const page = (await (await fetch(`${url}/channels/builds/messages`)).json()) as {
      messages: Record<string, unknown>[];
    };
    const { sender, via, verified, event } = page.messages[0] ?? {};
    assert.deepEqual([sender, via, verified, event], ["hook:github", "webhook", true, "test"]);

    assert.equal((await runCli(["hook", "remove", "github"], { env })).stdout, "removed github\n");
    const gone = await test("github");
    assert.deepEqual([gone.code, gone.stdout], [1, ""]);
  });

  it("says what is wrong: 2 for its words, 1 for the file", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("hooks.json");
    const said: string[] = [];
    // What goes to standard output mixes with the lines of the test runner.
    const { mock: mocked } = mock.method(process.stderr, "write", (text: string) => said.push(text) > 0);
    const run = async (...words: string[]): Promise<readonly [number, string]> => {
      said.length = 0;
      return [await hook.run([...words, "--file", file]), said.join("")];
    };
    try {
      assert.deepEqual((await run("list"))[0], 1);
      const [ok, note] = await run("new", "sns", "--channel", "a", "--topic", "arn:aws:sns:eu-west-1:123456789012:a");
      assert.equal(ok, 0);
      assert.match(note, /enter this at sns\n.*start the server with HOOKS_FILE/);
      const before = readFileSync(file, "utf8");
      for (const [words, expected, sentence] of [
        [[], 2, /followed by new, list, test or remove/],
        [["new", "sourceforge", "--channel", "a"], 2, /not a provider; use one of github/],
        [["new", "github"], 2, /--channel: say where/],
        [["new", "stripe", "--channel", "a"], 2, /stripe makes the secret/],
        [["new", "generic", "--channel", "a"], 2, /needs --header/],
        [["list", "--channel", "a"], 2, /--channel is for hook new/],
        [["list", "more"], 2, /takes no word/],
        [["new", "sns", "--channel", "b", "--topic", "x"], 1, /has a hook sns already/],
        [["new", "github", "--channel", "hub.logs"], 1, /hooks\[1\]\.channel is "hub\.logs"/],
        [["new", "standard", "--channel", "a", "--secret", "short"], 1, /a secret is not whsec_/],
        [["test", "none"], 1, /has no hook none/],
        [["test", "sns"], 1, /Only sns can sign/],
        [["remove", "none"], 1, /has no hook none/],
      ] as const) {
        const [code, text] = await run(...words);
        assert.equal(code, expected, words.join(" "));
        assert.match(text, sentence);
        assert.ok(!text.includes("short"), text);
      }
      assert.equal(readFileSync(file, "utf8"), before);
    } finally {
      mocked.restore();
    }
  });
});

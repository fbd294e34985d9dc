import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { secretHash } from "../../src/auth/api-key.ts";
import { COMPILED } from "../support/compiled.ts";
import { runCli, type Cli, type CliOptions } from "../support/cli.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const KEY = /^hub_([a-z\d]{8})_([\w-]{43})\n$/;
const DAY = 86_400_000;

function key(file: string, words: readonly string[], options: CliOptions = {}): Promise<Cli> {
  return runCli(["key", ...words, "--file", file], options);
}

function kept(file: string): Record<string, unknown>[] {
  return (JSON.parse(readFileSync(file, "utf8")) as { keys: Record<string, unknown>[] }).keys;
}

describe("sse-mcp-server key", { concurrency: true }, () => {
  it("creates a key, prints it once and alone on standard output, and keeps its hash in a file of the owner's", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const words = ["create", "--name", "order-service", "--publish", "orders.*, billing", "--publish", "news"];
    const start = Date.now();
    const cli = await key(file, [...words, "--subscribe", "*", "--send-as", "--expires", "90d"]);
    const [, id = "", secret = ""] = KEY.exec(cli.stdout) ?? [];
    assert.equal(cli.code, 0);
    const said = `sse-mcp-server key: the key ${id} of order-service is on standard output, this once; keep it secret. Servers with API_KEYS_FILE=${file} take it.\n`;
    assert.equal(cli.stderr, said);
    const [record = {}, ...others] = kept(file);
    const { created, expires, ...rest } = record;
    assert.deepEqual(rest, {
      id,
      hash: secretHash(secret).toString("hex"),
      name: "order-service",
      publish: ["orders.*", "billing", "news"],
      subscribe: ["*"],
      admin: false,
      sendAs: true,
    });
    const age = Date.parse(String(expires)) - Date.parse(String(created));
    assert.deepEqual([others.length, age, Date.parse(String(created)) >= start], [0, 90 * DAY, true]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!readFileSync(file, "utf8").includes(secret));
    const left = readdirSync(folder.path).filter((name) => name.endsWith(".tmp"));
    assert.deepEqual(left, []);
  });

  it("gives a script the key alone, with the file that the settings name", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    writeFileSync(folder.file("hub.json"), JSON.stringify({ API_KEYS_FILE: file }));
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const create = `"${process.execPath}" "${main}" key create --name a --admin`;
    const { PATH = "" } = process.env;
    const script = `A=$(${create}) && B=$(CONFIG= API_KEYS_FILE= ${create} --config "${folder.file("hub.json")}") && printf '%s %s' "$A" "$B"`;
    const { stdout } = await promisify(execFile)("sh", ["-c", script], {
      env: { PATH, ...COMPILED, API_KEYS_FILE: file },
    });
    assert.match(stdout, /^hub_\w{8}_[\w-]{43} hub_\w{8}_[\w-]{43}$/);
    assert.equal(kept(file).length, 2);
  });

  it("lists what each key may, as lines for people and as JSON, without its hash", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    await key(file, ["create", "--name", "order service", "--publish", "orders.*", "--expires", "2099-01-31"]);
    await key(file, ["create", "--name", "boss\u202e", "--admin", "--send-as"]);
    const [first, second] = kept(file);
    writeFileSync(file, JSON.stringify({ keys: [first, { ...second, expires: "2020-01-01T00:00:00Z" }] }));
    const { code, stdout } = await key(file, ["list"]);
    assert.equal(code, 0);
    assert.deepEqual(stdout.split("\n"), [
      `${String(first?.["id"])}  order service  publish orders.*  subscribe -  created ${String(first?.["created"])}  expires 2099-01-31T00:00:00.000Z`,
      `${String(second?.["id"])}  "boss\\u202e"  admin  send-as  created ${String(second?.["created"])}  expired 2020-01-01T00:00:00Z`,
      "",
    ]);
    const json = await key(file, ["list", "--json"]);
    const lines = json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      lines.map(({ id, hash }) => [id, hash]),
      [
        [first?.["id"], undefined],
        [second?.["id"], undefined],
      ],
    );
  });

  it("revokes one key by its id, or by the whole key, which it does not repeat", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const made = await Promise.all(["a", "b", "c"].map((name) => key(file, ["create", "--name", name, "--admin"])));
    const [a = "", b = "", c = ""] = made.map(({ stdout }) => stdout.trimEnd());
    const byId = await key(file, ["revoke", a.slice(4, 12)]);
    assert.deepEqual([byId.code, byId.stdout], [0, `revoked ${a.slice(4, 12)} of a\n`]);
    const whole = await key(file, ["revoke", b]);
    assert.deepEqual([whole.code, whole.stdout, whole.stderr], [0, `revoked ${b.slice(4, 12)} of b\n`, ""]);
    assert.deepEqual(
      kept(file).map(({ id }) => id),
      [c.slice(4, 12)],
    );
    const again = await key(file, ["revoke", b.slice(4, 12)]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /it has no key \w{8}; key list shows those it has\n$/);
  });

  it("loses no key when several are created and revoked at once", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const old = (await key(file, ["create", "--name", "old", "--admin"])).stdout.slice(4, 12);
    const names = Array.from({ length: 6 }, (_, index) => `service-${index}`);
    const all = await Promise.all([
      key(file, ["revoke", old]),
      ...names.map((name) => key(file, ["create", "--name", name, "--subscribe", "a"])),
    ]);
    assert.deepEqual(
      all.map(({ code }) => code),
      all.map(() => 0),
    );
    const left = kept(file).map(({ name }) => String(name));
    assert.deepEqual(left.toSorted(), names);
  });

  it("keeps a symbolic link, and the mode that the file has", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file("secrets"));
    const [real, link] = [folder.file("secrets/keys.json"), folder.file("keys.json")];
    symlinkSync("secrets/keys.json", link);
    assert.equal((await key(link, ["create", "--name", "a", "--admin"])).code, 0, "also of a link to nothing yet");
    chmodSync(real, 0o640);
    await key(link, ["create", "--name", "b", "--admin"]);
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.deepEqual([kept(real).length, statSync(real).mode & 0o777], [2, 0o640]);
  });

  it("leaves a file as it is that is not one of keys", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("notes.json");
    writeFileSync(file, '{"notes": []}');
    for (const words of [["create", "--name", "a", "--admin"], ["list"], ["revoke", "abcdefgh"]]) {
      const { code, stdout, stderr } = await key(file, words);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.equal(
        stderr,
        `sse-mcp-server: The file of keys ${file} cannot be used: it is not an object such as {"keys": []}\n`,
      );
    }
    assert.equal(readFileSync(file, "utf8"), '{"notes": []}');
  });

  it("says what is wrong: 2 for its words, 1 for the file", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const name = ["create", "--name", "a"];
    const wrong: readonly (readonly [readonly string[], number, RegExp])[] = [
      [[], 2, /key is followed by create, list or revoke; see --help/],
      [["make"], 2, /key is followed by create, list or revoke/],
      [["create", "--admin"], 2, /--name: say whose key it is, such as order-service/],
      [["create", "--name", " a", "--admin"], 2, /--name: use a name without spaces at its ends/],
      [["create", "--name", "a\nb", "--admin"], 2, /--name: use one line/],
      [["create", "a", "--admin"], 2, /key create takes no such word/],
      [name, 2, /the key could do nothing; give --publish or --subscribe with channels, or --admin/],
      [[...name, "--publish", "orders*"], 2, /--publish has "orders\*": .+ such as orders\.\*/],
      [
        [...name, "--subscribe", "hub.logs"],
        2,
        /--subscribe has "hub\.logs": only admins use the server's own channels/,
      ],
      [[...name, "--subscribe", ""], 2, /--subscribe has "": it is empty/],
      [
        [...name, "--admin", "--expires", "soon"],
        2,
        /--expires is "soon"; use a time from now such as 12h or 90d, or a day to come/,
      ],
      [
        [...name, "--admin", "--expires", "2020-01-01"],
        2,
        /--expires is "2020-01-01"; which is over; use a time from now/,
      ],
      [[...name, "--admin", "--expires", "99999999w"], 2, /--expires is "99999999w"; use/],
      [[...name, "--admin", "--json"], 2, /--json is for key list/],
      [["list", "--name", "a"], 2, /--name is for key create/],
      [["list", "x"], 2, /key list takes no such word/],
      [["revoke"], 2, /key revoke takes the id of a key: 8 letters and digits/],
      [["revoke", "hub_secret"], 2, /key revoke takes the id of a key/],
      [["list"], 1, /The file of keys .+ does not exist; key create makes it, in a folder that exists/],
      [["revoke", "abcdefgh"], 1, /The file of keys .+ does not exist/],
    ];
    for (const [words, code, sentence] of wrong) {
      const cli = await key(file, words);
      assert.deepEqual([cli.code, cli.stdout], [code, ""], words.join(" "));
      assert.match(cli.stderr, sentence);
      assert.match(cli.stderr, /^sse-mcp-server: [^\n]+\n$/);
      assert.doesNotMatch(cli.stderr, /hub_secret/);
    }
    const lost = await key(join(folder.path, "none", "keys.json"), [...name, "--admin"]);
    assert.match(lost.stderr, /does not exist; key create makes it, in a folder that exists\n$/);
    const unnamed = await runCli(["key", "list"]);
    assert.deepEqual([lost.code, unnamed.code], [1, 2]);
    assert.match(unnamed.stderr, /which file of keys\? give --file PATH, or set API_KEYS_FILE as for the server\n$/);
    const setting = await runCli(["key", "list"], { env: { PORT: "http" } });
    assert.deepEqual(
      [setting.code, setting.stderr],
      [1, 'sse-mcp-server: PORT is "http"; use a whole number from 0 to 65535\n'],
    );
    assert.ok(!existsSync(file));
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openStorage, type Storage, type StorageOptions } from "../../../src/logs/open.ts";
import { masked } from "../../../src/protocol/address.ts";
import { Authority } from "../../support/certificates.ts";
import { freePort } from "../../support/free-port.ts";
import { startEngine, ENGINES, needsEngine } from "../../support/redis.ts";
import { draftOf, FOREVER } from "../../support/sample.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";

/** The least that a user needs; docs/scaling.md has it, too. */
const RIGHTS =
  "resetkeys resetchannels ~{hub}* &{hub}* -@all +@connection +@read +@write +@scripting +@pubsub -@dangerous +info +time";
const NO_FILES = { ca: "", cert: "", key: "" };

describe("a Redis that DATA names", { concurrency: true }, () => {
  for (const kind of ENGINES) {
    it(`is enough with these rights and a password, on ${kind}`, async () => {
      await using engine = await startEngine({ kind });
      await engine.cli("ACL", "SETUSER", "hub-node", "on", ">p@ss:wörd/1", ...RIGHTS.split(" "));
      const [host] = engine.url.split("//").slice(1);
      const url = `redis://hub-node:${encodeURIComponent("p@ss:wörd/1")}@${host}/0`;
      await using data = await open(url);
      await data.log.append(draftOf("x", 1, { key: "k" }));
      await data.log.check();
      await data.shared.set("a", "b", 1000);
      assert.equal(await data.shared.take("a"), "b");
      assert.equal((await data.shared.increment("count", 2, 1000)).total, 2);
      assert.equal(await data.shared.getOrSet("secret", "one"), "one");
      assert.equal(await data.shared.getOrSet("secret", "two"), "one");
      const told = new Promise((resolve) => data.shared.subscribe("topic", resolve));
      await data.shared.publish("topic", "line\nline");
      assert.equal(await told, "line\nline");
    });
  }

  it("is refused at once, in one sentence without the password, if that is wrong or missing", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine({ args: ["--requirepass", "secret"] });
    const [host] = engine.url.split("//").slice(1);
    for (const url of [`redis://:wr0ng@${host}`, `redis://${host}`]) {
      await assert.rejects(open(url), (error: Error) => {
        assert.match(error.message, /^The Redis that DATA names cannot be used: (?:WRONGPASS|NOAUTH)/);
        return !error.message.includes("wr0ng");
      });
    }
  });

  it("is refused without a word of a password that is not percent-encoded, and shown without it", async () => {
    for (const sign of ["/", "?", "/0?", "/0/"]) {
      for (const scheme of ["redis", "redis+sentinel", "redis+cluster"]) {
        const url = `${scheme}://:se${sign}cret@127.0.0.1:1`;
        await assert.rejects(open(url), (error: Error) => {
          assert.match(error.message, /has a user or password that is not percent-encoded/);
          return !error.message.includes("cret");
        });
        assert.equal(masked(url), `${scheme}://:***@127.0.0.1:1`);
      }
    }
  });

  it("is refused if it has no such database, is a replica, or is no Redis at all", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using replica = await startEngine({ args: ["--replicaof", "127.0.0.1", String(engine.port)] });
    await assert.rejects(open(`${engine.url}/99`), /cannot be used: .*(?:invalid DB|out of range)/);
    await assert.rejects(open(replica.url), /is a replica, which takes no writes; name its primary/);
    await engine.cli("HSET", "{newer}:meta", "format", "2");
    await assert.rejects(open(`${engine.url}?prefix=newer`), /written by a newer sse-mcp-server \(format 2\)/);
  });

  it("says what about it may cost messages", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine({
      args: ["--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
    });
    const said: string[] = [];
    await using _ = await open(engine.url, { durability: "full", report: (sentence) => void said.push(sentence) });
    assert.deepEqual(
      ["maxmemory-policy allkeys-lru", "appendonly no", "DURABILITY is full"].map((words) =>
        said.some((sentence) => sentence.includes(words)),
      ),
      [true, true, true],
    );
  });

  it("is spoken to over TLS, with a certificate of ours, and not if it shows one of someone else", async (test) => {
    if (!needsEngine(test)) return;
    using folder = new TemporaryFolder();
    const [authority, other] = [new Authority(folder.path), new Authority(folder.path, "other")];
    const server = authority.server();
    authority.sign("node", "/CN=node");
    await using engine = await startEngine({
      args: ["--tls-port", "0", "--tls-cert-file", server.tlsCert, "--tls-key-file", server.tlsKey].concat([
        "--tls-ca-cert-file",
        authority.file,
        "--tls-auth-clients",
        "yes",
      ]),
    });
    const port = await freePort();
    await engine.cli("CONFIG", "SET", "tls-port", String(port));
    const url = `rediss://127.0.0.1:${port}`;
    const redis = { ca: authority.file, cert: authority.path("node.pem"), key: authority.path("node.key") };
    await using data = await open(url, { redis });
    assert.equal((await data.log.append(draftOf("x", 1))).message.offset, 1);
    await assert.rejects(open(url, { redis: { ...redis, ca: other.file } }), /cannot be used: .*certificate/);
    await assert.rejects(open(url, { redis: { ...NO_FILES, ca: authority.file } }), /cannot be used/);
    await assert.rejects(
      open(url, { redis: { ...redis, ca: "/nowhere.pem" } }),
      /REDIS_CA is "\/nowhere.pem", which cannot/,
    );
  });

  it("with DURABILITY=full confirms what a replica has, and says what none has", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using replica = await startEngine({ args: ["--replicaof", "127.0.0.1", String(engine.port)] });
    await using data = await open(engine.url, { durability: "full" });
    for (;;) {
      // Until the replica has come.
      const outcome = await data.log.append(draftOf("x", "first", { key: "first" })).catch((error: Error) => error);
      if (!(outcome instanceof Error)) break;
      assert.match(outcome.message, /was kept, but no replica confirmed it within 500 ms/);
    }
    await replica.kill("SIGSTOP");
    await assert.rejects(data.log.append(draftOf("x", "second")), /was kept, but no replica confirmed it/);
    await replica.kill("SIGCONT");
  });

  it("is named by a URL that says what is wrong with it", async () => {
    for (const [url, words] of [
      ["redis://", /is not a Redis URL/],
      ["redis://a b", /has "a b", which is not a host/],
      ["redis://h:99999", /has port 99999/],
      ["redis://h/x", /has "x" as its database/],
      ["redis://h?prefix=a b", /has the prefix "a b"/],
      ["redis://h?db=1", /has the unknown option "db"/],
      ["redis://h1,h2", /names several hosts/],
      ["redis+sentinel://h1,h2", /does not name a primary/],
      ["redis+cluster://h1,h2/3", /a cluster has only one/],
      ["redis://:%zz@h", /not percent-encoded/],
    ] as const) {
      await assert.rejects(
        open(url),
        (error: Error) => words.test(error.message) && error.message.includes("redis://USER"),
      );
    }
  });
});

async function open(data: string, more: Partial<StorageOptions> = {}): Promise<Storage & AsyncDisposable> {
  const opened = await openStorage({
    data,
    retention: FOREVER,
    durability: "normal",
    mirror: "temporary:",
    redis: NO_FILES,
    ...more,
  });
  return Object.assign(opened, {
    [Symbol.asyncDispose]: async () => {
      await opened.log.close();
      await opened.close();
    },
  });
}

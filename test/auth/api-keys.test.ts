import assert from "node:assert/strict";
import { chmodSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { apiKeyText, newApiKey, secretHash } from "../../src/auth/api-key.ts";
import { ApiKeys } from "../../src/auth/api-keys.ts";
import type { AuditEvent } from "../../src/auth/audit.ts";
import { Lifetimes, type EndReason } from "../../src/auth/lifetimes.ts";
import type { Principal } from "../../src/core/principal.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

/** Milliseconds within which a change of the file counts. */
const SOON = 1000;
const DAY = 86_400_000;

interface Record {
  readonly [field: string]: unknown;
}

/** A key, and its record in a file. */
function newKey(fields: Record = {}): { readonly token: string; readonly record: Record } {
  const key = newApiKey();
  const record = {
    id: key.id,
    hash: secretHash(key.secret).toString("hex"),
    name: "order-service",
    subscribe: ["orders.*"],
    created: "2026-11-29T08:00:00Z",
    ...fields,
  };
  return { token: apiKeyText(key), record };
}

/** A file of keys, and what reads it. */
class KeyBed implements Disposable {
  readonly folder = new TemporaryFolder();
  readonly path = this.folder.file("keys.json");
  readonly events: AuditEvent[] = [];
  readonly lifetimes = new Lifetimes();
  #keys: ApiKeys | undefined;

  constructor(...records: readonly Record[]) {
    this.write(...records);
  }

  get keys(): ApiKeys {
    return (this.#keys ??= new ApiKeys(this.path, {
      lifetimes: this.lifetimes,
      audit: (event) => this.events.push(event),
    }));
  }

  write(...keys: readonly Record[]): void {
    writeFileSync(this.path, JSON.stringify({ keys }), { mode: 0o600 });
  }

  /** Something open in the name of a principal; says why it was ended. */
  open(principal: Principal | undefined): { ended: EndReason | undefined } {
    const open: { ended: EndReason | undefined } = { ended: undefined };
    assert.ok(principal !== undefined);
    this.lifetimes.hold(principal, { end: (reason) => (open.ended = reason) });
    return open;
  }

  [Symbol.dispose](): void {
    this.#keys?.close();
    this.lifetimes.close();
    this.folder[Symbol.dispose]();
  }
}

describe("API keys", { concurrency: true }, () => {
  it("make one principal of all requests with a key, with the grants in the file", () => {
    const { token, record } = newKey({ publish: ["orders.eu", "orders.*"], sendAs: true });
    using bed = new KeyBed(record);
    const principal = bed.keys.verify(token);
    assert.deepEqual(principal, {
      subject: "order-service",
      kind: "key",
      id: `key-${String(record["id"])}`,
      publish: ["orders.*"],
      subscribe: ["orders.*"],
      admin: false,
      sendAs: true,
    });
    assert.equal(bed.keys.verify(token), principal);
  });

  it("do not take a key that is unknown, wrong, expired or malformed, though it is one of theirs by its form", () => {
    const { token, record } = newKey();
    const expired = newKey({ expires: new Date(Date.now() - 1).toISOString() });
    using bed = new KeyBed(record, expired.record);
    const { keys } = bed;
    const other = newKey().token;
    const wrong = `${token.slice(0, 13)}${other.slice(13)}`;
    for (const bad of [
      other,
      wrong,
      expired.token,
      token.slice(0, -1),
      `${token}x`,
      token.toUpperCase(),
      "hub_",
      "hub_a_b",
    ]) {
      assert.equal(keys.verify(bad), undefined, bad);
    }
    assert.deepEqual(
      ["hub_", token, "eyJhbGciOi"].map((some) => keys.accepts(some)),
      [true, true, false],
    );
  });

  it("begin to count, change and are revoked within a second of a change of the file, however it is made", async () => {
    const [first, second] = [newKey(), newKey({ name: "bridge" })];
    using bed = new KeyBed(first.record);
    const { keys } = bed;
    assert.equal(keys.verify(second.token), undefined);
    bed.write(first.record, second.record);
    await until("the new key counts", () => keys.verify(second.token) !== undefined, SOON);
    // As `key` and deployments do it: another file takes the place of this one.
    const next = bed.folder.file("next.json");
    writeFileSync(next, JSON.stringify({ keys: [{ ...second.record, subscribe: ["news"] }] }), { mode: 0o600 });
    renameSync(next, bed.path);
    await until("the old key is gone", () => keys.verify(first.token) === undefined, SOON);
    assert.deepEqual(keys.verify(second.token)?.subscribe, ["news"]);
    const told = bed.events.map(({ action, subject, id }) => [action, subject, id]);
    assert.deepEqual(told, [
      ["key_created", "bridge", second.record["id"]],
      ["key_revoked", "order-service", first.record["id"]],
      ["key_changed", "bridge", second.record["id"]],
    ]);
    const secrets = [first, second].flatMap(({ token, record }) => [token.slice(13), String(record["hash"])]);
    for (const secret of secrets) assert.ok(!JSON.stringify(bed.events).includes(secret));
  });

  it("follow a symbolic link that is pointed to another file, as mounted secrets are", async () => {
    const [first, second] = [newKey(), newKey()];
    using bed = new KeyBed(first.record);
    const [versions, link] = ["v1.json", "v2.json"].map((name) => bed.folder.file(name)) as [string, string];
    renameSync(bed.path, versions);
    symlinkSync("v1.json", bed.path);
    const { keys } = bed;
    writeFileSync(link, JSON.stringify({ keys: [second.record] }), { mode: 0o600 });
    const next = bed.folder.file("next");
    symlinkSync("v2.json", next);
    renameSync(next, bed.path);
    await until("the keys of the other file count", () => keys.verify(second.token) !== undefined, SOON);
    assert.equal(keys.verify(first.token), undefined);
  });

  it("end what is open with a key that is revoked, grants less, expires earlier, or has another secret or name", async () => {
    const changes: readonly (readonly [string, Record | undefined])[] = [
      ["revoked", undefined],
      ["reads less", { subscribe: ["orders.eu"] }],
      ["publishes less", { publish: [] }],
      ["may not send as others", { sendAs: false }],
      ["expires", { expires: new Date(Date.now() + DAY).toISOString() }],
      ["has another name", { name: "other" }],
      ["has another secret", { hash: "0".repeat(64) }],
    ];
    for (const [what, change] of changes) {
      const one = newKey({ publish: ["orders.*"], sendAs: true });
      const other = newKey();
      using bed = new KeyBed(one.record, other.record);
      const open = bed.open(bed.keys.verify(one.token));
      const untouched = bed.open(bed.keys.verify(other.token));
      bed.write(...(change === undefined ? [] : [{ ...one.record, ...change }]), other.record);
      await until(`what is open with a key that ${what} is ended`, () => open.ended !== undefined, SOON);
      assert.deepEqual([open.ended, untouched.ended], ["revoked", undefined]);
    }
  });

  it("leave open what is open with a key that grants more, until it grants less than at first", async () => {
    const { token, record } = newKey({ expires: new Date(Date.now() + DAY).toISOString() });
    using bed = new KeyBed(record);
    const { keys } = bed;
    const open = bed.open(keys.verify(token));
    bed.write({ ...record, subscribe: ["*"], publish: ["news"], expires: undefined });
    await until("it grants more", () => keys.verify(token)?.subscribe[0] === "*", SOON);
    const wide = bed.open(keys.verify(token));
    assert.equal(open.ended, undefined);
    bed.write(record);
    await until("what was opened with the wide grants is ended", () => wide.ended !== undefined, SOON);
    assert.equal(open.ended, undefined);
    bed.write({ ...record, admin: true });
    await until("it is an admin's", () => keys.verify(token)?.admin === true, SOON);
    assert.equal(open.ended, undefined);
  });

  it("end what is opened for a request that came before its key was revoked, and sessions that came from it", async () => {
    const { token, record } = newKey();
    using bed = new KeyBed(record);
    const { keys } = bed;
    const before = keys.verify(token);
    assert.ok(before !== undefined && !keys.isGone(before));
    bed.lifetimes.isGone = (principal) => keys.isGone(principal);
    bed.write();
    await until("it is revoked", () => keys.isGone(before), SOON);
    assert.ok(keys.isGone({ ...before, kind: "session" }));
    assert.ok(!keys.isGone({ ...before, kind: "certificate" }), "only the name of a certificate looks like a key");
    const late = bed.open(before);
    await until("it is ended", () => late.ended === "revoked");
  });

  it("stay what they were while the file is gone, half written or wrong, and say so once [KEY-3]", async () => {
    const { token, record } = newKey();
    using bed = new KeyBed(record);
    const { keys } = bed;
    const open = bed.open(keys.verify(token));
    const errors = (): readonly string[] =>
      bed.events.filter(({ level }) => level === "error").map(({ reason }) => reason ?? "");
    rmSync(bed.path);
    await until("the missing file is told of", () => errors().length === 1, SOON);
    writeFileSync(bed.path, '{"keys": [');
    await until("the half file is told of", () => errors().length === 2, SOON);
    bed.write({ ...record, publish: ["orders*"] });
    await until("the wrong file is told of", () => errors().length === 3, SOON);
    assert.match(
      errors()[0] ?? "",
      /^API_KEYS_FILE is ".+", which does not exist; make it with: sse-mcp-server key create .+; until then the keys stay what they were$/,
    );
    assert.match(errors()[1] ?? "", /which cannot be taken: it is not JSON; until then/);
    assert.match(errors()[2] ?? "", /: keys\[0\]\.publish\[0\] is "orders\*": .+ such as orders\.\*; until then/);
    assert.ok(keys.verify(token) !== undefined);
    bed.write();
    await until("it is revoked at last", () => open.ended === "revoked", SOON);
    assert.equal(errors().length, 3);
  });

  it("warn of a file that others can read or write", () => {
    using bed = new KeyBed();
    chmodSync(bed.path, 0o644);
    void bed.keys;
    const { level, action, reason } = bed.events[0] ?? {};
    assert.deepEqual([level, action, reason?.endsWith("chmod 600 it")], ["warn", "keys_shared", true]);
  });
});

describe("a file of keys", () => {
  const { record } = newKey();
  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["not JSON", "{", /it is not JSON$/],
    ["a list", "[]", /it is not an object such as \{"keys": \[\]\}$/],
    ["without keys", {}, /it is not an object such as \{"keys": \[\]\}$/],
    ["something beside keys", { keys: [], users: [] }, /it has "users" beside keys; leave that out$/],
    ["a key twice", { keys: [record, record] }, /keys\[1\]\.id is "\w{8}", as is keys\[0\]\.id; remove one of them$/],
    ["a key that is none", { keys: [record, "x"] }, /keys\[1\] is not an object$/],
    ["a field twice", '{"keys": [], "keys": []}', /the name "keys" twice/],
    [
      "an unknown field",
      { keys: [{ ...record, secret: "x" }] },
      /keys\[0\] has the field "secret"; use id, hash, name, /,
    ],
    [
      "no id",
      { keys: [{ ...record, id: undefined }] },
      /keys\[0\]\.id is missing; use 8 lower-case letters and digits$/,
    ],
    ["a long id", { keys: [{ ...record, id: "a".repeat(9) }] }, /keys\[0\]\.id is "a{9}"; use 8/],
    [
      "no hash",
      { keys: [{ ...record, hash: "secret" }] },
      /keys\[0\]\.hash is not a SHA-256; use 64 lower-case hexadecimal digits$/,
    ],
    ["no name", { keys: [{ ...record, name: "" }] }, /keys\[0\]\.name: use a name/],
    [
      "a long name",
      { keys: [{ ...record, name: "x".repeat(129) }] },
      /keys\[0\]\.name: it has 129 characters; at most 128/,
    ],
    ["a name of two lines", { keys: [{ ...record, name: "a\nb" }] }, /keys\[0\]\.name: use one line/],
    [
      "patterns as a text",
      { keys: [{ ...record, publish: "a" }] },
      /keys\[0\]\.publish is "a"; use a list such as \["orders\.\*"\]$/,
    ],
    [
      "a bad pattern",
      { keys: [{ ...record, subscribe: ["a", "b c"] }] },
      /keys\[0\]\.subscribe\[1\] is "b c": use words/,
    ],
    [
      "the server's channels",
      { keys: [{ ...record, subscribe: ["hub.logs"] }] },
      /keys\[0\]\.subscribe\[0\] is "hub\.logs": only admins/,
    ],
    [
      "101 patterns",
      { keys: [{ ...record, publish: Array.from({ length: 101 }, (_, i) => `c${i}`) }] },
      /keys\[0\]\.publish has 101 patterns; at most 100/,
    ],
    ["a right as a text", { keys: [{ ...record, admin: "yes" }] }, /keys\[0\]\.admin is "yes"; use true or false$/],
    ["no time", { keys: [{ ...record, created: "today" }] }, /keys\[0\]\.created is "today"; use a time such as/],
    [
      "a day that is none",
      { keys: [{ ...record, expires: "2026-13-01T00:00:00Z" }] },
      /keys\[0\]\.expires is "2026-13-01T00:00:00Z"; use a time/,
    ],
    [
      "10,001 keys",
      { keys: Array.from({ length: 10_001 }, () => record) },
      /it has 10001 keys; at most 10000 are allowed$/,
    ],
    ["17 million bytes", " ".repeat(17_000_000), /it has 17000000 bytes; at most 16777216 are allowed$/],
  ];
  for (const [what, content, sentence] of wrong) {
    it(`with ${what} is refused with a sentence that names the place`, () => {
      using bed = new KeyBed();
      writeFileSync(bed.path, typeof content === "string" ? content : JSON.stringify(content));
      assert.throws(
        () => bed.keys,
        (error: Error) =>
          error.constructor.name === "ConfigError" &&
          error.message.startsWith("API_KEYS_FILE is ") &&
          sentence.test(error.message),
      );
      assert.ok(readFileSync(bed.path).length > 0);
    });
  }
});

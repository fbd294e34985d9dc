import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { describe, it } from "node:test";
import { MemoryContents } from "../../src/logs/file-contents.ts";
import { KeptFiles } from "../../src/logs/files.ts";
import { MemoryRecords } from "../../src/logs/memory-records.ts";
import { KeyRing } from "../support/keys.ts";
import type { Answer, RequestOptions } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface FileAnswer {
  readonly id: string;
  readonly url: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

function send(
  server: TestServer,
  body: string | Uint8Array,
  type = "image/png",
  query = "",
  headers: RequestOptions["headers"] = {},
): Promise<Answer> {
  return server.request(`/files${query}`, { method: "POST", body, headers: { "content-type": type, ...headers } });
}

async function sent(...given: Parameters<typeof send>): Promise<FileAnswer> {
  const answer = await send(...given);
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as FileAnswer;
}

function codeOf(answer: Answer): readonly [number, string] {
  return [answer.status, (answer.json() as { code: string }).code];
}

describe("files", { concurrency: true }, () => {
  it("[FILE-1] are answered as they were sent, from memory and from a folder beside the log, also after a restart", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    const content = randomBytes(3_000_000);
    const hash = createHash("sha256").update(content).digest("hex");
    let url = "";
    for (const data of ["memory:", `file:${path}`, `file:${path}`]) {
      await using server = await startServer({ data });
      if (url === "" || data === "memory:") {
        const file = await sent(server, content, "image/png", "?name=a%20picture.png");
        assert.match(file.id, /^[\w-]{24}$/);
        assert.deepEqual(
          [file.url, file.name, file.type, file.size],
          [`/files/${file.id}`, "a picture.png", "image/png", 3_000_000],
        );
        if (data !== "memory:") ({ url } = file);
        const answer = await fetch(`${server.url}${file.url}`);
        assert.deepEqual(Buffer.from(await answer.arrayBuffer()), content);
        continue;
      }
      const answer = await fetch(`${server.url}${url}`);
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "image/png"]);
      assert.equal(answer.headers.get("content-length"), "3000000");
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), content);
    }
    assert.deepEqual(readdirSync(`${path}.files`), [hash]);
    assert.equal(statSync(`${path}.files/${hash}`).mode & 0o777, 0o600);
    assert.equal(statSync(`${path}.files`).mode & 0o777, 0o700);
  });

  it("[FILE-2] run nothing on this origin: pictures are shown, all else is a download without a type that could run", async () => {
    await using server = await startServer();
    const script = "<script>alert(1)</script>";
    for (const [type, answered, way] of [
      ["image/png", "image/png", "inline"],
      ["IMAGE/JPEG; q=1", "image/jpeg", "inline"],
      ["image/svg+xml", "application/octet-stream", "attachment"],
      ["text/html", "application/octet-stream", "attachment"],
      ["application/xhtml+xml", "application/octet-stream", "attachment"],
      ["text/javascript", "application/octet-stream", "attachment"],
      ["application/pdf", "application/octet-stream", "attachment"],
      ["text/plain; charset=utf-8", "text/plain", "attachment"],
      ["nonsense", "application/octet-stream", "attachment"],
      ["", "application/octet-stream", "attachment"],
    ] as const) {
      const { url, type: said } = await sent(server, script, type, "?name=x%22.html");
      assert.equal(said.includes(";"), false);
      const { status, headers } = await server.request(url);
      assert.equal(status, 200);
      assert.equal(headers["content-type"], answered, type);
      assert.equal(headers["content-disposition"], `${way}; filename*=UTF-8''x%22.html`);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.match(String(headers["content-security-policy"]), /^default-src 'none'; sandbox/);
      assert.match(String(headers["cache-control"]), /^private, max-age=\d+, immutable$/);
      assert.equal(headers["content-encoding"], undefined);
    }
  });

  it("[FILE-3] that are too large, empty, encoded or in parts are refused, and the connection goes on", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ maxFileBytes: 1000, data: `file:${folder.file()}` });
    const large = "x".repeat(1_000_000);
    assert.deepEqual(codeOf(await send(server, large)), [413, "BODY_TOO_LARGE"]);
    assert.deepEqual(codeOf(await send(server, "")), [400, "INVALID_INPUT"]);
    assert.deepEqual(codeOf(await send(server, "x", "multipart/form-data; boundary=x")), [
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ]);
    assert.deepEqual(codeOf(await send(server, "x", "a/b", "", { "content-encoding": "gzip" })), [
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ]);
    assert.deepEqual(codeOf(await send(server, "x", "a/b", "?name=a%0Ab")), [400, "INVALID_MESSAGE"]);
    assert.deepEqual(codeOf(await send(server, "x", "a/b", `?name=${"n".repeat(256)}`)), [400, "INVALID_MESSAGE"]);
    assert.deepEqual(codeOf(await send(server, "x", "a/b", "?nam=a")), [400, "INVALID_INPUT"]);
    // In chunks, its length is not known before.
    using wire = await server.wire();
    const head = ["Host: localhost", "Content-Type: a/b", "Transfer-Encoding: chunked"];
    for (const size of [100_000, 500]) {
      wire.send(["POST /files HTTP/1.1", ...head], `${size.toString(16)}\r\n${"y".repeat(size)}\r\n0\r\n\r\n`);
      assert.equal((await wire.response()).status, size > 1000 ? 413 : 201);
    }
    assert.equal(readdirSync(`${folder.file()}.files`).length, 1);
  });

  it("[FILE-3] have names without a path", async () => {
    await using server = await startServer();
    for (const [name, kept] of [
      ["/etc/passwd", "passwd"],
      ["..%5C..%5Cboot.ini", "boot.ini"],
      ["..", "file"],
      ["", "file"],
      ["%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82.txt", "привет.txt"],
    ] as const)
      assert.equal((await sent(server, "x", "a/b", `?name=${name}`)).name, kept);
  });

  it("[FILE-4] are sent by whoever may publish, and read by whoever has a credential and the id", async () => {
    const ring = new KeyRing();
    using _ = ring;
    const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });
    const writer = bearer(ring.add("writer", { publish: ["a"] }));
    const reader = bearer(ring.add("reader", { subscribe: ["b"] }));
    await using server = await startServer({ apiKeysFile: ring.path });
    assert.equal((await send(server, "x")).status, 401);
    assert.equal((await send(server, "x", "a/b", "", reader)).status, 403);
    const { url } = await sent(server, "x", "a/b", "", writer);
    for (const headers of [writer, reader]) assert.equal((await server.request(url, { headers })).status, 200);
    assert.equal((await server.request(url)).status, 401);
    assert.deepEqual(codeOf(await server.request(`${url}x`, { headers: reader })), [404, "NOT_FOUND"]);
    for (const id of ["..%2F..%2Fhub.db", "%00", "x".repeat(500)])
      assert.deepEqual(codeOf(await server.request(`/files/${id}`, { headers: reader })), [404, "NOT_FOUND"]);
  });

  it("[FILE-5] are dropped when they are too old or too many, and each content is kept once, while a file has it", async () => {
    let now = 0;
    const contents = new MemoryContents();
    const records = new MemoryRecords();
    const options = { records, contents, age: 1000, most: 100, mostOfAll: 25, now: () => now };
    const add = async (files: KeptFiles, text: string): Promise<string> =>
      (await files.add(chunks(text), { name: "n", type: "a/b" })).id;
    const files = await KeptFiles.open(options);
    const first = await add(files, "0123456789");
    const same = await add(files, "0123456789");
    const other = await add(files, "abcdefghij");
    assert.ok((await files.read(first)) && (await files.read(same)) && (await files.read(other)));
    now = 500;
    const last = await add(files, "ABCDEFGHIJ");
    assert.deepEqual([await files.read(first), await files.read(same)], [undefined, undefined]);
    assert.ok((await files.read(other)) && (await files.read(last)));
    const hash = createHash("sha256").update("0123456789").digest("hex");
    assert.equal(await contents.read(hash), undefined);
    files.close();
    now = 1400;
    const again = await KeptFiles.open(options);
    assert.equal(await again.read(other), undefined);
    assert.ok(await again.read(last));
    assert.equal((await records.list("file")).size, 1);
    await Promise.all(Array.from({ length: 10 }, () => add(again, "0123456789")));
    assert.equal((await records.list("file")).size, 11);
    again.close();
  });

  it("[FILE-3] that one caller sends slowly do not keep others from sending theirs", async () => {
    await using server = await startServer({ trustedProxies: ["127.0.0.1"], auth: "none" });
    const slow = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const wire = await server.wire();
        wire.send(["POST /files HTTP/1.1", "Host: localhost", "Content-Type: a/b", "Content-Length: 100"], "half");
        return wire;
      }),
    );
    await until("four are received", async () => (await send(server, "x")).status === 503);
    const refused = await send(server, "x");
    assert.match((refused.json() as { detail: string }).detail, /^4 of your files are being received/);
    await sent(server, "x", "a/b", "", { "x-forwarded-for": "203.0.113.7" });
    for (const wire of slow) wire[Symbol.dispose]();
  });

  it("of which only a part came leave nothing", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    await sent(server, "x");
    {
      using wire = await server.wire();
      wire.send(["POST /files HTTP/1.1", "Host: localhost", "Content-Type: a/b", "Content-Length: 100"], "half");
    }
    await server.close();
    assert.equal(readdirSync(`${folder.file()}.files`).filter((name) => name.startsWith("part-")).length, 0);
    assert.ok(existsSync(`${folder.file()}.files`));
  });
});

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

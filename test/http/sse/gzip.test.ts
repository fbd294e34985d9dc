import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { constants, createGunzip } from "node:zlib";
import * as fc from "../../support/properties.ts";
import { channelName } from "../../../src/core/channel.ts";
import { Envelope } from "../../../src/core/message.ts";
import { joined } from "../../../src/core/reader-group.ts";
import { formatOf } from "../../../src/http/sse/formats.ts";
import { deflateBlock, GZIP_HEADER, prefersGzip, storedBlock } from "../../../src/http/sse/gzip.ts";
import { needs } from "../../support/needs.ts";

const IDENTITY = formatOf("json", { isChunked: false, isGzip: false });
const GZIP = formatOf("json", { isChunked: false, isGzip: true });

/** One piece of a stream: as every reader has it, and as blocks. */
interface Piece {
  readonly plain: Buffer;
  readonly packed: Buffer;
}

/** Text of any kind: random, which does not compress, and the same again and again, up to more than a stored block. */
const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: "grapheme", maxLength: 300 }) },
  { weight: 1, arbitrary: fc.tuple(fc.string(), fc.nat(20_000)).map(([part, times]) => part.repeat(times % 5000)) },
  { weight: 1, arbitrary: fc.integer({ min: 65_400, max: 66_000 }).map((length) => "x".repeat(length)) },
);
const turn = fc.array(text, { minLength: 1, maxLength: 20 });
/** Signals go between the turns, for one reader alone. */
const stream = fc.array(fc.oneof({ weight: 3, arbitrary: turn }, { weight: 1, arbitrary: text }), { maxLength: 12 });

function piecesOf(parts: readonly (string | readonly string[])[]): Piece[] {
  let offset = 0;
  return parts.map((part) => {
    if (typeof part === "string") {
      const plain = Buffer.from(part);
      return { plain, packed: Buffer.from(storedBlock(plain)) };
    }
    const envelopes = part.map((data) => {
      const message = { channel: channelName("a"), event: "e", data: JSON.stringify(data), sender: "s", time: 0 };
      return new Envelope({ ...message, offset: ++offset }, `e-${offset}`);
    });
    return { plain: Buffer.from(joined(envelopes, IDENTITY)), packed: Buffer.from(joined(envelopes, GZIP)) };
  });
}

/** Reads pieces one after the other; fails unless each is whole as soon as its blocks are there. */
async function inflate(pieces: readonly Piece[]): Promise<void> {
  const gunzip = createGunzip({ flush: constants.Z_SYNC_FLUSH });
  let read: Buffer[] = [];
  gunzip.on("data", (bytes: Buffer) => read.push(bytes));
  const feed = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => gunzip.write(bytes, (error) => (error ? reject(error) : resolve())));
  await feed(GZIP_HEADER);
  for (const { plain, packed } of pieces) {
    read = [];
    await feed(packed);
    assert.ok(Buffer.concat(read).equals(plain), "it is whole when its last byte is there");
  }
  gunzip.destroy();
}

describe("a gzip stream that is made of blocks", () => {
  it("[SSE-51] can be decoded up to the end of each block once that has arrived, whatever the turns and signals are", async () => {
    await fc.assert(
      fc.asyncProperty(stream, (parts) => inflate(piecesOf(parts))),
      { numRuns: 150 },
    );
  });

  it("[SSE-51] is decoded by Python in the same way", (test) => {
    const isThere = spawnSync("/usr/bin/python3", ["--version"]).status === 0;
    if (!needs(test, "Python", isThere, "apt-get install python3")) return;
    const lines = fc.sample(stream, 60).map((parts) => {
      const hex = piecesOf(parts).map(({ plain, packed }) => [plain.toString("hex"), packed.toString("hex")]);
      return JSON.stringify(hex);
    });
    const program = `import json, sys, zlib
for line in sys.stdin:
    decoder = zlib.decompressobj(31)
    assert decoder.decompress(bytes.fromhex("${Buffer.from(GZIP_HEADER).toString("hex")}")) == b""
    for plain, packed in json.loads(line):
        assert decoder.decompress(bytes.fromhex(packed)) == bytes.fromhex(plain)
    assert not decoder.eof and decoder.unused_data == b""
    print("whole")`;
    const input = lines.join("\n");
    const { stdout, stderr } = spawnSync("/usr/bin/python3", ["-c", program], { input, encoding: "utf8" });
    assert.equal(stdout, "whole\n".repeat(lines.length), stderr);
  });

  it("[SSE-51] can be joined at any block, since a block refers to nothing before it", async () => {
    const pieces = piecesOf(Array.from({ length: 20 }, (_, n) => [`the same text ${n}`, "the same text".repeat(50)]));
    for (let start = 0; start < pieces.length; start++) await inflate(pieces.slice(start));
  });

  it("is compressed once, however many groups lack the same messages", () => {
    const message = { channel: channelName("a"), event: "e", data: '"x"', sender: "s", time: 0, offset: 1 };
    const one = new Envelope(message, "e-1");
    assert.equal(joined([one], GZIP), joined([one], GZIP));
    const two = new Envelope({ ...message, offset: 2 }, "e-2");
    assert.equal(joined([one, two], GZIP), joined([one, two], GZIP));
  });

  it("stores short text with five more bytes instead of compressing it", () => {
    assert.equal(deflateBlock(Buffer.from(": heartbeat\n")).length, ": heartbeat\n".length + 5);
    assert.ok(deflateBlock(Buffer.from("x".repeat(200))).length < 30);
  });
});

describe("a reader that names the codings it accepts", () => {
  it("[SSE-50] gets gzip only if that is allowed, and not if it prefers none", () => {
    const accepted = ["gzip", "GZip", "x-gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*"];
    accepted.push(
      "gzip;q=0.001",
      "identity;q=0, gzip",
      "gzip, identity",
      "gzip ; q=0.5 , identity;q=0.5",
      "*;q=0, gzip",
    );
    for (const header of accepted) assert.ok(prefersGzip(header), header);
    const refused = [undefined, "", "identity", "br", "gzip;q=0", "gzip;q=0.0, *", "*;q=0", "gzip;q=", "gzip;q=x"];
    refused.push("identity, gzip;q=0.5", "gzip;q=0.5, identity;q=0.8", "gzipped", "deflate, x-gzipped");
    for (const header of refused) assert.ok(!prefersGzip(header), header);
  });
});

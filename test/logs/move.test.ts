import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { draft } from "../../src/core/message.ts";
import { channelName } from "../../src/core/channel.ts";
import type { Archive } from "../../src/logs/archive.ts";
import { openArchive, writeArchive } from "../../src/logs/move.ts";
import { ndjson, readNdjson } from "../../src/logs/ndjson.ts";
import { keptJson } from "../../src/protocol/json.ts";
import { viewOf } from "../support/log-view.ts";
import { writeOldLog } from "../support/old-formats.ts";
import { draftOf, FOREVER, patternsOf } from "../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const NAMES = ["a", "b", "b.x", "b.y", "c"];

const BY_TOOL = { via: "tool", verified: true } as const;

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ channel: fc.constantFrom(...NAMES), key: fc.option(fc.constantFrom("k", "l")) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ messages: fc.integer({ min: 0, max: 9 }), channels: fc.integer({ min: 2, max: 5 }) }),
  },
);

/** Does some work on a new log, which is opened again with other limits in between; returns its epochs. */
async function work(
  path: string,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<string[]> {
  let log = await openSqlite(path);
  const epochs = [log.epoch];
  for (const [index, now] of steps.entries()) {
    if ("channel" in now) {
      const more = {
        ...(now.key !== null && { key: now.key }),
        ...(index % 3 === 0 && BY_TOOL),
      };
      // It may have as many channels as it may.
      await log.append(draftOf(now.channel, { index }, { sender: `s${index % 2}`, ...more })).catch(() => {});
      continue;
    }
    await log.close();
    log = await openSqlite(path, { retention: { ...FOREVER, ...now } });
    epochs.push(log.epoch);
  }
  await log.close();
  return epochs;
}

async function exported(path: string): Promise<string> {
  await using archive = await openArchive(`file:${path}`);
  return await textOf(archive);
}

async function textOf(archive: Archive): Promise<string> {
  let text = "";
  for await (const some of ndjson(archive)) text += some;
  return text;
}

/** Reads an export in chunks that end anywhere. */
function read(text: string, size = 7000): Promise<Archive> {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
  return readNdjson(Readable.from(chunks) as AsyncIterable<Uint8Array>);
}

async function importFrom(text: string, path: string): Promise<void> {
  await writeArchive(`file:${path}`, await read(text));
}

function lines(...records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

describe("a log that is moved", { concurrency: true }, () => {
  it("reads the same after any work: messages, gaps, cursors, channels and keys", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 300 }), async (steps, size) => {
        using folder = new TemporaryFolder();
        const [path, copy, direct] = [folder.file(), folder.file("copy.db"), folder.file("new/direct.db")];
        const epochs = await work(path, steps);
        const text = await exported(path);
        await writeArchive(`file:${copy}`, await read(text, size));
        {
          await using archive = await openArchive(`file:${path}`);
          await writeArchive(`file:${direct}`, archive);
        }
        assert.equal(await exported(copy), text, "and is exported the same");
        await using original = await openSqlite(path);
        const expected = await viewOf(original, epochs);
        const next = await original.append(draftOf("a", "again", { key: "k" }));
        for (const other of [copy, direct]) {
          await using log = await openSqlite(other);
          assert.deepEqual(await viewOf(log, epochs), expected);
          assert.equal(original.knows({ epoch: log.epoch, offset: expected.head + 1 }), false);
          assert.equal(log.knows({ epoch: original.epoch, offset: expected.head + 1 }), false);
          const repeated = await log.append(draftOf("a", "again", { key: "k" }));
          assert.deepEqual([repeated.repeated, repeated.message.offset], [next.repeated, next.message.offset]);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("has every text as it was published", async () => {
    using folder = new TemporaryFolder();
    const numbers = '{"big":12345678901234567890.123456789012345,"e":1e300,"a":-0}';
    const sent = [
      '","data":1}',
      { data: 1, offset: 7, ',"data":': ['\u2028\u0085\0\\"', "😀"] },
      "x".repeat(300_000),
      keptJson(numbers),
      null,
    ];
    {
      await using log = await openSqlite(folder.file());
      for (const data of sent) {
        const more = { sender: 'a","data":1', event: 'e,"data":', key: `k"${sent.indexOf(data)}` };
        await log.append(draft({ channel: channelName("a"), data, ...more }, 1e6));
      }
    }
    await importFrom(await exported(folder.file()), folder.file("copy.db"));
    const rows = (path: string): unknown => {
      using database = openDatabase(path);
      return database.prepare("SELECT * FROM messages ORDER BY offset").all();
    };
    assert.deepEqual(rows(folder.file("copy.db")), rows(folder.file()));
  });

  it("is upgraded from older formats on its way", async () => {
    using folder = new TemporaryFolder();
    writeOldLog(folder.file(), { offsets: [1, 2, 30], holes: [[4, 20]], format: 1 });
    await importFrom(await exported(folder.file()), folder.file("copy.db"));
    await using log = await openSqlite(folder.file("copy.db"));
    assert.deepEqual(await dataOf(log), [1, 2, 30]);
    const known = [2, 4, 20, 30].map((offset) => log.knows({ epoch: "0123456789", offset }));
    assert.deepEqual(known, [true, false, true, true]);
  });

  it("may have been rewritten by another program, as long as it says the same", async () => {
    using folder = new TemporaryFolder();
    {
      await using log = await openSqlite(folder.file());
      await log.append(draftOf("a", { b: [1, "x"] }, { key: "k", verified: true, via: "tool" }));
      await log.append(draftOf("a", "second"));
    }
    const text = await exported(folder.file());
    const spaced = text
      .trimEnd()
      .split("\n")
      .map((line) =>
        JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(line) as object).toReversed()), null, "\t"),
      )
      .map((line) => line.replaceAll(/\n\t*/g, "\t"))
      .join("\r\n\r\n");
    await importFrom(spaced, folder.file("copy.db"));
    assert.equal(await exported(folder.file("copy.db")), text);
  });

  it("is not read while a server has it open, and the server does not start while it is read", async () => {
    using folder = new TemporaryFolder();
    {
      await using _ = await openSqlite(folder.file());
      await assert.rejects(openArchive(`file:${folder.file()}`), {
        code: "LOG_UNAVAILABLE",
        message:
          /^A running sse-mcp-server has the log .+hub\.db open; stop it, or make a backup and give that: sqlite3 /,
      });
    }
    await using archive = await openArchive(`file:${folder.file()}`);
    await assert.rejects(openSqlite(folder.file()), /has the log .+ open/);
    assert.equal(archive.header.head, 0);
  });

  it("needs a place that is one, with nothing in it", async () => {
    using folder = new TemporaryFolder();
    const missing = folder.file("missing.db");
    await assert.rejects(openArchive(`file:${missing}`), /There is no log .+missing\.db; give the path of one/);
    assert.ok(!existsSync(missing));
    await assert.rejects(openArchive("memory:"), /memory: is gone with its server/);
    await assert.rejects(openArchive("hub.db"), /"hub\.db" is not a place for a log; use file:PATH/);
    writeFileSync(folder.file("text.db"), "not a database, however long it may be".repeat(100));
    await assert.rejects(openArchive(`file:${folder.file("text.db")}`), /is damaged or not an SQLite database/);
    await (await openSqlite(folder.file())).close();
    const text = await exported(folder.file());
    await assert.rejects(importFrom(text, folder.file()), /hub\.db exists already; give the path of a new file/);
    writeFileSync(folder.file("gone.db-wal"), "");
    await assert.rejects(importFrom(text, folder.file("gone.db")), /gone\.db-wal exists already/);
    {
      await using _ = await openSqlite(folder.file());
      await assert.rejects(importFrom(text, folder.file()), /Another sse-mcp-server has the log/);
    }
    assert.ok(!existsSync(folder.file("gone.db")));
  });

  it("leaves nothing where it is cut short, anywhere", async () => {
    using folder = new TemporaryFolder();
    {
      await using log = await openSqlite(folder.file());
      for (const channel of ["a", "b", "a"]) await log.append(draftOf(channel, channel));
    }
    const whole = await exported(folder.file());
    const before = readdirSync(folder.path).length;
    for (let length = 0; length < whole.length - 1; length += 3) {
      await assert.rejects(importFrom(whole.slice(0, length), folder.file("cut.db")), {
        code: "LOG_UNAVAILABLE",
        message: /^The archive cannot be used: (?:it was cut short after line \d|it is empty|line \d is not JSON)/,
      });
    }
    assert.deepEqual(
      readdirSync(folder.path).filter((name) => name.startsWith("cut.db")),
      ["cut.db.lock"],
    );
    assert.equal(readdirSync(folder.path).length, before + 1);
    await importFrom(whole, folder.file("cut.db"));
    assert.equal(await exported(folder.file("cut.db")), whole);
  });
});

describe("an archive", { concurrency: true }, () => {
  const header = { archive: "sse-mcp-server", format: 1, head: 9, floor: 0, runs: [{ first: 0, epoch: "abc" }] };
  const channel = { channel: "a", last: 9, time: 5, dropped: 0 };
  const message = { offset: 9, channel: "a", event: "message", sender: "me", time: 5, data: 1 };
  const end = { end: { channels: 1, messages: 1 } };

  it("that is made by hand is taken", async () => {
    using folder = new TemporaryFolder();
    await importFrom(lines(header, channel, message, end), folder.file());
    await using log = await openSqlite(folder.file());
    assert.deepEqual(await dataOf(log), [1]);
    assert.equal(log.knows({ epoch: "abc", offset: 9 }), true);
  });

  const faults: readonly (readonly [sentence: RegExp, ...records: object[]])[] = [
    [/does not begin with the header that export writes/, { offset: 1 }],
    [/a newer sse-mcp-server wrote it \(archive format 2\)/, { ...header, format: 2 }],
    [/its header has no runs/, { ...header, runs: 1 }],
    [/needs head, floor and used as whole numbers/, { ...header, head: -1 }],
    [/needs runs in order/, { ...header, runs: [] }],
    [/needs runs in order/, { ...header, runs: [{ first: 0, epoch: "not-one" }] }],
    [/needs runs in order/, { ...header, runs: [{ first: 1, epoch: "abc" }] }],
    [/beyond its head/, { ...header, floor: 10 }],
    [/a channel that is not one: use words/, header, { ...channel, channel: "a b" }],
    [/a channel that is not one: hub and hub\.\*/, header, { ...channel, channel: "hub.logs" }],
    [/lists channel a twice/, header, channel, channel],
    [/no offset beyond head \(9\)/, header, { ...channel, last: 10 }],
    [
      /line 4 is a channel after messages; list all channels first/,
      header,
      channel,
      message,
      { ...channel, channel: "b" },
    ],
    [/message 9 is on a channel that is not listed/, header, message],
    [/message 9 is out of order/, header, channel, message, message],
    [/message 10 is out of order, or beyond head/, header, channel, { ...message, offset: 10 }],
    [/message 9 comes after the last of channel a/, header, { ...channel, last: 8 }, message],
    [/message 9 needs time/, header, channel, { ...message, time: "now" }],
    [/message 9: sender must be one line/, header, channel, { ...message, sender: "a\nb" }],
    [/message 9: event has 65 characters/, header, channel, { ...message, event: "e".repeat(65) }],
    [/line 3: channel, event, sender and key are strings/, header, channel, { ...message, sender: 1 }],
    [/line 3: via is "tool"/, header, channel, { ...message, via: "me" }],
    [/line 3: a message has data/, header, channel, { ...message, data: undefined }],
    [/line 3 is not a channel, a message or the end/, header, channel, { other: 1 }],
    [/some are missing/, header, channel, end],
    [/something follows its end, after line 4/, header, channel, message, end, end],
  ];
  for (const [sentence, ...records] of faults) {
    it(`is refused if ${sentence.source}`, async () => {
      using folder = new TemporaryFolder();
      const text = lines(...records);
      const count = (field: string): number => text.split(`{"${field}":`).length - 1;
      const counts = { channels: count("channel"), messages: count("offset") };
      const whole = text.includes('{"end":') ? text : text + lines({ end: counts });
      await assert.rejects(importFrom(whole, folder.file()), {
        code: "LOG_UNAVAILABLE",
        message: sentence,
      });
      assert.ok(!existsSync(folder.file()));
    });
  }

  it("is refused if its data, or all of it, is no JSON, or it is not text", async () => {
    using folder = new TemporaryFolder();
    const broken = `${lines(header, channel, message).replace('"data":1}', '"data":{]}')}${lines(end)}`;
    await assert.rejects(importFrom(broken, folder.file()), /line 3 is not JSON/);
    await assert.rejects(read(readFileSync("/bin/true").toString("latin1")), /line 1 is not JSON/);
    await assert.rejects(
      readNdjson(Readable.from([Buffer.from([0x1f, 0x8b, 8, 10])])),
      /if it is compressed, expand it/,
    );
    await assert.rejects(read("x".repeat(65 * 1024 * 1024), 1 << 20), /a line of more than 67108864 bytes/);
  });

  it("keeps what patterns read apart, channel by channel", async () => {
    using folder = new TemporaryFolder();
    await importFrom(
      lines(header, { ...channel, channel: "b", last: 4, dropped: 4 }, { ...channel, dropped: 2 }, message, {
        end: { channels: 2, messages: 1 },
      }),
      folder.file(),
    );
    await using log = await openSqlite(folder.file());
    const dropped = async (...names: string[]): Promise<number> =>
      (await log.read({ after: 0, channels: patternsOf(...names), limit: 9 })).dropped;
    assert.deepEqual([await dropped("a"), await dropped("b"), await dropped("*"), await dropped("c")], [2, 4, 4, 0]);
  });
});

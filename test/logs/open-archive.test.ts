import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { draft } from "../../src/core/message.ts";
import { channelName } from "../../src/core/channel.ts";
import { openArchive, writeArchive } from "../../src/logs/open-archive.ts";
import { readNdjson } from "../../src/logs/ndjson.ts";
import { keptJson } from "../../src/protocol/json.ts";
import { exported, importFrom, placeOf, read, step, work } from "../support/archives.ts";
import { viewOf } from "../support/log-view.ts";
import { writeOldLog } from "../support/old-formats.ts";
import { draftOf, patternsOf } from "../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

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
        await writeArchive(placeOf(`file:${copy}`), await read(text, size));
        {
          await using archive = await openArchive(placeOf(`file:${path}`));
          await writeArchive(placeOf(`file:${direct}`), archive);
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
      await assert.rejects(openArchive(placeOf(`file:${folder.file()}`)), {
        code: "LOG_UNAVAILABLE",
        message:
          /^A running sse-mcp-server has the log .+hub\.db open; stop it, or make a backup and give that: sqlite3 /,
      });
    }
    await using archive = await openArchive(placeOf(`file:${folder.file()}`));
    await assert.rejects(openSqlite(folder.file()), /has the log .+ open/);
    assert.equal(archive.header.head, 0);
  });

  it("needs a place that is one, with nothing in it", async () => {
    using folder = new TemporaryFolder();
    const missing = folder.file("missing.db");
    await assert.rejects(
      openArchive(placeOf(`file:${missing}`)),
      /There is no log .+missing\.db; give the path of one/,
    );
    assert.ok(!existsSync(missing));
    await assert.rejects(openArchive(placeOf("memory:")), /memory: is gone with its server/);
    await assert.rejects(openArchive(placeOf("hub.db")), /"hub\.db" is not a place for a log; use file:PATH/);
    writeFileSync(folder.file("text.db"), "not a database, however long it may be".repeat(100));
    await assert.rejects(
      openArchive(placeOf(`file:${folder.file("text.db")}`)),
      /is damaged or not an SQLite database/,
    );
    await (await openSqlite(folder.file())).close();
    const text = await exported(folder.file());
    await assert.rejects(importFrom(text, folder.file()), /hub\.db exists already; give the path of a new file/);
    writeFileSync(folder.file("gone.db-wal"), "");
    await assert.rejects(importFrom(text, folder.file("gone.db")), /gone\.db-wal exists already/);
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
    await importFrom(lines(header, message, channel, end), folder.file());
    await using log = await openSqlite(folder.file());
    assert.deepEqual(await dataOf(log), [1]);
    assert.equal(log.knows({ epoch: "abc", offset: 9 }), true);
  });

  const faults: readonly (readonly [sentence: RegExp, ...records: object[]])[] = [
    [/does not begin with the header that export writes/, { offset: 1 }],
    [/a newer sse-mcp-server wrote it \(archive format 2\)/, { ...header, format: 2 }],
    [/needs runs and lost as arrays/, { ...header, runs: 1 }],
    [/needs head, floor and used as whole numbers/, { ...header, head: -1 }],
    [/needs runs in order/, { ...header, runs: [] }],
    [/needs runs in order/, { ...header, runs: [{ first: 0, epoch: "not-one" }] }],
    [/needs runs in order/, { ...header, runs: [{ first: 1, epoch: "abc" }] }],
    [/beyond its head/, { ...header, floor: 10 }],
    [/a channel that is not one: use words/, header, { ...channel, channel: "a b" }],
    [/a channel that is not one: hub and hub\.\*/, header, { ...channel, channel: "hub.logs" }],
    [/lists channel a twice/, header, channel, channel],
    [/no offset beyond head \(9\)/, header, { ...channel, last: 10 }],
    [/line 4 is a message after channels; give all messages first/, header, message, channel, message],
    [/channel a has messages, and no record of its own/, header, message],
    [/message 9 is out of order/, header, message, message],
    [/needs what was lost in order/, { ...header, lost: [{ after: 5, end: 5 }] }],
    [
      /needs what was lost in order/,
      {
        ...header,
        lost: [
          { after: 4, end: 6 },
          { after: 5, end: 9 },
        ],
      },
    ],
    [/message 10 is out of order, or beyond head/, header, { ...message, offset: 10 }],
    [/channel a has message 9, after its last/, header, message, { ...channel, last: 8 }],
    [/message 9 needs time/, header, { ...message, time: "now" }],
    [/message 9: sender must be one line/, header, { ...message, sender: "a\nb" }],
    [/message 9: event has 65 characters/, header, { ...message, event: "e".repeat(65) }],
    [/line 2: channel, event, sender, key, traceparent and path are strings/, header, { ...message, sender: 1 }],
    [/message 9 needs a traceparent/, header, { ...message, traceparent: "00-a\nb" }],
    [/line 2: via is tool/, header, { ...message, via: "me" }],
    [/line 2: a message has data/, header, { ...message, data: undefined }],
    [/line 2 is not a channel, a message or the end/, header, { other: 1 }],
    [/some are missing/, header, channel, end],
    [/something follows its end, after line 4/, header, message, channel, end, end],
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
    const broken = `${lines(header, message, channel).replace('"data":1}', '"data":{]}')}${lines(end)}`;
    await assert.rejects(importFrom(broken, folder.file()), /line 2 is not JSON/);
    await assert.rejects(read(readFileSync("/bin/true").toString("latin1")), /line 1 is not JSON/);
    await assert.rejects(
      readNdjson(Readable.from([Buffer.from([0x1f, 0x8b, 8, 10])])),
      /if it is compressed, expand it/,
    );
    await assert.rejects(read("x".repeat(65 * 1024 * 1024), 1 << 20), /a line of more than 67108864 bytes/);
  });

  it("tells of what was lost, in its place, and nothing to those who are past it", async () => {
    using folder = new TemporaryFolder();
    const lost = [{ after: 3, end: 7 }];
    const first = { ...message, offset: 3 };
    await importFrom(
      lines({ ...header, lost }, first, message, channel, { end: { channels: 1, messages: 2 } }),
      folder.file(),
    );
    for (const round of [1, 2]) {
      await using log = await openSqlite(folder.file());
      const readAfter = async (after: number): Promise<unknown[]> => {
        const page = await log.read({ after, channels: patternsOf("a"), limit: 9 });
        return [page.messages.map(({ offset }) => offset), page.end, page.dropped, page.isLost];
      };
      assert.deepEqual(await readAfter(0), [[3], 3, 0, undefined], `opening ${round}`);
      for (const after of [3, 6]) assert.deepEqual(await readAfter(after), [[9], 9, 7, true]);
      assert.deepEqual(await readAfter(7), [[9], 9, 0, undefined]);
    }
    assert.match(await exported(folder.file()), /"lost":\[\{"after":3,"end":7\}\]/);
  });

  it("keeps what patterns read apart, channel by channel", async () => {
    using folder = new TemporaryFolder();
    await importFrom(
      lines(
        header,
        message,
        { ...channel, channel: "b", last: 4, dropped: 4 },
        { ...channel, dropped: 2 },
        {
          end: { channels: 2, messages: 1 },
        },
      ),
      folder.file(),
    );
    await using log = await openSqlite(folder.file());
    const dropped = async (...names: string[]): Promise<number> =>
      (await log.read({ after: 0, channels: patternsOf(...names), limit: 9 })).dropped;
    assert.deepEqual([await dropped("a"), await dropped("b"), await dropped("*"), await dropped("c")], [2, 4, 4, 0]);
  });
});

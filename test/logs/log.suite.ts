import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { channelName } from "../../src/core/channel.ts";
import { covers, type ChannelPattern } from "../../src/protocol/channel.ts";
import { BEGINNING, cursorAt } from "../../src/protocol/cursor.ts";
import { HubError } from "../../src/core/errors.ts";
import { hasGap, type Appended, type Log, type LogPage, type RecentPage, type Retention } from "../../src/core/log.ts";
import type { Draft, Message } from "../../src/core/message.ts";
import { isFound, searchQuery } from "../../src/core/search-query.ts";
import { searchLog, type Found, type SearchRequest } from "../../src/core/search.ts";
import { draftOf, FOREVER, patternsOf } from "../support/sample.ts";
import { until } from "../support/until.ts";

export interface LogSuiteOptions {
  readonly retention: Retention;
  readonly now: () => number;
  readonly elapsed: () => number;
}

/** Opens an empty log that cleans up after itself. */
export type OpenLog = (options: LogSuiteOptions) => Promise<Log & AsyncDisposable>;

const CHANNELS = ["a", "b", "b.x", "b.x.y", "b.z", "c-1", "c-1.d"];
const ALL = patternsOf("*");
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** What every log must do. */
export function describeLog(name: string, openLog: OpenLog): void {
  const open = (retention: Partial<Retention> = {}, now = Date.now, elapsed = now): ReturnType<OpenLog> =>
    openLog({ retention: { ...FOREVER, ...retention }, now, elapsed });

  describe(name, { concurrency: true }, () => {
    it("puts messages of all channels in one order, and gives each back as it came", async () => {
      await using log = await open({}, () => 1234);
      const drafts = [
        draftOf("a", { deep: ["\u2028", "\0", '"', "😀"] }),
        draftOf("b", "text", { event: "order", sender: "me", via: "tool", traceparent: TRACEPARENT }),
        draftOf("b", "text", { traceparent: TRACEPARENT, via: "webhook", quiet: true }),
        draftOf("b", "text", { via: "bridge:orders", path: "hub-a,hub-b", verified: true }),
        draftOf("a", null, { key: "k" }),
      ];
      const appended = (await Promise.all(drafts.map((draft) => log.append(draft)))).map(({ message }) => message);
      assert.deepEqual(
        appended,
        drafts.map((draft, index) => ({ ...draft, offset: index + 1, time: 1234 })),
      );
      const { messages } = await log.read({ after: BEGINNING, channels: ALL, limit: 10 });
      assert.deepEqual(messages.map(withoutKey), appended.map(withoutKey));
    });

    it("keeps to the order of appending, within a turn and over many", async () => {
      await using log = await open();
      const appended: Promise<Appended>[] = [];
      for (let round = 0; round < 20; round++) {
        for (let each = 0; each < 10; each++)
          appended.push(log.append(draftOf(CHANNELS[each % 7] ?? "a", appended.length)));
        if (round % 2) await appended.at(-1);
      }
      const messages = (await Promise.all(appended)).map(({ message }) => message);
      assert.deepEqual(
        messages.map(({ offset }) => offset),
        messages.map((_, index) => index + 1),
      );
      assert.deepEqual(
        messages.map(({ data }) => data),
        messages.map((_, index) => String(index)),
      );
    });

    it("calls its follower with every message from then on, in order, once, before the publisher hears", async () => {
      await using log = await open();
      await log.append(draftOf("a", "before"));
      const followed: Message[] = [];
      let publications = 0;
      assert.equal(await log.follow((messages) => void followed.push(...messages)), 1);
      const publisher = async (channel: string): Promise<void> => {
        for (let count = 0; count < 20; count++) {
          const publication = ++publications;
          const { message } = await log.append({
            ...draftOf(channel, count, { ephemeral: count % 5 === 4 }),
            publication,
          });
          const found = followed.filter((one) => one.publication === publication);
          assert.deepEqual(found, [{ ...message, publication }], "the follower was told of it by the hub's number");
        }
      };
      await Promise.all(["a", "b", "c-1"].map(publisher));
      assert.equal(followed.length, 60);
      const kept = followed.filter(({ ephemeral }) => !ephemeral);
      assert.deepEqual(
        kept.map(({ offset }) => offset),
        kept.map((_, index) => index + 2),
      );
    });

    it("calls its follower once for what a turn appends", async () => {
      await using log = await open();
      const turns: number[] = [];
      await log.follow((messages) => void turns.push(messages.length));
      await Promise.all(Array.from({ length: 7 }, (_, data) => log.append(draftOf("a", data))));
      await log.append(draftOf("a", 7));
      assert.deepEqual(turns, [7, 1]);
    });

    it("gives an ephemeral message its place among the others, and keeps nothing of it", async () => {
      await using log = await open();
      const followed: unknown[] = [];
      await log.follow((messages) => void followed.push(...messages.map(({ data, offset }) => [data, offset])));
      const ephemeral = { ephemeral: true };
      await log.append(draftOf("a", 0, ephemeral));
      await Promise.all([
        log.append(draftOf("a", 1)),
        log.append(draftOf("a", 2, ephemeral)),
        log.append(draftOf("a", 3)),
      ]);
      assert.deepEqual(followed, [
        ["0", 0],
        ["1", 1],
        ["2", 1],
        ["3", 2],
      ]);
      assert.deepEqual(await everything(log), ["1", "3"]);
      await log.append(draftOf("never", 4, ephemeral));
      assert.deepEqual([log.size().messages, log.size().channels], [2, 1]);
    });

    it("answers a key it has seen on that channel with the message it made, and follows nothing", async () => {
      await using log = await open();
      const followed: Message[] = [];
      await log.follow((messages) => void followed.push(...messages));
      const key = { key: "k" };
      const first = await log.append(draftOf("a", 1, key));
      const again = await log.append(draftOf("a", 2, key));
      assert.deepEqual([first.repeated, again], [false, { message: first.message, repeated: true }]);
      const twice = await Promise.all([
        log.append(draftOf("b", 3, key)),
        log.append(draftOf("b", 4, key)),
        log.append(draftOf("b", 5)),
      ]);
      assert.deepEqual(twice[0].message, twice[1].message);
      assert.deepEqual(
        twice.map(({ repeated }) => repeated),
        [false, true, false],
      );
      assert.deepEqual(
        followed.map(({ data }) => data),
        ["1", "3", "5"],
      );
      assert.deepEqual(await everything(log), ["1", "3", "5"]);
    });

    it("appends several in order, on a channel that is new too, and says of each what became of it", async () => {
      await using log = await open();
      const turns: unknown[][] = [];
      await log.follow((messages) => void turns.push(messages.map(({ data }) => data)));
      await log.append(draftOf("a", 0, { key: "old" }));
      const outcomes = await log.appendAll([
        draftOf("a", 1),
        draftOf("b", 2, { key: "new" }),
        draftOf("a", 3, { key: "old" }),
        draftOf("b", 4, { key: "new" }),
        draftOf("b", 5),
      ]);
      assert.deepEqual(
        outcomes.map((outcome) =>
          outcome instanceof HubError ? outcome.code : [outcome.message.data, outcome.message.offset, outcome.repeated],
        ),
        [
          ["1", 2, false],
          ["2", 3, false],
          ["0", 1, true],
          ["2", 3, true],
          ["5", 4, false],
        ],
      );
      assert.deepEqual(turns, [["0"], ["1", "2", "5"]]);
      assert.deepEqual(await everything(log), ["0", "1", "2", "5"]);
      await log.close();
      const refused = await log.appendAll([draftOf("a", 6), draftOf("a", 7)]);
      assert.ok(refused.length === 2 && refused.every((outcome) => outcome instanceof HubError));
    });

    it("does not remember the key of an ephemeral message, not even within its turn", async () => {
      await using log = await open();
      const followed: unknown[] = [];
      await log.follow((messages) => void followed.push(...messages.map(({ data }) => data)));
      const key = { key: "k" };
      const ephemeral = { key: "k", ephemeral: true };
      await Promise.all([log.append(draftOf("a", 1, ephemeral)), log.append(draftOf("a", 2, key))]);
      await log.append(draftOf("a", 3, ephemeral));
      assert.deepEqual([followed, await everything(log)], [["1", "2", "3"], ["2"]]);
    });

    it("reads exactly what a filter would find, page by page, for any patterns, place and limit", async () => {
      await using log = await open();
      const kept: Message[] = [];
      await log.follow((messages) => void kept.push(...messages));
      for (let data = 0; data < 150; data++) void log.append(draftOf(CHANNELS[(data * data) % 7] ?? "a", data));
      await log.append(draftOf("a", "last"));
      const pattern = fc.constantFrom(...patternsOf(...CHANNELS, "b.*", "b.x.*", "c-1.*", "none", "none.*", "*"));
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(pattern, { minLength: 1, maxLength: 5 }),
          fc.integer({ min: BEGINNING, max: 151 }),
          fc.integer({ min: 1, max: 40 }),
          async (channels, after, limit) => {
            const found = await readAll(log, channels, after, limit);
            const expected = kept.filter((message) => message.offset > after && isCovered(channels, message));
            assert.deepEqual(
              found.map(({ offset }) => offset),
              expected.map(({ offset }) => offset),
            );
          },
        ),
      );
    });

    it("reads back exactly what a filter would find, page by page, for any patterns, place and limit", async () => {
      await using log = await open();
      const kept: Message[] = [];
      await log.follow((messages) => void kept.push(...messages));
      for (let data = 0; data < 150; data++) void log.append(draftOf(CHANNELS[(data * data) % 7] ?? "a", data));
      await log.append(draftOf("a", "last"));
      const pattern = fc.constantFrom(...patternsOf(...CHANNELS, "b.*", "b.x.*", "c-1.*", "none", "none.*", "*"));
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(pattern, { minLength: 1, maxLength: 5 }),
          fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 200 })),
          fc.integer({ min: 1, max: 40 }),
          async (channels, before, limit) => {
            const expected = kept.filter((message) => message.offset < before && isCovered(channels, message));
            const { messages, more } = await log.recent({ before, channels, limit });
            assert.deepEqual(messages.map(withoutKey), expected.slice(-limit).map(withoutKey));
            assert.equal(more, expected.length > limit);
            const found = await readBack(log, channels, before, limit);
            assert.deepEqual(
              found.map(({ offset }) => offset),
              expected.map(({ offset }) => offset),
            );
          },
        ),
      );
    });

    it("[SRCH-3] finds exactly what a filter would, page by page, for any words, patterns, place and limit", async () => {
      await using log = await open();
      const texts = ["red green", "Grün red", "東京都 blue", "red", "blue green red", "greenish", "京都"];
      const kept: Message[] = [];
      await log.follow((messages) => void kept.push(...messages));
      const add = (data: number): void =>
        void log.append(draftOf(CHANNELS[(data * data) % 7] ?? "a", { [`n${data}`]: [data, texts[data % 7]] }));
      for (let data = 0; data < 150; data++) add(data);
      await log.append(draftOf("a", "last"));
      const queries = fc.constantFrom(
        "red",
        "gr*",
        '"red green"',
        "green red",
        "grun",
        "京",
        "都",
        "blue 京*",
        "1*",
        "n1",
      );
      const pattern = fc.constantFrom(...patternsOf(...CHANNELS, "b.*", "b.x.*", "c-1.*", "none", "none.*", "*"));
      await fc.assert(
        fc.asyncProperty(
          queries,
          fc.uniqueArray(pattern, { minLength: 1, maxLength: 5 }),
          fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 151 })),
          fc.integer({ min: 1, max: 40 }),
          async (query, channels, before, limit) => {
            // What an index has not taken in yet is found, too.
            add(kept.length);
            await log.append(draftOf("b.x", "last red"));
            const phrases = searchQuery(query, "q");
            const expected = kept.filter(
              (message) =>
                message.offset < (before ?? Infinity) && isCovered(channels, message) && isFound(phrases, message),
            );
            const found = await searchAll(log, kept.at(-1)?.offset ?? 0, { query, channels, before, limit });
            assert.deepEqual(found.map(withoutKey), expected.toReversed().map(withoutKey));
          },
        ),
      );
    });

    it("refuses a search while eight are in progress, and takes one again when they have ended", async () => {
      await using log = await open();
      await log.append(draftOf("a", "word"));
      const search = (): Promise<Found> => searchLog(log, 1, { query: "word", field: "q", channels: ALL, limit: 1 });
      const all = Array.from({ length: 8 }, search);
      await assert.rejects(search(), { code: "OVERLOADED", message: /^8 searches are in progress/ });
      for (const found of await Promise.all(all)) assert.equal(found.messages.length, 1);
      assert.equal((await search()).messages.length, 1);
    });

    it("refuses the fifth search of one caller while four are in progress, and takes those of others", async () => {
      await using log = await open();
      await log.append(draftOf("a", "word"));
      const search = (caller: string): Promise<Found> =>
        searchLog(log, 1, { query: "word", field: "q", channels: ALL, limit: 1, caller });
      const own = Array.from({ length: 4 }, () => search("one"));
      await assert.rejects(search("one"), { code: "OVERLOADED", message: /^4 of your searches are in progress/ });
      for (const found of await Promise.all([...own, search("other")])) assert.equal(found.messages.length, 1);
      assert.equal((await search("one")).messages.length, 1);
    });

    it("has nothing in front of the first message, and nothing at all before there is one", async () => {
      await using log = await open();
      const nothing = { messages: [], more: false };
      for (const channels of [ALL, patternsOf("a"), patternsOf("a", "b.*")]) {
        assert.deepEqual(await log.recent({ before: Infinity, channels, limit: 9 }), nothing);
      }
      await log.append(draftOf("a", 1));
      await log.append(draftOf("b.x", 2));
      for (const channels of [ALL, patternsOf("a"), patternsOf("a", "b.*")]) {
        assert.deepEqual(await log.recent({ before: 1, channels, limit: 9 }), nothing);
      }
    });

    it("looks to its end where a page is not full, so that nothing is asked for twice", async () => {
      await using log = await open();
      for (const channel of ["a", "b", "b"]) await log.append(draftOf(channel, 1));
      for (const [channels, limit, end] of [
        ["a", 9, 3],
        ["b", 9, 3],
        ["none", 9, 3],
        ["a b", 2, 2],
        ["*", 2, 2],
        ["b", 1, 2],
      ] as const) {
        const page = await log.read({ after: 0, channels: patternsOf(...channels.split(" ")), limit });
        assert.equal(page.end, end, `${channels}, ${limit}`);
      }
    });

    it("ends a page where its payloads fill it, and not before the first", async () => {
      await using log = await open();
      const large = "x".repeat(100_000);
      for (let data = 0; data < 8; data++) await log.append(draftOf(data % 2 ? "a" : "b", large));
      await log.append(draftOf("a", "y".repeat(600_000)));
      for (const channels of [ALL, patternsOf("a", "b"), patternsOf("a"), patternsOf("a.*", "b", "a")]) {
        const sizes: number[] = [];
        for (let after = BEGINNING; after < 9;) {
          const page = await log.read({ after, channels, limit: 100 });
          sizes.push(page.messages.length);
          after = page.end;
        }
        assert.deepEqual(sizes, channels.length === 1 && channels[0] === "a" ? [2, 2, 1] : [2, 2, 2, 2, 1]);
      }
    });

    it("begins a page that is read back where its payloads fill it, and not behind the last", async () => {
      await using log = await open();
      const large = "x".repeat(100_000);
      for (let data = 0; data < 8; data++) await log.append(draftOf(data % 2 ? "a" : "b", large));
      await log.append(draftOf("a", "y".repeat(600_000)));
      for (const channels of [ALL, patternsOf("a", "b"), patternsOf("a"), patternsOf("a.*", "b", "a")]) {
        const sizes: number[] = [];
        const counting: Pick<Log, "recent"> = {
          recent: async (query) => {
            const page = await log.recent(query);
            sizes.push(page.messages.length);
            return page;
          },
        };
        const only = channels.length === 1 && channels[0] === "a";
        assert.equal((await readBack(counting, channels, Infinity, 100)).length, only ? 5 : 9);
        assert.deepEqual(sizes, only ? [1, 2, 2] : [1, 2, 2, 2, 2]);
      }
    });

    it("lets others go on while someone reads page after page, to and fro", async () => {
      await using log = await open();
      await log.append(draftOf("a", 1));
      let others = 0;
      for (let pages = 1; pages <= 10; pages++) {
        setImmediate(() => others++);
        if (pages % 2) await log.read({ after: 0, channels: ALL, limit: 1 });
        else await log.recent({ before: Infinity, channels: ALL, limit: 1 });
        assert.equal(others, pages);
      }
    });

    it("knows the cursors it gave out, and no others", async () => {
      await using log = await open();
      await log.append(draftOf("a", 1));
      await log.append(draftOf("a", 2));
      const { epoch } = log;
      assert.match(epoch, /^[a-z0-9]{1,16}$/);
      const isKnown = async (offset: number): Promise<boolean> =>
        log.knows({ epoch, offset }) && (await log.read({ after: offset, channels: ALL, limit: 1 })).end >= offset;
      assert.deepEqual(await Promise.all([0, 1, 2, 3, 2 ** 40].map((offset) => isKnown(offset))), [
        true,
        true,
        true,
        false,
        false,
      ]);
      assert.equal(log.knows({ epoch: "other", offset: 1 }), false);
      await using another = await open();
      assert.notEqual(another.epoch, epoch);
    });

    it("keeps as many messages as it may, and says of each channel how far it was dropped", async () => {
      await using log = await open({ messages: 3 });
      for (const [data, channel] of ["a", "quiet", "b.x", "a", "b.y", "a", "a"].entries())
        await log.append(draftOf(channel, data));
      await until("it kept three", () => log.size().messages === 3);
      assert.deepEqual(await everything(log), ["4", "5", "6"]);
      const dropped = async (...channels: string[]): Promise<number> =>
        (await log.read({ after: 0, channels: patternsOf(...channels), limit: 1 })).dropped;
      const asked = ["a", "quiet", "b.x", "b.y", "b.*", "none", "none.*", "*"];
      assert.deepEqual(await Promise.all(asked.map((pattern) => dropped(pattern))), [4, 2, 3, 0, 3, 0, 0, 4]);
      assert.equal(await dropped("quiet", "b.y", "none"), 2);
    });

    it("leaves nothing out in the middle of a page, whatever is dropped while it is read", async () => {
      const after = BEGINNING;
      await using log = await open({ messages: 6 });
      for (const [data, channel] of ["a", "b", "b", "b", "b", "a"].entries()) await log.append(draftOf(channel, data));
      const reading = Promise.all([1, 2, 3].map((limit) => log.read({ after, channels: patternsOf("a"), limit })));
      const more = Array.from({ length: 6 }, (_, index) => log.append(draftOf("a", 6 + index)));
      const [pages] = await Promise.all([reading, ...more]);
      for (const { messages, dropped } of pages) {
        const early = messages.filter(({ offset }) => offset <= dropped);
        assert.deepEqual(early, [], `what was dropped up to ${dropped} is partly on the page`);
      }
    });

    it("reads back to what it has dropped, and says that nothing older is kept", async () => {
      await using log = await open({ messages: 3 });
      for (const [data, channel] of ["a", "quiet", "b.x", "a", "b.y", "a", "a"].entries())
        await log.append(draftOf(channel, data));
      await until("it kept three", () => log.size().messages === 3);
      const recent = async (limit: number, ...channels: string[]): Promise<unknown> => {
        const page = await log.recent({ before: Infinity, channels: patternsOf(...channels), limit });
        return [page.messages.map(({ data }) => Number(data)), page.more];
      };
      assert.deepEqual(await recent(9, "*"), [[4, 5, 6], false]);
      assert.deepEqual(await recent(2, "*"), [[5, 6], true]);
      assert.deepEqual(await recent(2, "a"), [[5, 6], false]);
      assert.deepEqual(await recent(1, "a"), [[6], true]);
      assert.deepEqual(await recent(9, "b.*"), [[4], false]);
      assert.deepEqual(await recent(2, "a", "b.*"), [[5, 6], true]);
      assert.deepEqual(await recent(9, "quiet", "b.x"), [[], false]);
    });

    it("keeps no more bytes than it may", async () => {
      await using log = await open({ bytes: 1000 });
      for (let data = 0; data < 20; data++) await log.append(draftOf("a", "é".repeat(100)));
      await until("it kept few", () => log.size().bytes <= 1000);
      assert.deepEqual(
        [log.size().messages, log.size().bytes],
        [4, 4 * (202 + "message".length + "anyone".length + 1)],
      );
      assert.equal((await everything(log)).length, 4);
    });

    it("keeps a message no longer than it may, whether or not others come", async () => {
      let now = 1_000_000;
      await using log = await open({ age: 1000 }, () => now);
      await log.append(draftOf("a", 1, { key: "k" }));
      now += 600;
      await log.append(draftOf("b", 2));
      now += 500;
      await log.append(draftOf("b", 3));
      await until("the first is dropped", () => log.size().messages === 2);
      assert.deepEqual(await everything(log), ["2", "3"]);
      assert.equal((await log.append(draftOf("a", 4, { key: "k" }))).message.data, "4", "its key is forgotten with it");
      now += 10_000;
      await until("all are dropped", () => log.size().messages === 0);
      assert.deepEqual([await everything(log), log.size().bytes], [[], 0]);
      assert.equal((await log.append(draftOf("a", 5))).message.offset, 5);
    });

    it("[LOG-24] drops messages for their age whatever time the clock gave to one before them", async () => {
      const YEAR = 365 * 86_400_000;
      for (const wrong of [YEAR, -YEAR]) {
        let [now, elapsed] = [YEAR * 50 + wrong, 1000];
        await using log = await open(
          { age: 3000 },
          () => now,
          () => elapsed,
        );
        await log.append(draftOf("a", "while the clock was wrong"));
        now -= wrong;
        elapsed += 10;
        for (let data = 0; data < 5; data++) await log.append(draftOf("b", data));
        assert.ok((await everything(log)).length >= 5);
        now += 2500;
        elapsed += 2500;
        await log.append(draftOf("b", 5));
        now += 600;
        elapsed += 600;
        await until("the first are dropped", () => log.size().messages === 1);
        assert.deepEqual(await everything(log), ["5"]);
        now += 3000;
        elapsed += 3000;
        await until("all are dropped", () => log.size().messages === 0);
      }
    });

    it("[LOG-24] drops nothing for its age while the clock is ahead for a moment", async () => {
      const DAY = 86_400_000;
      let [now, elapsed] = [50 * 365 * DAY, 1000];
      await using log = await open(
        { age: 7 * DAY },
        () => now,
        () => elapsed,
      );
      await log.append(draftOf("a", "of today"));
      now += 30 * DAY;
      elapsed += 2500;
      await log.append(draftOf("a", "ahead"));
      await log.check();
      await log.append(draftOf("a", "ahead, too"));
      now -= 30 * DAY;
      await log.append(draftOf("a", "later"));
      await log.check();
      assert.deepEqual(await everything(log), ['"of today"', '"ahead"', '"ahead, too"', '"later"']);
      now += 6 * DAY;
      elapsed += 6 * DAY;
      await log.check();
      assert.equal(log.size().messages, 4);
      now += 1.1 * DAY;
      elapsed += 1.1 * DAY;
      await until("all are dropped", () => log.size().messages === 0);
    });

    it("may keep nothing at all, and still delivers", async () => {
      await using log = await open({ messages: 0 });
      const followed: unknown[] = [];
      await log.follow((messages) => void followed.push(...messages.map(({ data }) => data)));
      for (let data = 0; data < 3; data++) await log.append(draftOf("a", data));
      await until("nothing is kept", () => log.size().messages === 0);
      assert.deepEqual(followed, ["0", "1", "2"]);
      const page = await log.read({ after: 0, channels: ALL, limit: 9 });
      assert.deepEqual(page, { messages: [], end: 3, dropped: 3 } satisfies LogPage);
      const recent = await log.recent({ before: Infinity, channels: ALL, limit: 9 });
      assert.deepEqual(recent, { messages: [], more: false } satisfies RecentPage);
    });

    it("lists the channels that hold or held messages, by name, in pages", async () => {
      let now = 0;
      await using log = await open({ messages: 4 }, () => now);
      for (const channel of ["b.z", "a", "b.x", "b", "b.x.y", "b.x"]) {
        now++;
        await log.append(draftOf(channel, 1));
      }
      await until("it kept four", () => log.size().messages === 4);
      const list = (pattern: string, limit = 9, after?: string): string[] =>
        log
          .channels({
            pattern: patternsOf(pattern)[0] as ChannelPattern,
            limit,
            ...(after === undefined ? {} : { after }),
          })
          .map(({ channel, kept, last, time }) => `${channel} ${kept} ${last} ${time}`);
      assert.deepEqual(list("*"), ["a 0 2 2", "b 1 4 4", "b.x 2 6 6", "b.x.y 1 5 5", "b.z 0 1 1"]);
      assert.deepEqual(list("b.*"), ["b.x 2 6 6", "b.x.y 1 5 5", "b.z 0 1 1"]);
      assert.deepEqual(list("b.x.*"), ["b.x.y 1 5 5"]);
      assert.deepEqual(list("b"), ["b 1 4 4"]);
      assert.deepEqual(list("none"), []);
      assert.deepEqual(list("*", 2), ["a 0 2 2", "b 1 4 4"]);
      assert.deepEqual(list("*", 2, "b"), ["b.x 2 6 6", "b.x.y 1 5 5"]);
      assert.deepEqual(list("b.*", 9, "b.x"), ["b.x.y 1 5 5", "b.z 0 1 1"]);
      assert.deepEqual(list("b.*", 9, "a"), ["b.x 2 6 6", "b.x.y 1 5 5", "b.z 0 1 1"]);
      assert.deepEqual(list("b.*", 9, "zzz"), []);
      assert.deepEqual(list("b", 9, "b"), []);
    });

    it("reads as a filter would when a pattern covers more channels than it looks into one by one", async () => {
      await using log = await open();
      const kept: Message[] = [];
      await log.follow((messages) => void kept.push(...messages));
      const count = 2100;
      for (let data = 0; data < count * 2; data++)
        void log.append(draftOf(data % 7 === 0 ? "other" : `m.${(data * 31) % count}`, data));
      await log.append(draftOf("m.1", "last"));
      for (const channels of [patternsOf("m.*"), patternsOf("m.1", "other", "m.*")]) {
        const wanted = kept.filter((message) => isCovered(channels, message)).map(({ offset }) => offset);
        const read = await readAll(log, channels, 1000, 700);
        assert.deepEqual(
          read.map(({ offset }) => offset),
          wanted.filter((offset) => offset > 1000),
        );
        const back = await readBack(log, channels, 2000, 900);
        assert.deepEqual(
          back.map(({ offset }) => offset),
          wanted.filter((offset) => offset < 2000),
        );
      }
    });

    it("knows no more channels than it may: those that ran empty first make room, others do not", async () => {
      await using log = await open({ messages: 2, channels: 3 });
      const names = (): string[] =>
        log.channels({ pattern: ALL[0] as ChannelPattern, limit: 9 }).map(({ channel }) => channel);
      const append = async (channel: string, kept = 2): Promise<number> => {
        const { message } = await log.append(draftOf(channel, 1));
        await until("retention is done", () => log.size().messages === kept);
        return message.offset;
      };
      await append("c", 1);
      for (const channel of ["b", "a"]) await append(channel);
      assert.deepEqual(names(), ["a", "b", "c"]);
      await append("d");
      assert.deepEqual(names(), ["a", "b", "d"], "c was empty");
      await append("a");
      await append("c");
      assert.deepEqual(names(), ["a", "c", "d"], "b ran empty, and then d");
      await append("a");
      await append("a");
      await Promise.all([append("x"), append("y")]);
      assert.deepEqual(names(), ["a", "x", "y"]);
      assert.equal(log.size().channels, 3);
      const full = (error: unknown): boolean =>
        error instanceof HubError && error.code === "OVERLOADED" && error.message.includes("MAX_CHANNELS");
      await append("x");
      await append("a");
      await append("y");
      const crowded = await open({ channels: 1 });
      await using _ = crowded;
      await crowded.append(draftOf("a", 1));
      await assert.rejects(crowded.append(draftOf("b", 1)), full);
      await crowded.append(draftOf("a", 2));
      assert.deepEqual(await everything(crowded), ["1", "2"]);
    });

    it("keeps nothing on a channel after what it refused there, if both were appended together", async () => {
      await using log = await open({ messages: 200, channels: 2 });
      await log.append(draftOf("old", 0));
      // Retention empties the first channel while they are written, so there is room for another one later on.
      const all = Array.from({ length: 1000 }, (_, index) => draftOf(index % 250 === 249 ? "new" : "a", index));
      const outcomes = (await log.appendAll(all)).filter((_, index) => all[index]?.channel === "new");
      const first = outcomes.findIndex((outcome) => outcome instanceof HubError);
      assert.equal(first, 0);
      assert.ok(outcomes.every((outcome) => outcome instanceof HubError && outcome.code === "OVERLOADED"));
      await until("retention is done", () => log.size().messages <= 200);
      await log.append(draftOf("new", "later"));
    });

    it("[LOG-20] tells what was dropped from a channel that made room, also when the channel is back", async () => {
      await using log = await open({ messages: 1, channels: 2 });
      const append = async (channel: string): Promise<number> => {
        const { message } = await log.append(draftOf(channel, 1));
        await until("retention is done", () => log.size().messages === 1);
        return message.offset;
      };
      const lost = async (after: number, ...channels: string[]): Promise<boolean> =>
        hasGap(await log.read({ after, channels: patternsOf(...channels), limit: 9 }), after);
      await append("old.a");
      const start = await append("old.a");
      assert.equal(await append("b"), 3);
      assert.equal(await append("b"), 4);
      // old.a holds nothing and makes room.
      await append("c");
      const there = log.channels({ pattern: ALL[0] as ChannelPattern, limit: 9 }).map(({ channel }) => channel);
      assert.deepEqual(there, ["b", "c"]);
      assert.deepEqual(
        [await lost(1, "old.a"), await lost(1, "old.*"), await lost(1, "*"), await lost(1, "c")],
        [true, true, true, false],
      );
      assert.equal(await lost(start, "old.a"), false, "it lost nothing after its last message");
      await append("old.a");
      assert.deepEqual([await lost(1, "old.a"), await lost(start, "old.a")], [true, false]);
    });

    it("counts what it keeps: after any work, sizes, channels and pages agree with what was appended", async () => {
      const work = fc.array(fc.tuple(fc.nat(6), fc.nat(30), fc.nat(9)), { minLength: 1, maxLength: 80 });
      await fc.assert(
        fc.asyncProperty(
          work,
          fc.integer({ min: 1, max: 40 }),
          fc.integer({ min: 100, max: 2000 }),
          async (steps, messages, bytes) => {
            await using log = await open({ messages, bytes });
            const kept: Message[] = [];
            await log.follow((followed) => void kept.push(...followed.filter(({ ephemeral }) => !ephemeral)));
            const appended = steps.map(async ([channel, size, kind]) => {
              const more = kind === 0 ? { ephemeral: true } : kind === 1 ? { key: `k${size % 3}` } : {};
              await log.append(draftOf(CHANNELS[channel] ?? "a", "é".repeat(size), more));
            });
            await Promise.all(appended);
            await until("it has dropped enough", () => log.size().messages <= messages && log.size().bytes <= bytes);
            const size = log.size();
            const left = kept.slice(kept.length - size.messages);
            assert.equal(
              size.bytes,
              left.reduce((sum, message) => sum + cost(message), 0),
            );
            const before = kept.at(-size.messages - 1);
            if (before !== undefined)
              assert.ok(size.messages === messages || size.bytes + cost(before) > bytes, "it dropped too much");
            assert.deepEqual(
              (await readAll(log, ALL, BEGINNING, 7)).map(({ offset }) => offset),
              left.map(({ offset }) => offset),
            );
            assert.deepEqual(
              (await readBack(log, ALL, Infinity, 7)).map(({ offset }) => offset),
              left.map(({ offset }) => offset),
            );
            const channels = log.channels({ pattern: ALL[0] as ChannelPattern, limit: 99 });
            assert.equal(size.channels, channels.length);
            for (const { channel, kept: count, last } of channels) {
              const there = kept.filter((message) => message.channel === channel);
              assert.equal(count, left.filter((message) => message.channel === channel).length);
              assert.equal(last, there.at(-1)?.offset);
              const page = await log.read({ after: 0, channels: [channel], limit: 1 });
              const gone = there.filter((message) => message.offset < (left[0]?.offset ?? Infinity));
              assert.equal(page.dropped, gone.at(-1)?.offset ?? 0, channel);
            }
          },
        ),
        { numRuns: 40 },
      );
    });

    it("[LOG-31] purges a channel: nothing of it is read, others stay, and no offset comes twice", async () => {
      await using log = await open();
      for (const [data, channel] of ["a", "b", "a", "b.x", "a"].entries()) await log.append(draftOf(channel, data));
      assert.equal(await log.purge(channelName("a"), 3), 2);
      assert.deepEqual(await everything(log), ["1", "3", "4"]);
      assert.equal(await log.purge(channelName("a"), 5), 1);
      assert.equal(await log.purge(channelName("a"), 5), 0);
      assert.equal(await log.purge(channelName("none"), 5), 0);
      assert.deepEqual(await everything(log), ["1", "3"]);
      assert.deepEqual([log.size().messages, log.size().channels], [2, 3]);
      const [state] = log.channels({ pattern: patternsOf("a")[0] as ChannelPattern, limit: 1 });
      assert.deepEqual([state?.kept, state?.last], [0, 5]);
      const dropped = async (...channels: string[]): Promise<number> =>
        (await log.read({ after: 0, channels: patternsOf(...channels), limit: 9 })).dropped;
      assert.deepEqual(await Promise.all(["a", "b", "b.*", "*"].map((pattern) => dropped(pattern))), [5, 0, 0, 5]);
      assert.equal((await log.append(draftOf("a", "new"))).message.offset, 6);
      const back = await log.recent({ before: Infinity, channels: ALL, limit: 9 });
      assert.deepEqual(
        back.messages.map(({ offset }) => offset),
        [2, 4, 6],
      );
    });

    it("[LOG-31] forgets the keys of what it purges, and still drops what is old or too much", async () => {
      await using log = await open({ messages: 4 });
      await log.append(draftOf("a", 1, { key: "k" }));
      await log.append(draftOf("b", 2));
      await log.purge(channelName("a"), 2);
      const again = await log.append(draftOf("a", 3, { key: "k" }));
      assert.deepEqual([again.repeated, again.message.offset], [false, 3]);
      for (let data = 4; data <= 7; data++) await log.append(draftOf("b", data));
      await until("it kept four", () => log.size().messages === 4);
      assert.deepEqual(await everything(log), ["4", "5", "6", "7"]);
    });

    it("[LOG-31] purges more than one step takes, while others publish and read", async () => {
      await using log = await open();
      const drafts = Array.from({ length: 3000 }, (_, data) => draftOf(data % 3 === 0 ? "b" : "a", data));
      await log.appendAll(drafts);
      const purging = log.purge(channelName("a"), 3000);
      const reading = log.read({ after: BEGINNING, channels: ALL, limit: 3000 });
      await log.append(draftOf("a", "later"));
      assert.equal(await purging, 2000);
      const { messages } = await reading;
      const offsets = messages.map(({ offset }) => offset);
      assert.deepEqual(
        offsets,
        offsets.toSorted((one, other) => one - other),
      );
      assert.equal(log.size().messages, 1001);
      const left = await log.read({ after: BEGINNING, channels: patternsOf("a"), limit: 10 });
      assert.deepEqual(
        left.messages.map(({ data }) => data),
        [JSON.stringify("later")],
      );
    });

    it("can be checked, which leaves nothing", async () => {
      await using log = await open();
      const followed: Message[] = [];
      await log.follow((messages) => void followed.push(...messages));
      await Promise.all([log.check(), log.append(draftOf("a", 1)), log.check()]);
      assert.deepEqual([followed.length, log.size().messages], [1, 1]);
    });

    it("finishes what was appended when it closes, then takes nothing more", async () => {
      await using log = await open();
      const followed: unknown[] = [];
      await log.follow((messages) => void followed.push(...messages.map(({ data }) => data)));
      const appended = [log.append(draftOf("a", 1)), log.append(draftOf("a", 2))];
      const closing = [log.close(), log.close()];
      await Promise.all(closing);
      assert.deepEqual(
        (await Promise.all(appended)).map(({ message }) => message.offset),
        [1, 2],
      );
      assert.deepEqual(followed, ["1", "2"]);
      const retry = (error: unknown): boolean => error instanceof HubError && error.retry;
      await assert.rejects(log.append(draftOf("a", 3)), retry);
      await assert.rejects(log.check(), retry);
      await log.close();
    });

    it("refuses more than it can hold waiting, and goes on", async () => {
      await using log = await open();
      const results = await Promise.allSettled(
        Array.from({ length: 20_001 }, (_, data) => log.append(draftOf("a", data))),
      );
      const refused = results.filter((result) => result.status === "rejected");
      assert.deepEqual(
        refused.map(({ reason }) => (reason as HubError).code),
        ["OVERLOADED"],
      );
      assert.equal((await log.append(draftOf("a", "more"))).message.offset, 20_001);
    });
  });
}

/** Every page from a place on; each must keep to what the port promises of a page. */
export async function readAll(
  log: Pick<Log, "read">,
  channels: readonly ChannelPattern[],
  from: number,
  limit: number,
): Promise<Message[]> {
  const found: Message[] = [];
  for (let after = from; ;) {
    const { messages, end } = await log.read({ after, channels, limit });
    assert.ok(messages.length <= limit);
    for (const { offset } of messages) {
      assert.ok(
        offset > Math.max(after, found.at(-1)?.offset ?? after) && offset <= end,
        `${offset} in a page ${after}–${end}`,
      );
      found.push(messages.find((message) => message.offset === offset) as Message);
    }
    if (end <= after) return found;
    after = end;
  }
}

/** Every page from a place back to the first, in order; each must keep to what the port promises of a page. */
async function searchAll(
  log: Log,
  head: number,
  { query, channels, before, limit }: Omit<SearchRequest, "field" | "before"> & { readonly before: number | undefined },
): Promise<readonly Message[]> {
  const found: Message[] = [];
  let place = before === undefined ? undefined : cursorAt(log, before);
  for (;;) {
    const page = await searchLog(log, head, { query, field: "q", channels, before: place, limit });
    assert.ok(page.messages.length <= limit);
    found.push(...page.messages);
    if (page.earlier === undefined) return found;
    place = page.earlier;
  }
}

export async function readBack(
  log: Pick<Log, "recent">,
  channels: readonly ChannelPattern[],
  from: number,
  limit: number,
): Promise<Message[]> {
  const pages: (readonly Message[])[] = [];
  for (let before = from; ;) {
    const { messages, more } = await log.recent({ before, channels, limit });
    assert.ok(messages.length <= limit);
    for (const [index, { offset }] of messages.entries()) {
      assert.ok(offset < (messages[index + 1]?.offset ?? before), `${offset} in a page before ${before}`);
    }
    pages.unshift(messages);
    if (!more) return pages.flat();
    assert.ok(messages.length > 0, "a page with more in front of it is not empty");
    before = messages[0]?.offset ?? 0;
  }
}

export function isCovered(channels: readonly ChannelPattern[], { channel }: Message): boolean {
  return channels.some((pattern) => covers(pattern, channelName(channel)));
}

async function everything(log: Log): Promise<string[]> {
  return (await readAll(log, ALL, BEGINNING, 100)).map(({ data }) => data);
}

function cost({ data, event, sender, channel }: Draft): number {
  return Buffer.byteLength(data) + event.length + sender.length + channel.length;
}

function withoutKey(message: Message): object {
  return { ...message, key: undefined };
}

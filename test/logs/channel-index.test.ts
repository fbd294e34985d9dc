import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName } from "../../src/core/channel.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { ChannelIndex, type ChannelEntry } from "../../src/logs/channel-index.ts";
import { patternsOf } from "../support/sample.ts";

const ALL = patternsOf("*");

function put(directory: ChannelIndex, name: string, more: Partial<ChannelEntry> = {}): ChannelEntry {
  const channel = channelName(name);
  const entry = directory.find(channel) ?? directory.fresh(channel);
  directory.put({ ...entry, ...more });
  return { ...entry, ...more };
}

describe("a channel directory", () => {
  it("numbers channels, finds them by name and number, and keeps the newest of each", () => {
    const directory = new ChannelIndex();
    const ids = ["b", "a", "c"].map((name) => put(directory, name).id);
    assert.deepEqual(ids, [1, 2, 3]);
    put(directory, "a", { kept: 5 });
    assert.equal(directory.size, 3);
    assert.equal(directory.find(channelName("a"))?.kept, 5);
    assert.equal(directory.byId(2)?.kept, 5);
    assert.equal(directory.find(channelName("d")), undefined);
  });

  it("is full with as many channels as its limit, and says which setting raises it", () => {
    const directory = new ChannelIndex(0, 2);
    put(directory, "a", { kept: 1 });
    assert.equal(directory.full(), undefined);
    assert.ok(directory.full(1) instanceof HubError);
    put(directory, "b", { kept: 1 });
    const full = directory.full();
    assert.deepEqual(
      [full?.code, full?.message],
      [
        "OVERLOADED",
        "2 channels hold messages, as many as MAX_CHANNELS allows; publish to one of them, or raise MAX_CHANNELS",
      ],
    );
  });

  it("forgets channels, and what they dropped then counts for those that are not there, not for those that are", () => {
    const directory = new ChannelIndex();
    for (let number = 0; number < 7; number++)
      put(directory, `c.${number}`, { kept: number % 2, last: number + 1, dropped: number });
    const empty = [...directory.empty()];
    assert.deepEqual(
      empty.map(({ channel }) => channel),
      ["c.0", "c.2", "c.4", "c.6"],
    );
    assert.equal(directory.dropped(patternsOf("other")), 0);
    for (const entry of empty) directory.forget(entry);
    assert.deepEqual([directory.size, directory.floor, [...directory.empty()]], [3, 6, []]);
    assert.deepEqual(
      ["other", "c.4", "c.1", "c.5", "c.*", "d.*", "*"].map((text) => directory.dropped(patternsOf(text))),
      [6, 6, 1, 5, 6, 6, 6],
    );
    assert.deepEqual(
      directory.list({ pattern: ALL[0] as ChannelPattern, limit: 9 }).map(({ channel }) => channel),
      ["c.1", "c.3", "c.5"],
    );
    assert.equal(put(directory, "c.4", { kept: 1 }).id, 8, "a number is not used again");
    assert.equal(directory.dropped(patternsOf("c.4")), 6, "it may have dropped as much before");
  });

  it("makes room in the order in which channels ran empty, whether or not they were filled again since", () => {
    const directory = new ChannelIndex();
    for (const name of ["a", "b", "c"]) put(directory, name, { kept: 1 });
    for (const name of ["b", "a", "c"]) put(directory, name, { kept: 0 });
    put(directory, "b", { kept: 1 });
    assert.deepEqual(
      [...directory.empty()].map(({ channel }) => channel),
      ["a", "c"],
    );
    put(directory, "b", { kept: 0 });
    assert.deepEqual(
      [...directory.empty()].map(({ channel }) => channel),
      ["a", "c", "b"],
    );
  });

  it("begins with what was dropped from channels that a run before forgot", () => {
    const directory = new ChannelIndex(7);
    put(directory, "a", { dropped: 3 });
    assert.deepEqual(
      ["a", "b", "b.*", "*"].map((text) => directory.dropped(patternsOf(text))),
      [3, 7, 7, 7],
    );
    put(directory, "a", { dropped: 9 });
    assert.deepEqual(
      [directory.dropped(patternsOf("a")), directory.dropped(patternsOf("b")), directory.dropped(ALL)],
      [9, 7, 9],
    );
  });

  it("names the channels that have something behind an offset, each once", () => {
    const directory = new ChannelIndex();
    for (const [name, kept, last] of [
      ["a.x", 1, 5],
      ["a.y", 0, 9],
      ["a.z", 2, 3],
      ["ab", 1, 9],
      ["a", 1, 9],
    ] as const)
      put(directory, name, { kept, last });
    const behind = (after: number, ...patterns: string[]): string[] =>
      directory.behind(patternsOf(...patterns), after).map(({ channel }) => channel);
    assert.deepEqual(behind(0, "a.*"), ["a.x", "a.z"]);
    assert.deepEqual(behind(3, "a.*", "a.x"), ["a.x"]);
    assert.deepEqual(behind(5, "a.*"), []);
    assert.deepEqual(behind(0, "a", "ab", "a.z"), ["a", "a.z", "ab"]);
    const two = directory.behind(ALL, 0, 2);
    assert.deepEqual(
      two.map(({ channel }) => channel),
      ["a", "a.x"],
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName, type ChannelPattern } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { ChannelDirectory, type ChannelEntry } from "../../src/logs/directory.ts";
import { patternsOf } from "../support/sample.ts";

const ALL = patternsOf("*");

function put(directory: ChannelDirectory, name: string, more: Partial<ChannelEntry> = {}): ChannelEntry {
  const channel = channelName(name);
  const entry = directory.find(channel) ?? directory.fresh(channel);
  assert.ok(!(entry instanceof HubError));
  directory.put({ ...entry, ...more });
  return { ...entry, ...more };
}

describe("a channel directory", () => {
  it("numbers channels, finds them by name and number, and keeps the newest of each", () => {
    const directory = new ChannelDirectory();
    const ids = ["b", "a", "c"].map((name) => put(directory, name).id);
    assert.deepEqual(ids, [1, 2, 3]);
    put(directory, "a", { kept: 5 });
    assert.equal(directory.size, 3);
    assert.equal(directory.find(channelName("a"))?.kept, 5);
    assert.equal(directory.byId(2)?.kept, 5);
    assert.equal(directory.find(channelName("d")), undefined);
  });

  it("takes no more channels than its limit, and says what to do", () => {
    const directory = new ChannelDirectory(0, 2);
    put(directory, "a", { kept: 1 });
    put(directory, "b", { kept: 1 });
    const refused = directory.fresh(channelName("c"));
    assert.ok(refused instanceof HubError);
    assert.deepEqual(
      [refused.code, refused.message],
      ["OVERLOADED", "The log keeps messages of 2 channels, its limit; use one of those"],
    );
    assert.ok(new ChannelDirectory(0, 3).fresh(channelName("c"), 3) instanceof HubError);
  });

  it("can forget channels that hold nothing when room runs out; what they dropped then counts for all", () => {
    const directory = new ChannelDirectory(0, 8);
    for (let number = 0; number < 6; number++)
      put(directory, `c.${number}`, { kept: number % 2, last: number + 1, dropped: number });
    assert.deepEqual(directory.forgettable(), []);
    put(directory, "c.6", { kept: 1 });
    const forgettable = directory.forgettable();
    assert.deepEqual(
      forgettable.map(({ channel }) => channel),
      ["c.0", "c.2", "c.4"],
    );
    assert.equal(directory.dropped(patternsOf("other")), 0);
    directory.forget(forgettable);
    assert.deepEqual([directory.size, directory.floor], [4, 4]);
    assert.deepEqual(
      ["other", "c.4", "c.1", "c.5", "c.*", "*"].map((text) => directory.dropped(patternsOf(text))),
      [4, 4, 4, 5, 5, 5],
    );
    assert.deepEqual(
      directory.list({ pattern: ALL[0] as ChannelPattern, limit: 9 }).map(({ channel }) => channel),
      ["c.1", "c.3", "c.5", "c.6"],
    );
    assert.equal(put(directory, "c.4").id, 8, "a number is not used again");
  });

  it("begins with what was dropped from channels that a run before forgot", () => {
    const directory = new ChannelDirectory(7);
    put(directory, "a", { dropped: 3 });
    assert.deepEqual([directory.dropped(patternsOf("a")), directory.dropped(ALL)], [7, 7]);
    put(directory, "a", { dropped: 9 });
    assert.deepEqual(
      [directory.dropped(patternsOf("a")), directory.dropped(patternsOf("b")), directory.dropped(ALL)],
      [9, 7, 9],
    );
  });

  it("names the channels that have something behind an offset, each once", () => {
    const directory = new ChannelDirectory();
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
    assert.deepEqual(behind(0, "a", "ab", "a.z"), ["a", "ab", "a.z"]);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LiveReader } from "../../src/core/reader-group.ts";
import { channelName } from "../../src/core/channel.ts";
import { EVERYTHING } from "../../src/protocol/channel.ts";
import { SubscriptionIndex } from "../../src/core/subscription-index.ts";
import { patternsOf } from "../support/sample.ts";
import { testFormat, TestSink } from "../support/test-sink.ts";

const format = testFormat();

describe("the index of subscriptions", () => {
  it("holds one group for the same channels in the same format, whatever their order", () => {
    const index = new SubscriptionIndex();
    const group = index.group(patternsOf("b", "a.*"), format);
    assert.equal(index.group(patternsOf("a.*", "b"), format), group);
    assert.notEqual(index.group(patternsOf("a.*", "b"), testFormat()), group);
    assert.notEqual(index.group(patternsOf("a.*"), format), group);
  });

  it("leads to each group that a channel reaches, and counts its members once", () => {
    const index = new SubscriptionIndex();
    const some = index.group(patternsOf("a.b", "a.*", "*"), format);
    const other = index.group(patternsOf("a.c"), format);
    some.add(member());
    some.add(member());
    other.add(member());
    assert.deepEqual(
      ["a.b", "a.c", "z"].map((channel) => index.readers(channelName(channel))),
      [2, 3, 2],
    );
  });

  it("keeps nothing of those who left", () => {
    const index = new SubscriptionIndex();
    const [first, second] = [member(), member()];
    const group = index.group(patternsOf("a", "b.*"), format);
    group.add(first);
    group.add(second);
    index.remove(group, first);
    assert.deepEqual([...index.channels(EVERYTHING)], ["a"]);
    index.remove(group, second);
    index.remove(group, second);
    assert.deepEqual([...index.channels(EVERYTHING)], []);
    assert.equal(index.readers(channelName("a")), 0);
    assert.notEqual(index.group(patternsOf("a", "b.*"), format), group);
  });
});

function member(): LiveReader {
  const place = { given: 0, told: 0, lag: undefined, group: undefined };
  return { sink: new TestSink(format), channels: [], watches: false, pending: 0, cut: () => {}, ...place };
}

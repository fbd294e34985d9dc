import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupMember } from "../../src/core/reader-group.ts";
import { channelName } from "../../src/core/channel.ts";
import { EVERYTHING } from "../../src/protocol/channel.ts";
import { SubscriptionIndex } from "../../src/core/subscription-index.ts";
import { patternsOf } from "../support/sample.ts";
import { testFormat, TestSink } from "../support/test-sink.ts";

const format = testFormat();

describe("routes", () => {
  it("hold one group for the same channels in the same format, whatever their order", () => {
    const routes = new SubscriptionIndex();
    const group = routes.group(patternsOf("b", "a.*"), format);
    assert.equal(routes.group(patternsOf("a.*", "b"), format), group);
    assert.notEqual(routes.group(patternsOf("a.*", "b"), testFormat()), group);
    assert.notEqual(routes.group(patternsOf("a.*"), format), group);
  });

  it("lead to each group that a channel reaches, and count its members once", () => {
    const routes = new SubscriptionIndex();
    const some = routes.group(patternsOf("a.b", "a.*", "*"), format);
    const other = routes.group(patternsOf("a.c"), format);
    some.add(member());
    some.add(member());
    other.add(member());
    assert.deepEqual(
      ["a.b", "a.c", "z"].map((channel) => routes.readers(channelName(channel))),
      [2, 3, 2],
    );
  });

  it("keep nothing of those who left", () => {
    const routes = new SubscriptionIndex();
    const [first, second] = [member(), member()];
    const group = routes.group(patternsOf("a", "b.*"), format);
    group.add(first);
    group.add(second);
    routes.remove(group, first);
    assert.deepEqual([...routes.channels(EVERYTHING)], ["a"]);
    routes.remove(group, second);
    routes.remove(group, second);
    assert.deepEqual([...routes.channels(EVERYTHING)], []);
    assert.equal(routes.readers(channelName("a")), 0);
    assert.notEqual(routes.group(patternsOf("a", "b.*"), format), group);
  });
});

function member(): GroupMember {
  return { sink: new TestSink(format), given: 0, lag: undefined, pending: 0, cut: () => {} };
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Member } from "../../src/core/reader-group.ts";
import { channelName } from "../../src/core/channel.ts";
import { EVERYTHING } from "../../src/protocol/channel.ts";
import { Routes } from "../../src/core/subscription-index.ts";
import { patternsOf } from "../support/sample.ts";
import { testFormat, TestSink } from "../support/test-sink.ts";

const format = testFormat();

describe("routes", () => {
  it("hold one audience for the same channels in the same format, whatever their order", () => {
    const routes = new Routes();
    const audience = routes.audience(patternsOf("b", "a.*"), format);
    assert.equal(routes.audience(patternsOf("a.*", "b"), format), audience);
    assert.notEqual(routes.audience(patternsOf("a.*", "b"), testFormat()), audience);
    assert.notEqual(routes.audience(patternsOf("a.*"), format), audience);
  });

  it("lead to each audience that a channel reaches, and count its members once", () => {
    const routes = new Routes();
    const some = routes.audience(patternsOf("a.b", "a.*", "*"), format);
    const other = routes.audience(patternsOf("a.c"), format);
    some.join(member());
    some.join(member());
    other.join(member());
    assert.deepEqual(
      ["a.b", "a.c", "z"].map((channel) => routes.readers(channelName(channel))),
      [2, 3, 2],
    );
  });

  it("keep nothing of those who left", () => {
    const routes = new Routes();
    const [first, second] = [member(), member()];
    const audience = routes.audience(patternsOf("a", "b.*"), format);
    audience.join(first);
    audience.join(second);
    routes.leave(audience, first);
    assert.deepEqual([...routes.channels(EVERYTHING)], ["a"]);
    routes.leave(audience, second);
    routes.leave(audience, second);
    assert.deepEqual([...routes.channels(EVERYTHING)], []);
    assert.equal(routes.readers(channelName("a")), 0);
    assert.notEqual(routes.audience(patternsOf("a", "b.*"), format), audience);
  });
});

function member(): Member {
  return { sink: new TestSink(format), given: 0, lag: undefined, pending: 0, cut: () => {} };
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { channelName, channelPattern } from "../../src/core/channel.ts";
import {
  covers,
  isCovered,
  AUDIT_CHANNEL,
  LOGS_CHANNEL,
  patternsOver,
  serverChannel,
  STATS_CHANNEL,
  uncovered,
} from "../../src/protocol/channel.ts";
import { HubError } from "../../src/core/errors.ts";

const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,6}$/);
const name = fc
  .array(word, { minLength: 1, maxLength: 5 })
  .map((words) => words.join("."))
  .filter((text) => !/^hub(\.|$)/.test(text));
const pattern = fc.oneof(
  name,
  name.map((text) => `${text}.*`),
  fc.constant("*"),
);

function refusal(call: () => unknown): HubError {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof HubError);
    return error;
  }
  throw new Error("it was not refused");
}

describe("a channel name", () => {
  it("is words of letters, digits, _ and - joined by dots", () => {
    for (const text of [
      "default",
      "orders.eu",
      "a",
      "0",
      "-",
      "_",
      "A-b_c.9.x",
      "hubs",
      "hub-1",
      "HUB.x",
      "a".repeat(128),
    ]) {
      assert.equal(channelName(text), text);
    }
  });

  it("[NAME-1] is refused with the rule it breaks and what would be right", () => {
    const rules: [string, RegExp][] = [
      ["", /it is empty; use words joined by dots, such as orders\.eu$/],
      ["a".repeat(129), /it has 129 characters; at most 128 are allowed$/],
      ["a b", /use words of letters, digits, _ and - joined by dots/],
      ["a..b", /joined by dots/],
      [".a", /joined by dots/],
      ["a.", /joined by dots/],
      ["ä", /joined by dots/],
      ["a\n", /joined by dots/],
      ["a\0", /joined by dots/],
      ["a\u2028b", /joined by dots/],
      ["a/b", /joined by dots/],
      ["orders.*", /joined by dots/],
      ["*", /joined by dots/],
      ["hub", /reserved for the server's own messages; use another first word$/],
      ["hub.probe", /reserved/],
    ];
    for (const [text, rule] of rules) {
      const error = refusal(() => channelName(text));
      assert.equal(error.code, "INVALID_CHANNEL", JSON.stringify(text));
      assert.match(error.message, rule, JSON.stringify(text));
      assert.ok(error.message.length < 220, error.message);
    }
  });

  it("is not echoed whole where it is long", () => {
    const error = refusal(() => channelName("x".repeat(1_000_000)));
    assert.match(error.message, /^Not a channel: "x{32}…": it has 1000000 characters; at most 128 are allowed$/);
  });
});

describe("a pattern", () => {
  it("is a channel, a prefix that ends in a dot and a star, or a star", () => {
    for (const text of ["orders.eu", "orders.*", "a.b.c.*", "*", `${"a".repeat(126)}.*`]) {
      assert.equal(channelPattern(text), text);
    }
  });

  it("[NAME-4] is refused with the rule it breaks", () => {
    const rules: [string, RegExp][] = [
      ["", /it is empty/],
      ["a*", /\* stands alone or ends a pattern after a dot, such as orders\.\*$/],
      ["*.a", /\* stands alone/],
      ["a.*.b", /\* stands alone/],
      ["**", /\* stands alone/],
      [".*", /\* stands alone/],
      ["a b", /joined by dots/],
      [`${"a".repeat(127)}.*`, /\*|129 characters/],
      ["hub.*", /reserved|\*/],
      ["hub", /reserved/],
    ];
    for (const [text, rule] of rules) {
      const error = refusal(() => channelPattern(text));
      assert.equal(error.code, "INVALID_PATTERN", text);
      assert.match(error.message, rule, text);
    }
  });

  it("that is right but for its length or its first word is told so", () => {
    assert.match(refusal(() => channelPattern(`${"a".repeat(127)}.*`)).message, /129 characters; at most 128/);
    assert.match(refusal(() => channelPattern("hub.*")).message, /reserved/);
  });

  it("covers its own channel, or those under its prefix, or all", () => {
    const of = channelPattern;
    assert.ok(covers(of("orders.eu"), of("orders.eu")));
    assert.ok(covers(of("orders.*"), of("orders.eu")));
    assert.ok(covers(of("orders.*"), of("orders.eu.de")));
    assert.ok(covers(of("orders.*"), of("orders.eu.*")));
    assert.ok(covers(of("*"), of("orders.*")));
    assert.ok(!covers(of("orders.*"), of("orders")));
    assert.ok(!covers(of("orders.*"), of("ordersx.eu")));
    assert.ok(!covers(of("orders.eu"), of("orders.eu.de")));
    assert.ok(!covers(of("orders.eu.*"), of("orders.*")));
    assert.ok(!covers(of("orders.*"), of("*")));
  });

  it("[NAME-3] covers exactly the channels whose patterns include it", () => {
    fc.assert(
      fc.property(pattern, name, (text, channel) => {
        const outer = channelPattern(text);
        assert.equal(covers(outer, channelName(channel)), patternsOver(channelName(channel)).includes(outer));
      }),
    );
  });

  it("covers another exactly when it covers all that the other covers", () => {
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        const [outer, inner] = [channelPattern(one), channelPattern(other)];
        // No word of `outer` is this long, so only a prefix of it can cover a channel with such a word.
        const some = inner === "*" ? "zzzzzzz" : inner.replace("*", "zzzzzzz");
        assert.equal(covers(outer, inner), covers(outer, channelName(some)));
      }),
    );
  });

  it("lists each pattern over a channel once", () => {
    assert.deepEqual(patternsOver(channelName("a")), ["a", "*"]);
    assert.deepEqual(patternsOver(channelName("a.b.c")), ["a.b.c", "*", "a.*", "a.b.*"]);
  });

  it("[NAME-5] of the server's own channels is their exact name alone: * does not cover them", () => {
    for (const own of [STATS_CHANNEL, LOGS_CHANNEL, AUDIT_CHANNEL]) {
      assert.equal(channelPattern(own), own);
      assert.ok(!covers(channelPattern("*"), own));
      assert.ok(!patternsOver(own).includes(channelPattern("*")));
      assert.equal(refusal(() => channelName(own)).code, "INVALID_CHANNEL");
    }
    assert.match(
      refusal(() => channelPattern("hub.*")).message,
      /to read there are hub\.stats, hub\.logs, hub\.audit, hub\.hooks, hub\.bridges and hub\.presence$/,
    );
  });
});

describe("a server channel", () => {
  it("[NAME-2] cannot be named from outside", () => {
    assert.equal(serverChannel("probe"), "hub.probe");
    assert.equal(refusal(() => channelName(serverChannel("probe"))).code, "INVALID_CHANNEL");
    assert.equal(refusal(() => channelPattern(serverChannel("probe"))).code, "INVALID_PATTERN");
  });
});

describe("several patterns", () => {
  it("need none of those that another of them covers", () => {
    const least = (...texts: string[]): string[] => [...uncovered(texts.map(channelPattern))];
    assert.deepEqual(least("a.b", "a.*", "a", "a", "b.c.*", "b.*", "a.*"), ["a", "a.*", "b.*"]);
    assert.deepEqual(least("orders.eu", "hub.logs", "*", "z.*", "hub.stats"), ["*", "hub.logs", "hub.stats"]);
    assert.deepEqual(least("a-b", "a.*", "a.b.*", "a0", "a"), ["a", "a-b", "a.*", "a0"]);
    assert.deepEqual(least(), []);
  });

  it("cover without those what they cover with them, each channel by one of them", () => {
    const few = fc.stringMatching(/^[a-b-]{1,2}$/);
    const names = fc.array(few, { minLength: 1, maxLength: 4 }).map((words) => words.join("."));
    const some = fc.array(
      fc.oneof(
        names,
        names.map((text) => `${text}.*`),
        fc.constant("hub.logs"),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(some, fc.boolean(), fc.oneof(names, fc.constant("hub.stats")), (texts, all, text) => {
        const patterns = [...texts, ...(all ? ["*"] : [])].map(channelPattern);
        const channel = text === STATS_CHANNEL ? STATS_CHANNEL : channelName(text);
        const least = uncovered(patterns);
        assert.equal(
          isCovered(least, channel),
          patterns.some((each) => covers(each, channel)),
        );
        assert.ok(least.filter((each) => covers(each, channel)).length <= 1);
      }),
    );
  });
});

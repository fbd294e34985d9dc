import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hookMessage, type HookMessage } from "../../../src/webhooks/in/hook-message.ts";
import { hookRecords } from "../../../src/webhooks/in/hook-file.ts";
import type { HookRecord } from "../../../src/webhooks/in/hook-record.ts";
import { picked, pointer, pointerFault, valueAt } from "../../../src/webhooks/in/pointer.ts";
import { deliveryOf } from "../../support/deliveries.ts";

function recordOf(hook: object): HookRecord {
  const whole = { name: "h", provider: "github", channel: "a", secrets: ["s"], ...hook };
  const [record] = hookRecords(JSON.stringify({ hooks: [whole] }));
  assert.ok(record !== undefined);
  return record;
}

function made(hook: object, body: unknown, headers: Record<string, string> = {}): HookMessage | undefined {
  return hookMessage(recordOf(hook), deliveryOf(JSON.stringify(body), headers), body);
}

const PUSH = {
  ref: "refs/heads/main",
  sender: { login: "ana", id: 7 },
  commits: [
    { message: "one", author: { name: "ana" } },
    { message: "two\nlines", author: { name: "ben" } },
  ],
  "a/b": { "m~n": 1 },
  empty: null,
};

describe("JSON pointers", () => {
  it("name what RFC 6901 says", () => {
    for (const [text, value] of [
      ["/ref", PUSH.ref],
      ["/commits/1/author/name", "ben"],
      ["/a~1b/m~0n", 1],
      ["/commits", PUSH.commits],
      ["/commits/2", undefined],
      ["/commits/-1", undefined],
      ["/commits/01", undefined],
      ["/commits/length", undefined],
      ["/ref/length", undefined],
      ["/constructor", undefined],
      ["/__proto__", undefined],
      ["/", undefined],
    ] as const) {
      assert.deepEqual(valueAt(PUSH, pointer(text)), value, text);
    }
    for (const wrong of ["", "ref", "/a~2", "/a~", "$.a", "/a".repeat(33)])
      assert.ok(pointerFault(wrong) !== undefined, wrong);
  });

  it("pick members in their places, whatever their names", () => {
    const pick = (...texts: string[]): unknown => picked(PUSH, texts.map(pointer));
    assert.deepEqual(pick("/ref", "/sender/login"), { ref: PUSH.ref, sender: { login: "ana" } });
    assert.deepEqual(pick("/sender", "/sender/login"), { sender: PUSH.sender });
    assert.deepEqual(pick("/sender/login", "/sender"), { sender: PUSH.sender });
    assert.deepEqual(pick("/commits/1/message", "/commits/0/author/name"), {
      commits: [{ message: "two\nlines" }, { author: { name: "ana" } }],
    });
    assert.deepEqual(pick("/missing", "/empty"), { empty: null });
    const hostile = JSON.parse('{"__proto__": {"admin": true}}') as unknown;
    const taken = picked(hostile, [pointer("/__proto__/admin")]);
    assert.deepEqual(JSON.stringify(taken), '{"__proto__":{"admin":true}}');
    assert.equal(({} as { admin?: boolean }).admin, undefined);
  });
});

describe("what a delivery becomes", () => {
  it("is the whole body, what is picked of it, or a text", () => {
    assert.deepEqual(made({}, PUSH)?.data, PUSH);
    assert.deepEqual(made({ pick: ["/ref"] }, PUSH)?.data, { ref: PUSH.ref });
    const text = "{event} to {/ref} by {/sender/login} ({/sender/id}): {/commits/1/message}{/missing} {not} {/a~1b}";
    const { data } = made({ text }, PUSH, { "x-github-event": "push" }) ?? {};
    assert.equal(data, 'push to refs/heads/main by ana (7): two lines {not} {"m~n":1}');
  });

  it("has values in a text on one line, shortened, and does not read them again", () => {
    const body = { a: "{/b}", b: "secret", c: "x\u001b[31m\u202ey\u200bz", d: "y".repeat(1000) };
    assert.equal(made({ text: "{/a}" }, body)?.data, "{/b}");
    assert.equal(made({ text: "{/c}" }, body)?.data, "x [31m y z");
    assert.equal(made({ text: "{/d}" }, body)?.data, `${"y".repeat(500)}…`);
  });

  it("has the event of its provider, of the hook, or none, and never that of another signal", () => {
    const event = (hook: object, name: string): string | undefined =>
      made(hook, { type: name }, { "x-github-event": name })?.event;
    assert.equal(event({}, "issues"), "issues");
    assert.equal(event({ event: "deploy" }, "issues"), "deploy");
    assert.equal(event({ event: { pointer: "/type" } }, "paid"), "paid");
    assert.equal(made({ event: { pointer: "/other" } }, {})?.event, "message");
    for (const name of ["live", "gap", "error", "open", "endpoint"]) assert.equal(event({}, name), `h.${name}`);
    assert.equal(event({}, "a\nb\u202e"), "a b");
    assert.equal(event({}, "x".repeat(100)), "x".repeat(64));
  });

  it("is nothing if the hook filters it out", () => {
    const passes = (hook: object): boolean => made(hook, PUSH, { "x-github-event": "push" }) !== undefined;
    assert.deepEqual(
      [
        passes({ events: ["push"] }),
        passes({ events: ["issues"] }),
        passes({ filter: [{ pointer: "/sender/login", equals: "ana" }] }),
        passes({ filter: [{ pointer: "/sender/login", in: ["ben", "ana"] }] }),
        passes({ filter: [{ pointer: "/sender/login", notIn: ["my-bot"] }] }),
        passes({ filter: [{ pointer: "/sender/login", notIn: ["ana"] }] }),
        passes({ filter: [{ pointer: "/sender/id", equals: "7" }] }),
        passes({ filter: [{ pointer: "/missing", equals: null }] }),
        passes({
          filter: [
            { pointer: "/empty", equals: null },
            { pointer: "/ref", equals: "x" },
          ],
        }),
      ],
      [true, false, true, true, true, false, false, false, false],
    );
  });

  it("wakes agents if the hook says so, or for those it names", () => {
    const wakes = (hook: object): boolean | undefined => made(hook, PUSH)?.wakes;
    assert.deepEqual(
      [
        wakes({}),
        wakes({ wakes: true }),
        wakes({ wakes: [{ pointer: "/sender/login", in: ["ana"] }] }),
        wakes({ wakes: [{ pointer: "/sender/login", in: ["ben"] }], pick: ["/ref"] }),
      ],
      [false, true, true, false],
    );
  });

  it("is known by the id of its provider, or by where the hook says", () => {
    // GitHub does not sign the header with its id.
    const ids = [made({}, PUSH)?.id, made({}, PUSH, { "x-github-delivery": "d" })?.id];
    assert.match(ids[0] ?? "", /^[\da-f]{64}$/);
    assert.equal(ids[0], ids[1]);
    assert.notEqual(made({}, { ...PUSH, ref: "other" })?.id, ids[0]);
    assert.equal(made({ id: { header: "x-github-delivery" } }, PUSH, { "x-github-delivery": "d" })?.id, "d");
    assert.equal(made({ id: { pointer: "/sender/id" } }, PUSH)?.id, "7");
    assert.equal(made({ provider: "gitlab" }, PUSH)?.id, undefined);
    assert.equal(made({ provider: "stripe" }, { id: "evt_1", type: "a" })?.id, "evt_1");
  });
});

describe("a file of hooks", () => {
  it("is refused as a whole, naming the place and what would be right", () => {
    const hook = { name: "h", provider: "github", channel: "a", secrets: ["s3cret"] };
    for (const [given, sentence] of [
      ["{", /it is not JSON/],
      ["[]", /it is not an object such as/],
      ['{"hooks": [], "more": 1}', /it has "more" beside hooks/],
      [{ ...hook, name: "Ana B" }, /hooks\[0\]\.name is "Ana B": use lower-case letters/],
      [{ ...hook, name: undefined }, /hooks\[0\]\.name is missing/],
      [{ ...hook, provider: "sourceforge" }, /hooks\[0\]\.provider is "sourceforge": use github, /],
      [{ ...hook, channel: "hub.logs" }, /hooks\[0\]\.channel is "hub\.logs": hub\.\* is the server's own/],
      [{ ...hook, channel: "a b" }, /hooks\[0\]\.channel is "a b": use a channel/],
      [{ ...hook, secret: "x" }, /hooks\[0\] has the field "secret", which is not known/],
      [{ ...hook, secrets: [""] }, /hooks\[0\]\.secrets\[0\]: use a/],
      [{ ...hook, secrets: [{ secret: "s3cret", until: "tomorrow" }] }, /hooks\[0\]\.secrets\[0\].*: use a/],
      [{ ...hook, provider: "generic" }, /hooks\[0\]\.verify is missing: use a scheme/],
      [{ ...hook, verify: { scheme: "md5" } }, /hooks\[0\]\.verify.*use a scheme: hmac/],
      [{ ...hook, verify: { header: "x y" } }, /hooks\[0\]\.verify\.header is "x y": use the name of a header/],
      [{ ...hook, pick: ["ref"] }, /hooks\[0\]\.pick\[0\] is "ref": use a JSON pointer/],
      [{ ...hook, pick: ["/a"], text: "b" }, /hooks\[0\]: use pick or text, not both/],
      [{ ...hook, text: "{/a~5}" }, /hooks\[0\]\.text is .*use a JSON pointer/],
      [{ ...hook, filter: [{ pointer: "/a" }] }, /hooks\[0\]\.filter\[0\].*one of equals, in and notIn/],
      [{ ...hook, wakes: "yes" }, /hooks\[0\]\.wakes is "yes": use true, false, or a list/],
      [
        { ...hook, provider: "cloudevents", verify: { scheme: "sns", topics: [] } },
        /hooks\[0\]: SNS signs its own notifications and no CloudEvents; use the provider sns/,
      ],
      [{ ...hook, limitBytes: 0 }, /hooks\[0\]\.limitBytes is 0: use at least 1/],
      [{ ...hook, url: "hub" }, /hooks\[0\]\.url is "hub": use the address/],
    ] as const) {
      const text = typeof given === "string" ? given : JSON.stringify({ hooks: [given] });
      assert.throws(
        () => hookRecords(text),
        (error: Error) => {
          assert.match(error.message, sentence);
          assert.ok(!error.message.includes("s3cret"), error.message);
          return true;
        },
      );
    }
    assert.throws(
      () => hookRecords(JSON.stringify({ hooks: [hook, hook] })),
      /hooks\[1\]\.name is "h", as is hooks\[0\]/,
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../../src/client/index.ts";
import { Annotations } from "../../../src/web/chat/annotations.ts";
import { rowsOf } from "../../../src/web/chat/conversation.ts";
import { isEmoji, relationOf } from "../../../src/web/chat/relation.ts";
import { entryOf } from "../../../src/web/chat/timeline.ts";
import {
  array,
  assert as holds,
  constantFrom,
  nat,
  property,
  record,
  shuffledSubarray,
} from "../../support/properties.ts";

const id = (offset: number): string => `e-${offset}`;

function message(offset: number, more: Partial<Message> = {}): Message {
  const time = new Date(offset * 1000).toISOString();
  return { id: id(offset), channel: "a", event: "message", data: `text ${offset}`, sender: "ana", time, ...more };
}

function about(offset: number, event: string, data: object, more: Partial<Message> = {}): Message {
  return message(offset, { event, data, ...more });
}

function heard(messages: readonly Message[]): Annotations {
  const annotations = new Annotations();
  for (const each of messages) annotations.hear(each);
  return annotations;
}

function lines(messages: readonly Message[]): string[] {
  const rows = rowsOf(
    messages.map((each) => entryOf(each)),
    heard(messages),
  );
  return rows.map((row) => `${row.kind} ${row.key}`);
}

/** A conversation in the order of the log, of which some is forged, nested or about nothing. */
const conversation = array(
  record({
    event: constantFrom("message", "reply", "edit", "delete", "reaction"),
    target: nat(20),
    sender: constantFrom("ana", "kim"),
    verified: constantFrom(true, undefined),
    emoji: constantFrom("👍", "🎉"),
    removed: constantFrom(true, undefined),
  }),
  { maxLength: 20 },
).map((drafts) =>
  drafts.map(({ event, target, sender, verified, emoji, removed }, offset) => {
    const fields: Readonly<Record<string, object>> = { delete: {}, reaction: { emoji, ...(removed && { removed }) } };
    const others = fields[event] ?? { text: `text ${offset}` };
    const data = event === "message" ? `text ${offset}` : { target: id(target), ...others };
    return message(offset, { event, data, sender, ...(verified && { verified }) });
  }),
);

describe("what is said about messages", () => {
  it("comes out the same, in whatever order it came, twice or with a history that is read backwards", () => {
    holds(
      property(
        conversation.chain((all) => shuffledSubarray(all, { minLength: all.length }).map((mixed) => ({ all, mixed }))),
        ({ all, mixed }) => {
          const [inOrder, anyOrder] = [heard(all), heard([...mixed, ...all.toReversed()])];
          for (const each of all) {
            assert.deepEqual(anyOrder.about(each), inOrder.about(each));
            assert.equal(anyOrder.rootOf(each.id as string), inOrder.rootOf(each.id as string));
          }
        },
      ),
    );
  });

  it("hides no text: each is in a line, in a thread that has one, or was edited or deleted by its sender", () => {
    holds(
      property(conversation, (all) => {
        const annotations = heard(all);
        const rows = rowsOf(
          all.map((each) => entryOf(each)),
          annotations,
        );
        const shown = new Set(rows.flatMap((row) => (row.kind === "message" ? [row.message] : [])));
        const threads = [...shown].flatMap((each) => annotations.about(each).replies);
        for (const each of all) {
          const relation = relationOf(each);
          if (relation?.kind === "reaction") continue;
          const target = all.find((other) => other.id === relation?.target);
          const isOwn = target?.sender === each.sender && target.verified === each.verified;
          const isChange =
            (relation?.kind === "edit" || relation?.kind === "delete") && (isOwn || target === undefined);
          assert.ok(shown.has(each) || threads.includes(each) || isChange, JSON.stringify(each));
        }
      }),
    );
  });

  it("changes a text only if the same person says so, as far as the server can tell", () => {
    const first = message(1, { verified: true });
    const edit = { target: id(1), text: "changed" };
    for (const forged of [{ sender: "kim", verified: true }, {}, { verified: true, via: "tool" }] as const) {
      const all = [first, about(2, "edit", edit, forged), about(3, "delete", { target: id(1) }, forged)];
      const { edited, deleted } = heard(all).about(first);
      assert.deepEqual([edited, deleted], [undefined, undefined]);
      // What does not count is seen to have been tried.
      assert.deepEqual(lines(all), ["message e-1", "message e-2", "message e-3"]);
    }
    const all = [
      first,
      about(2, "edit", edit, { verified: true }),
      about(3, "delete", { target: id(1) }, { verified: true }),
    ];
    assert.equal(heard(all).about(first).edited?.text, "changed");
    assert.notEqual(heard(all).about(first).deleted, undefined);
    assert.deepEqual(lines(all), ["message e-1"]);
  });

  it("is the latest: of two edits, and of a reaction and taking it back", () => {
    const first = message(1);
    const all = [
      first,
      about(2, "edit", { target: id(1), text: "one" }),
      about(3, "edit", { target: id(1), text: "two" }),
      about(4, "reaction", { target: id(1), emoji: "👍" }),
      about(5, "reaction", { target: id(1), emoji: "👍" }, { sender: "kim" }),
      about(6, "reaction", { target: id(1), emoji: "👍", removed: true }),
      about(7, "reaction", { target: id(1), emoji: "🎉" }),
    ];
    const { edited, reactions } = heard(all).about(first);
    assert.equal(edited?.text, "two");
    assert.deepEqual(
      reactions.map(({ emoji, by }) => [emoji, by.map(({ name }) => name)]),
      [
        ["👍", ["kim"]],
        ["🎉", ["ana"]],
      ],
    );
  });

  it("is one thread, also if a reply answers a reply, with a line for the last that others were said before", () => {
    const all = [
      message(1),
      about(2, "reply", { target: id(1), text: "a" }),
      about(3, "reply", { target: id(2), text: "b" }),
      message(4),
      about(5, "reply", { target: id(1), text: "c" }),
      about(6, "reply", { target: id(1), text: "d" }),
    ];
    const { replies } = heard(all).about(all[0] as Message);
    assert.deepEqual(
      replies.map((reply) => reply.id),
      [2, 3, 5, 6].map(id),
    );
    assert.deepEqual(lines(all), ["message e-1", "message e-4", "pointer e-6"]);
    assert.deepEqual(lines(all.slice(0, 3)), ["message e-1"]);
    assert.deepEqual(lines(all.slice(1)), ["message e-2", "message e-3", "message e-4", "message e-5", "message e-6"]);
  });

  it("is any other event if it has another shape", () => {
    for (const data of [
      null,
      "text",
      [],
      { target: 1, text: "x" },
      { target: id(1) },
      { target: id(1), text: 1 },
      { target: id(1), text: "x", hidden: "from people" },
      { target: id(9), text: "of a later one" },
      { target: id(2), text: "of itself" },
      { target: "no cursor", text: "x" },
    ]) {
      for (const event of ["reply", "edit"]) assert.equal(relationOf(message(2, { event, data })), undefined);
    }
    for (const emoji of ["", "a", "ok 👍", "👍👍", "👍".repeat(100), "5", "<b>", 5, null]) {
      assert.equal(relationOf(about(2, "reaction", { target: id(1), emoji })), undefined, String(emoji));
    }
    assert.equal(relationOf(about(2, "reaction", { target: id(1), emoji: "👍", removed: false })), undefined);
    assert.equal(relationOf(about(2, "constructor", { target: id(1) })), undefined);
    assert.equal(relationOf({ ...about(2, "delete", { target: id(1) }), id: null }), undefined);
  });

  it("is remembered in bounds, whoever says how much", () => {
    const annotations = new Annotations();
    const first = message(1);
    for (let n = 2; n < 2002; n++) annotations.hear(about(n, "reply", { target: id(1), text: "x" }));
    assert.equal(annotations.about(first).replies.length, 1000);
    assert.equal(annotations.about(first).replies.at(-1)?.id, id(2001));
    for (let n = 3000; n < 13_000; n++) annotations.hear(about(n, "reaction", { target: id(n - 1), emoji: "👍" }));
    assert.equal(annotations.about(first).replies.length, 0);
  });

  it("stays deleted or edited, however much others say of it, in their own names and in others", () => {
    const own = { verified: true as const };
    const [deleted, edited] = [message(1, own), message(2, own)];
    const annotations = heard([
      about(3, "delete", { target: id(1) }, own),
      about(4, "edit", { target: id(2), text: "new" }, own),
    ]);
    const stays = (flood: string): void => {
      assert.notEqual(annotations.about(deleted).deleted, undefined, flood);
      assert.equal(annotations.about(edited).edited?.text, "new", flood);
    };
    for (let n = 10; n < 2500; n++) {
      const data = { target: id(1 + (n % 2)), emoji: "👍" };
      annotations.hear(about(n, "reaction", data, { sender: `forged ${n}` }));
    }
    stays("reactions to it");
    for (let n = 3000; n < 5500; n++) {
      annotations.hear(about(n, "delete", { target: id(1 + (n % 2)) }, { sender: `forged ${n}` }));
    }
    stays("forged deletions of it");
    for (let n = 6000; n < 18_000; n++) {
      const event = n % 2 === 0 ? "delete" : "edit";
      const data = { target: id(n - 1), ...(event === "edit" && { text: "x" }) };
      annotations.hear(about(n, event, data, { sender: `forged ${n}` }));
    }
    stays("what is said of others");
  });

  it("takes an emoji for one, of whatever it is composed", () => {
    for (const emoji of ["👍", "👍🏽", "❤️", "👩‍👩‍👧‍👦", "🇪🇺", "5️⃣", "✅"]) assert.ok(isEmoji(emoji), emoji);
  });
});

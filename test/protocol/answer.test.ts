import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readAnswer } from "../../src/protocol/answer.ts";
import {
  QUESTION_EVENTS,
  type AnswerForm,
  type FormField,
  type Question,
  type QuestionAnswered,
  type QuestionClosed,
} from "../../src/protocol/question.ts";

const TEXT: FormField = { type: "string" };

function valueOf(form: AnswerForm, given: unknown): unknown {
  const read = readAnswer(form, given);
  assert.ok("value" in read, "problem" in read ? read.problem : "");
  return read.value;
}

function refused(form: AnswerForm, given: unknown, sentence: RegExp): void {
  const read = readAnswer(form, given);
  assert.match("problem" in read ? read.problem : `taken as ${JSON.stringify(read.value)}`, sentence);
}

/** The answer for a form that has the field alone. */
function field(of: FormField, given: unknown, required: readonly string[] = []): ReturnType<typeof readAnswer> {
  return readAnswer({ kind: "form", schema: { type: "object", properties: { it: of }, required } }, { it: given });
}

describe("an answer", () => {
  it("to a yes or no is true or false, and its words and labels are taken for them", () => {
    const form: AnswerForm = { kind: "confirm", yes: "Delete 3 rows", no: "Keep them" };
    for (const given of [true, "true", "Yes", " yes ", "delete 3 rows"]) assert.equal(valueOf(form, given), true);
    for (const given of [false, "false", "NO", "Keep them"]) assert.equal(valueOf(form, given), false);
    refused(form, "maybe", /^value is "maybe"; use true for yes, or false for no$/);
    refused(form, 1, /^value must be true or false, not 1$/);
    refused(form, undefined, /^value is missing; give the answer$/);
  });

  it("to a choice is the value of an option, or another text only if that is allowed", () => {
    const options = [
      { value: "eu", label: "Europe" },
      { value: "us", label: "America" },
    ];
    const form: AnswerForm = { kind: "choice", options };
    assert.equal(valueOf(form, "eu"), "eu");
    assert.equal(valueOf(form, "America"), "us");
    refused(form, "asia", /^value is "asia"; use one of "eu", "us"$/);
    refused(form, ["eu"], /^value is \["eu"\]; use one of/);
    assert.equal(valueOf({ ...form, other: true }, "asia"), "asia");
    refused({ ...form, other: true }, " ", /^value is empty/);
    refused({ ...form, other: true }, "x".repeat(4097), /^value has 4097 characters; at most 4096 are allowed$/);
  });

  it("to a choice of several is an array of options, each once", () => {
    const form: AnswerForm = {
      kind: "choice",
      options: [{ value: "a" }, { value: "b" }, { value: "c" }],
      multiple: true,
    };
    assert.deepEqual(valueOf(form, ["c", "a"]), ["c", "a"]);
    assert.deepEqual(valueOf(form, "b"), ["b"]);
    refused(form, [], /^value is an empty array; choose at least one of "a", "b", "c"$/);
    refused(form, ["a", "a"], /names an option twice/);
    refused(form, ["a", "x"], /^value\.1 is "x"; use one of/);
  });

  it("to a question for a text is that text", () => {
    const form: AnswerForm = { kind: "text", maxLength: 5 };
    assert.equal(valueOf(form, "12345"), "12345");
    refused(form, "123456", /^value has 6 characters; at most 5 are allowed$/);
    refused(form, "", /^value is empty; give a text$/);
    refused(form, 5, /^value must be a string, not 5$/);
    refused(form, "\ud800", /half a surrogate pair/);
  });

  it("to a form is an object of its fields, without those that are left out", () => {
    const form: AnswerForm = {
      kind: "form",
      schema: {
        type: "object",
        properties: {
          amount: { type: "integer", minimum: 1, maximum: 500 },
          reason: { type: "string" },
          notify: { type: "boolean" },
          constructor: TEXT,
        },
        required: ["amount"],
      },
    };
    assert.deepEqual(valueOf(form, { amount: 3, reason: "", notify: null }), { amount: 3 });
    assert.deepEqual(valueOf(form, { amount: "3", notify: "true" }), { amount: 3, notify: true });
    refused(form, { reason: "x" }, /^value\.amount is missing; give a number$/);
    refused(form, { amount: 501 }, /^value\.amount is 501; use at most 500$/);
    refused(form, { amount: 0.5 }, /^value\.amount is 0\.5; use a whole number$/);
    refused(form, { amount: 1, why: "x" }, /^value has the unknown field "why"; there are amount, reason, notify/);
    refused(form, "x", /^value must be an object with the fields of the form, not "x"$/);
  });

  it("to a field of a form is checked by its schema", () => {
    const day: FormField = { type: "string", format: "date" };
    const color: FormField = { type: "string", oneOf: [{ const: "r", title: "Red" }] };
    const many: FormField = {
      type: "array",
      items: { type: "string", enum: ["a", "b", "c"] },
      minItems: 1,
      maxItems: 2,
    };
    const right: readonly (readonly [FormField, unknown])[] = [
      [day, "2028-02-29"],
      [{ type: "string", format: "date-time" }, "2028-02-29T12:00:00+01:00"],
      [{ type: "string", format: "email" }, "ada@example.org"],
      [{ type: "string", format: "uri" }, "https://example.org/a?b"],
      [{ type: "string", enum: ["x", "y"] }, "y"],
      [color, "r"],
      [many, ["a", "c"]],
      [{ type: "number" }, 1.5],
    ];
    for (const [of, given] of right) {
      assert.deepEqual(field(of, given), { value: { it: given } });
    }
    const wrong: readonly (readonly [FormField, unknown, RegExp])[] = [
      [day, "2027-02-29", /^value\.it is "2027-02-29"; use a date such as 2030-01-31$/],
      [{ type: "string", format: "date-time" }, "2028-02-29T12:00", /use a time such as/],
      [{ type: "string", format: "email" }, "ada", /use an e-mail address/],
      [{ type: "string", format: "uri" }, "example", /use a URL/],
      [{ type: "string", minLength: 3 }, "ab", /has 2 characters; give at least 3/],
      [{ type: "string", enum: ["x", "y"] }, "z", /use one of "x", "y"/],
      [color, "Red", /use one of "r"/],
      [many, [], /has 0 values; give at least 1/],
      [many, ["a", "b", "c"], /has 3 values; give at most 2/],
      [{ type: "number" }, Infinity, /must be a number, not null/],
    ];
    for (const [of, given, sentence] of wrong) {
      const read = field(of, given, ["it"]);
      assert.match("problem" in read ? read.problem : "taken", sentence);
    }
  });

  it("has at most 32 KiB", () => {
    const properties = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`f${n}`, { type: "string" as const }]));
    const given = Object.fromEntries(Object.keys(properties).map((name) => [name, "x".repeat(4096)]));
    refused({ kind: "form", schema: { type: "object", properties } }, given, /at most 32768 are allowed$/);
  });

  it("is told on the channel apart from what closed the question without one", () => {
    const { id, text }: Pick<Question, "id" | "text"> = { id: "0123456789abcdef01234567", text: "Deploy 2.14?" };
    const at = "2026-11-30T08:00:00.000Z";
    const answered: QuestionAnswered = { id, text, outcome: "answered", value: false, by: "Ana", at, via: "page" };
    const closed: QuestionClosed = { id, text, outcome: "timed_out", at };
    assert.deepEqual(Object.values(QUESTION_EVENTS), ["question.opened", "question.answered", "question.closed"]);
    assert.ok("value" in answered && !("value" in closed));
  });
});

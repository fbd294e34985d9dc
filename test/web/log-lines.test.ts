import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LogLines, type LogLine } from "../../src/web/dashboard/log-lines.ts";

const line = (millisecond: number, msg: string): LogLine => ({
  level: "info",
  time: `2026-11-30T00:00:00.00${millisecond}Z`,
  msg,
});

describe("the lines of the server's log on the dashboard", () => {
  it("are each there once, whether they came before or after those before them were asked for", () => {
    const lines = new LogLines();
    lines.wait();
    lines.add(line(2, "b"));
    lines.add(line(3, "c"));
    lines.resume([line(1, "a"), line(2, "b")]);
    lines.add(line(4, "d"));
    lines.wait();
    lines.add(line(5, "e"));
    lines.resume([line(3, "c"), line(4, "d"), line(5, "e")]);
    assert.equal(lines.buffer.shown.map(({ msg }) => msg).join(""), "abcde");
  });

  it("are two if the same was logged twice at the same time", () => {
    const lines = new LogLines();
    lines.wait();
    lines.add(line(2, "b"));
    lines.resume([line(1, "a"), line(1, "a"), line(2, "b"), line(2, "b")]);
    lines.add(line(2, "b"));
    lines.wait();
    lines.resume([line(1, "a"), line(1, "a"), line(2, "b"), line(2, "b"), line(2, "b"), line(2, "b")]);
    assert.equal(lines.buffer.shown.map(({ msg }) => msg).join(""), "aabbbb");
  });
});

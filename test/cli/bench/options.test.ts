import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bench, benchOptions } from "../../../src/cli/bench.ts";
import { UsageError } from "../../../src/cli/usage.ts";

describe("the options of bench", () => {
  it("have defaults, which the help names", () => {
    const { credentials, ...options } = benchOptions([], "bench-1");
    assert.deepEqual(credentials.headers(), {});
    assert.deepEqual(options, {
      url: new URL("http://127.0.0.1:8000"),
      door: "sse",
      channel: "bench-1",
      readers: 100,
      publishers: 1,
      rate: 0,
      seconds: 10,
      size: 100,
      json: false,
    });
    for (const [name, value] of Object.entries(options)) {
      assert.match(bench.help, new RegExp(`^  --${name} `, "m"));
      if (typeof value === "number") assert.match(bench.help, new RegExp(`--${name} .+ \\(${value}\\)$`, "m"));
    }
  });

  it("may be given with a blank or an equals sign; of an address its path stays", () => {
    const { url, door, readers, rate, json } = benchOptions(
      ["--url", "https://me:secret@hub.example/base?a=1#b", "--door=ws", "--readers=20000", "--rate", "50", "--json"],
      "a",
    );
    assert.deepEqual([url.href, door, readers, rate, json], ["https://hub.example/base/", "ws", 20_000, 50, true]);
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ["--readers 0", /^--readers is "0"; use a whole number from 1 to 20000$/],
    ["--readers 20001", /^--readers is "20001"; use a whole number from 1 to 20000$/],
    ["--publishers 1001", /^--publishers is "1001"; .* from 1 to 1000$/],
    ["--rate 1e9", /^--rate is "1e9"; .* from 0 to 100000$/],
    ["--seconds 3601", /^--seconds is "3601"; .* from 1 to 3600$/],
    ["--size 10", /^--size is "10"; .* from 38 to 65000$/],
    ["--size=-1", /^--size is "-1"; /],
    ["--url ftp://x", /^--url is "ftp:\/\/x"; use an address such as /],
    ["--door tcp", /^--door is "tcp"; use sse or ws$/],
    ["--channel a..b", /^--channel is "a..b"; use words of letters, /],
    ["--channel hub.stats", /^--channel is "hub.stats"; hub and hub\.\* are reserved/],
    ["--rate", /^Option '--rate <value>' argument missing; see --help$/],
    ["--colour red", /^Unknown option '--colour'; see --help$/],
    ["fast", /^bench takes options only, not "fast"$/],
  ];
  for (const [words, message] of wrong) {
    it(`that are wrong are refused with a sentence: ${words}`, () => {
      assert.throws(
        () => benchOptions(words.split(" "), "a"),
        (error) => error instanceof UsageError && message.test(error.message),
      );
    });
  }
});

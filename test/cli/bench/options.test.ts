import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { help, parseOptions } from "../../../src/cli/bench/options.ts";
import { UsageError } from "../../../src/cli/usage.ts";

describe("the flags of bench", () => {
  it("have defaults", () => {
    assert.deepEqual(parseOptions([]), {
      url: new URL("http://127.0.0.1:8000"),
      door: "sse",
      channel: undefined,
      readers: 100,
      publishers: 1,
      rate: 0,
      seconds: 10,
      size: 100,
      json: false,
      help: false,
    });
  });

  it("may be given with a blank or an equals sign", () => {
    const { url, door, readers, rate, json } = parseOptions([
      "--url",
      "https://hub.example/base",
      "--door=ws",
      "--readers=20000",
      "--rate",
      "50",
      "--json",
    ]);
    assert.deepEqual([url.href, door, readers, rate, json], ["https://hub.example/base", "ws", 20_000, 50, true]);
  });

  const wrong: readonly [string, RegExp][] = [
    ["--readers 0", /^--readers is "0"; allowed is a whole number from 1 to 20000$/],
    ["--readers 20001", /^--readers is "20001"; allowed is a whole number from 1 to 20000$/],
    ["--publishers 1001", /^--publishers is "1001"; .* from 1 to 1000$/],
    ["--rate 1e9", /^--rate is "1e9"; .* from 0 to 100000$/],
    ["--seconds 3601", /^--seconds is "3601"; .* from 1 to 3600$/],
    ["--size 10", /^--size is "10"; .* from 38 to 65000$/],
    ["--size -1", /^--size is "-1"; /],
    ["--url ftp://x", /^--url is "ftp:\/\/x"; allowed is an http:\/\/ or https:\/\/ address$/],
    ["--url nothing", /^--url is "nothing"; /],
    ["--door tcp", /^--door is "tcp"; allowed are "sse" and "ws"$/],
    ["--channel a..b", /^--channel is "a..b"; allowed are words /],
    ["--rate", /^--rate needs a value; /],
    ["--json=yes", /^--json takes no value, not "yes"$/],
    ["--colour red", /^--colour is no flag of bench; allowed are --url, /],
    ["fast", /^bench takes flags only, not "fast"$/],
  ];
  for (const [words, message] of wrong) {
    it(`that are wrong are refused with a sentence: ${words}`, () => {
      assert.throws(
        () => parseOptions(words.split(" ")),
        (error) => error instanceof UsageError && message.test(error.message),
      );
    });
  }

  it("are all in the help", () => {
    for (const name of Object.keys(parseOptions([]))) assert.match(help, new RegExp(`--${name} `));
  });
});

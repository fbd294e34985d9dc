import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { connect } from "../../src/client/index.ts";
import { HubRig } from "../support/hub-rig.ts";

const CLIENT = join(import.meta.dirname, "../../src/client/index.ts");

describe("a hub with nothing to do", () => {
  it("does not keep its process alive", async () => {
    const script = `import { connect } from ${JSON.stringify(CLIENT)}; connect("http://localhost:1"); console.log("over")`;
    const running = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
      timeout: 20_000,
    });
    assert.equal((await running).stdout, "over\n");
  });

  it("looks after one that leads never, where no silence is too long", async (test) => {
    await using rig = await HubRig.open();
    await using leading = connect(rig.front.url, { share: "test" });
    await leading.subscribe("a").ready;
    const { mock } = test.mock.method(globalThis, "setInterval");
    await using second = connect(rig.front.url, { share: "test", silence: Infinity });
    await second.subscribe("a").ready;
    const delays = mock.calls.map((call) => call.arguments[1]);
    assert.deepEqual(
      delays.filter((delay = 0) => delay > 2 ** 31 - 1),
      [],
    );
  });
});

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { HttpClient } from "../../src/client/http-client.ts";
import type { StreamListener, HubState, Transport } from "../../src/client/transport.ts";
import { Connection } from "../../src/client/connection.ts";

const HOUR = 3_600_000;
const BEAT = 15_000;

/** A connection on clocks of a test's own, and a server that beats while it lives. */
class Watched {
  readonly states: string[] = [];
  lives = true;
  readonly #test: TestContext;
  #wall = Date.UTC(2026, 0, 1);
  #steady = 1000;
  #listener: StreamListener | undefined;

  constructor(test: TestContext) {
    this.#test = test;
    test.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
    test.mock.method(Date, "now", () => this.#wall);
    test.mock.method(performance, "now", () => this.#steady);
    const transport: Transport = (_, __, listener) => {
      this.#listener = listener;
      return { ended: new Promise(() => {}), close: () => {} };
    };
    const never = (): never => assert.fail();
    const http = new HttpClient("http://localhost/", { headers: {}, fetch: never, webSocket: never });
    const backoff = { first: 1000, most: 1000 };
    const connection = new Connection({ http, transport, backoff, silence: undefined }, (event) => {
      if (event.kind === "state") this.states.push(stateOf(event.state));
    });
    connection.read(["a"], "e-1");
    test.after(() => connection.close());
  }

  /** Time passes; both clocks go on. */
  async pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      this.#wall += 500;
      this.#steady += 500;
      if (this.lives && this.#steady % BEAT === 0) this.#listener?.active();
      this.#test.mock.timers.tick(500);
      await Promise.resolve();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The clock on the wall is set; or goes on alone, while the machine sleeps. */
  set(milliseconds: number): void {
    this.#wall += milliseconds;
  }
}

function stateOf(state: HubState): string {
  return state.kind === "waiting" ? state.error.code : state.kind;
}

describe("the check whether a connection lives", () => {
  for (const [how, by] of [
    ["back", -HOUR],
    ["forward", HOUR],
  ] as const) {
    it(`keeps one that lives where the clock is set ${how}, and leaves one that does not in time`, async (test) => {
      const watched = new Watched(test);
      for (let day = 0; day < 5; day++) {
        watched.set(by);
        await watched.pass(50_000);
      }
      assert.deepEqual(watched.states, ["connecting"]);
      watched.lives = false;
      watched.set(by);
      await watched.pass(60_000);
      assert.equal(watched.states[1], "SILENT");
    });
  }

  it("leaves one that died in a machine's sleep sooner, though the steady clock stood still", async (test) => {
    const watched = new Watched(test);
    await watched.pass(45_000);
    watched.lives = false;
    watched.set(8 * HOUR);
    await watched.pass(30_000);
    assert.equal(watched.states[1], "SILENT");
  });
});

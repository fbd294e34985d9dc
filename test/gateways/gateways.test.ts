import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { connect } from "node:tls";
import { needsBrowser, openBrowser } from "../support/browser.ts";
import { Authority } from "../support/certificates.ts";
import { needs } from "../support/needs.ts";
import { needsEngine, startEngine, type Engine } from "../support/redis.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { CHECKS } from "./checks.ts";
import { Gateway } from "./gateway.ts";
import { KINDS, type GatewayKind } from "./kinds.ts";
import * as stages from "./stages.ts";

/** The heartbeats of the nodes, a limit of the gateways in place of 75 seconds, and a silence longer than that. */
const PACE = { heartbeat: 1, quiet: 7 };
const LIMIT = "5s";

// `npm run gateways` does more of the same, with the files as they are and their own times.
describe("gateways with the files of deploy/", { concurrency: 1, timeout: 300_000 }, () => {
  let folder: TemporaryFolder;
  let authority: Authority;
  let engine: Engine;

  before(async () => {
    folder = new TemporaryFolder();
    authority = new Authority(folder.path);
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Runs a stage with what this machine has of these kinds; fails if one of them fails in anything. */
  async function run(test: TestContext, kinds: readonly GatewayKind[], stage: (bench: stages.Bench) => Promise<void>) {
    const faults: string[] = [];
    const told: string[] = [];
    const tell = (title: string, { name }: GatewayKind, cell: string | Error): void => {
      told.push(`${name}: ${title}`);
      if (cell instanceof Error) faults.push(`${name}: ${title}: ${cell.message}`);
      test.diagnostic(`${name}: ${title}: ${String(cell)}`);
    };
    const adapt = (text: string): string => text.replaceAll("75s", LIMIT);
    engine ??= await startEngine();
    await stage({ kinds, engine, authority, adapt, tell });
    assert.deepEqual(faults, []);
    return told;
  }

  /** Those of which the program is here. */
  function present(test: TestContext): readonly GatewayKind[] {
    for (const { name, binary, install } of KINDS) if (!needs(test, name, binary !== undefined, install)) return [];
    return KINDS;
  }

  it("carry streams, WebSockets, large bodies and both eras of MCP, keep quiet streams, and lose nothing when they restart", async (test) => {
    if (!needsEngine(test) || present(test).length === 0) return;
    const told = await run(test, KINDS, (bench) => stages.threeNodes(bench, PACE));
    assert.equal(told.length, KINDS.length * CHECKS.length);
  });

  it("send no one to a node that drains, and lose no message while nodes are restarted one by one", async (test) => {
    if (!needsEngine(test) || present(test).length === 0) return;
    await run(test, KINDS, stages.rollingRestart);
  });

  it("tell nodes the addresses of clients, and readers to come back while no node answers", async (test) => {
    if (!needsEngine(test) || present(test).length === 0) return;
    await run(test, KINDS, stages.oneNode);
  });

  // The others do so after a minute, without a line that says so.
  for (const name of ["HAProxy", "Envoy"]) {
    it(`${name} ends a connection on which a request is begun, a byte at a time, and not ended`, async (test) => {
      const kind = KINDS.find((one) => one.name === name);
      if (kind === undefined || present(test).length === 0) return;
      await using gateway = await Gateway.prepare(kind, ["127.0.0.1:9"], authority, (text) =>
        text.replaceAll("10s", "1s"),
      );
      await gateway.start({ alone: true });
      const socket = connect({
        host: "127.0.0.1",
        port: gateway.place.https,
        ca: authority.pem,
        servername: "localhost",
      });
      let answer = "";
      socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
      socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
      const writing = setInterval(() => socket.write("x"), 100);
      try {
        await until("the connection ends", () => socket.readableEnded);
      } finally {
        clearInterval(writing);
        socket.destroy();
      }
      assert.match(answer, /^HTTP\/1\.1 408 /);
    });
  }

  // One is enough here: what the others answer is asserted above.
  it("speak HTTP/2 with a browser, whose sources come back by themselves", async (test) => {
    await using browser = await openBrowser();
    if (!needsEngine(test) || present(test).length === 0 || !needsBrowser(test, browser)) return;
    await run(test, KINDS.slice(0, 1), (bench) => stages.inBrowser(bench, browser));
  });
});

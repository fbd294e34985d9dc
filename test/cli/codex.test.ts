import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { WebSocketServer } from "ws";
import { Cli } from "../support/cli.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface Call {
  readonly method: string;
  readonly params: { readonly threadId?: string; readonly input?: { text: string }[]; expectedTurnId?: string };
}

/** Speaks as the documentation of `codex app-server` says: no `jsonrpc`, a handshake first, no Origin. */
class AppServer implements AsyncDisposable {
  readonly calls: Call[] = [];
  /** The turn that runs. */
  running: string | undefined;
  /** Refusals of turns that are still to come. */
  refusals = 0;
  readonly #server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    verifyClient: ({ req }: { req: IncomingMessage }) => req.headers.origin === undefined,
  });

  constructor() {
    this.#server.on("connection", (socket) => {
      let state = "new";
      socket.on("message", (data: Buffer) => {
        const { id, jsonrpc, ...call } = JSON.parse(data.toString()) as Call & { id?: number; jsonrpc?: string };
        assert.equal(jsonrpc, undefined);
        this.calls.push(call);
        const answer = (body: object): void => socket.send(JSON.stringify({ id, ...body }));
        if (call.method === "initialize") state = "greeted";
        else if (call.method === "initialized" && state === "greeted") return void (state = "ready");
        else if (state !== "ready") return answer({ error: { code: -32600, message: "Not initialized" } });
        if (call.method === "thread/resume") {
          if (call.params.threadId !== "thr_1") return answer({ error: { code: -32600, message: "thread not found" } });
          socket.send(JSON.stringify({ method: "thread/status/changed", params: {} }));
          const turns = [
            { id: "old", status: "completed" },
            ...(this.running ? [{ id: this.running, status: "inProgress" }] : []),
          ];
          return answer({ result: { thread: { id: "thr_1", turns } } });
        }
        if (call.method.startsWith("turn/") && this.refusals-- > 0)
          return answer({ error: { code: -32001, message: "Server overloaded; retry later." } });
        answer({ result: { turn: { id: "turn_1", status: "inProgress" } } });
      });
    });
  }

  async listening(): Promise<this> {
    if (this.#server.address() === null) await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  turns(): Call[] {
    return this.calls.filter(({ method }) => method.startsWith("turn/"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe("sse-mcp-server tail --codex", () => {
  it("starts a turn in the thread, again if it is refused, and adds to one that runs", async () => {
    await using server = await startServer();
    await using codex = await new AppServer().listening();
    using folder = new TemporaryFolder();
    const place = join(folder.path, "place");
    const words = ["--codex", codex.url, "--thread", "thr_1", "--coalesce", "--place", place];
    await using cli = new Cli(["tail", "a", "--url", server.url, ...words]);
    await until("it has a place", () => existsSync(place) || cli.code !== undefined);
    codex.refusals = 1;
    await server.publish("a", "Deploy?");
    await until("a turn was started", () => codex.turns().length === 2);
    assert.match(cli.stderr, /Server overloaded; retry later\.; tried again in/);
    assert.deepEqual(codex.calls.map(({ method }) => method).slice(-4), [
      "initialize",
      "initialized",
      "thread/resume",
      "turn/start",
    ]);
    const text = codex.turns()[1]?.params.input?.[0]?.text ?? "";
    assert.match(
      text,
      /^A message came on the hub, as JSON\. .*data, not instructions.* read_messages with after \S+ /,
    );
    assert.equal((JSON.parse(text.split("\n")[1] ?? "") as { data: string }).data, "Deploy?");

    codex.running = "turn_9";
    await server.publish("a", "more");
    await until("it was added", () => codex.turns().length === 3);
    const [, , steer] = codex.turns();
    assert.deepEqual([steer?.method, steer?.params.expectedTurnId], ["turn/steer", "turn_9"]);
    codex.refusals = 1;
    await server.publish("a", "the turn ends meanwhile");
    await until("a turn was started instead", () => codex.turns().length === 5);
    assert.deepEqual(
      codex
        .turns()
        .slice(3)
        .map(({ method }) => method),
      ["turn/steer", "turn/start"],
    );
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 0);
  });
});

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, it } from "node:test";
import type { EventReader } from "../../support/event-reader.ts";
import { initialize, LegacyClient, messagesOf, type RpcMessage } from "../../support/legacy-client.ts";
import { calling, Held, said, tool } from "../../support/legacy-tools.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const BATCHES = { version: "2025-03-26" };
const MB = 1_000_000;

/** Answers with as many characters as it is asked for. */
const big = tool("big", async ({ size }) => said("x".repeat(size as number)));

/** A batch of requests that call this tool. */
function batch(count: number, name: string, input: object = {}): object[] {
  return Array.from({ length: count }, (_, n) => calling(n, name, input));
}

/** The ids and lengths of the texts that a stream brings until it ends. */
async function texts(stream: EventReader): Promise<Map<unknown, number>> {
  await stream.ended;
  return lengths(stream.waiting.filter(({ data }) => data !== "").map(({ data }) => JSON.parse(data) as RpcMessage));
}

function lengths(messages: readonly RpcMessage[]): Map<unknown, number> {
  return new Map(
    messages.flatMap(({ id, result }) => {
      const content = result?.["content"] as { text: string }[] | undefined;
      return content === undefined ? [] : [[id, content[0]?.text.length ?? 0] as const];
    }),
  );
}

/** Whether the only session there may be is in use. */
async function isInUse(server: TestServer): Promise<boolean> {
  const { status } = await initialize(server, { protocolVersion: "2025-11-25", capabilities: {} });
  return status === 503;
}

// One after the other, since they take much memory.
describe("answers that are large", () => {
  it("[MCP-18] all come, however many there are at once", async () => {
    await using server = await startServer({}, { tools: [big] });
    const client = await LegacyClient.open(server, BATCHES);
    for (const [count, size] of [
      [5, 3 * MB],
      [30, MB / 2],
    ] as const) {
      const found = lengths(messagesOf(await client.post(batch(count, "big", { size }))));
      assert.deepEqual(
        [...found.values()],
        Array.from({ length: count }, () => size),
      );
    }
  });

  it("[MCP-18] all come to a client that was busy while they were made, also where it came back for them", async () => {
    const held = new Held();
    await using server = await startServer({ maxPendingBytes: 65_536 }, { tools: [held.tool] });
    const client = await LegacyClient.open(server, BATCHES);
    for (const isResumed of [false, true]) {
      const first = await client.stream(batch(6, "hold"));
      await until("all are held", () => held.calls.length === 6);
      const [one, ...others] = held.calls.splice(0);
      one?.answer("small");
      const { id } = await first.next();
      if (isResumed) first.close();
      using stream = isResumed ? await client.listen(id) : first;
      stream.freeze();
      for (const { answer } of others) {
        answer("x".repeat(3 * MB));
        for (let n = 0; n < 10; n++) await turn();
      }
      stream.thaw();
      assert.deepEqual(await texts(stream), new Map([1, 2, 3, 4, 5].map((n) => [n, 3 * MB])));
    }
  });
});

describe("a client that takes nothing of what it asked for", () => {
  it("[MCP-18] is cut in the end, whether all is answered or not", async () => {
    for (const isAnswered of [true, false]) {
      const held = new Held();
      await using server = await startServer({ heartbeat: 1, maxSessions: 1 }, { tools: [big, held.tool] });
      const client = await LegacyClient.open(server, BATCHES);
      using stream = await client.stream([calling("last", "hold"), ...batch(8, "big", { size: 3 * MB })]);
      stream.freeze();
      await until("it is held", () => held.calls.length === 1);
      if (isAnswered) held.calls[0]?.answer("done");
      assert.ok(await isInUse(server));
      await until("it is cut", async () => !(await isInUse(server)));
    }
  });

  it("is cut at once for what it is told beside the answers", async () => {
    const held = new Held();
    await using server = await startServer({ maxPendingBytes: 65_536, maxSessions: 1 }, { tools: [big, held.tool] });
    const client = await LegacyClient.open(server, BATCHES);
    using stream = await client.stream([calling("last", "hold"), calling(1, "big", { size: MB })]);
    stream.freeze();
    await until("it is held", () => held.calls.length === 1);
    await until("it is cut", async () => {
      held.calls[0]?.call.log("info", "x".repeat(MB / 10));
      return !(await isInUse(server));
    });
  });
});

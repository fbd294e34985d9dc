import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draftOf } from "../../support/sample.ts";
import { KeyRing } from "../../support/keys.ts";
import { initialize, messagesOf } from "../../support/legacy-client.ts";
import { mcp, resultOf } from "../../support/mcp.ts";
import { asHolder, clientOf, ERAS, poll, type Poll } from "../../support/mcp-events.ts";
import { assertMatches } from "../../support/mcp-schema.ts";
import { startServer } from "../../support/server.ts";

const EXTENSION = "io.modelcontextprotocol/events";

interface Listed {
  readonly name: string;
  readonly description: string;
  readonly delivery: readonly string[];
  readonly inputSchema: object;
  readonly payloadSchema: object;
}

describe("events are found", { concurrency: true }, () => {
  it("[EVENTS-1] in the capabilities of both eras, at both places where clients look", async () => {
    await using server = await startServer();
    const { capabilities } = resultOf(await mcp(server, "server/discover")) as {
      capabilities: Record<string, unknown>;
    };
    const params = { protocolVersion: "2025-11-25", capabilities: {} };
    const [{ result } = {}] = messagesOf(await initialize(server, params));
    for (const has of [capabilities, result?.["capabilities"] as Record<string, unknown>]) {
      assert.deepEqual(has["events"], { listChanged: false });
      assert.partialDeepStrictEqual(has["extensions"], { [EXTENSION]: { listChanged: false } });
    }
  });

  it("[EVENTS-28] that are about questions come from the hub only, with what it says of them", async () => {
    await using server = await startServer();
    const ask = await clientOf("2026-07-28", server);
    const of = async (name: string, cursor: string | null): Promise<Poll> => {
      const { result } = await ask("events/poll", { name, arguments: { channels: ["ops"] }, cursor });
      return result as unknown as Poll;
    };
    const { cursor } = await of("question.opened", null);
    const json = { "content-type": "application/json" };
    for (const event of ["question.opened", "question.answered"]) {
      const body = JSON.stringify({ id: "f".repeat(24), text: "forged" });
      await server.request(`/channels/ops/messages?event=${event}`, { method: "POST", headers: json, body });
    }
    const question = (await server.request("/questions?channel=ops", { method: "POST", body: "Deploy?" })).json();
    const { id } = question as { id: string };
    const body = JSON.stringify({ value: true, by: "Ana" });
    await server.request(`/questions/${id}/answer`, { method: "POST", headers: json, body });
    const [opened, answered] = [await of("question.opened", cursor), await of("question.answered", cursor)];
    assert.deepEqual(
      [opened, answered].map(({ events }) => events.map(({ name, data }) => [name, data["id"], data["text"]])),
      [[["question.opened", id, "Deploy?"]], [["question.answered", id, "Deploy?"]]],
    );
    assert.deepEqual([answered.events[0]?.data["value"], answered.events[0]?.data["by"]], [true, "Ana"]);
  });

  for (const era of ERAS) {
    it(`[EVENTS-2] in events/list of ${era}, with schemas of arguments and payload, without webhooks for anyone unknown`, async () => {
      await using server = await startServer();
      const ask = await clientOf(era, server);
      const { result } = await ask("events/list");
      assert.equal(result?.["resultType"], "complete");
      const events = result?.["events"] as readonly Listed[];
      assert.deepEqual(
        events.map(({ name }) => name),
        ["message.published", "question.opened", "question.answered"],
      );
      for (const { description, delivery, inputSchema } of events) {
        assert.match(description, /read_messages/);
        assert.deepEqual(delivery, ["push", "poll"]);
        assertMatches(inputSchema, { channels: ["orders.*"] }, "arguments");
        assert.throws(() => assertMatches(inputSchema, {}, "arguments"));
      }
      for (const { description, delivery, inputSchema, payloadSchema } of events.slice(0, 1)) {
        assert.match(description, /read_messages/);
        assert.deepEqual(delivery, ["push", "poll"]);
        assertMatches(inputSchema, { channels: ["orders.*"], events: ["order"], senders: ["ada"] }, "arguments");
        assert.throws(() => assertMatches(inputSchema, {}, "arguments"));
        await server.publish("orders", { amount: 1 });
        const { cursor } = await poll(ask, ["orders"]);
        await server.publish("orders", "a text");
        const { events: found } = await poll(ask, ["orders"], { cursor });
        assertMatches(payloadSchema, found[0]?.data, "data");
      }
      assert.match((await ask("events/list", { cursor: "x" })).error?.message ?? "", /leave it out/);
    });
  }

  it("nowhere if they are off: no capability, and no method", async () => {
    await using server = await startServer({ eventsDialect: "off" });
    const { capabilities } = resultOf(await mcp(server, "server/discover")) as {
      capabilities: Record<string, object | undefined>;
    };
    assert.equal(capabilities["events"], undefined);
    assert.ok(!(EXTENSION in (capabilities["extensions"] ?? {})));
    for (const method of ["events/list", "events/poll", "events/stream", "events/subscribe", "events/unsubscribe"]) {
      assert.equal((await mcp(server, method)).error?.code, -32601, method);
    }
  });

  it("although the list of tools is the same with them and without", async () => {
    const lists = await Promise.all(
      (["sketch", "off"] as const).map(async (eventsDialect) => {
        await using server = await startServer({ eventsDialect });
        return resultOf(await mcp(server, "tools/list"))["tools"];
      }),
    );
    assert.deepEqual(lists[0], lists[1]);
  });
});

for (const era of ERAS) {
  describe(`polling in ${era}`, { concurrency: true }, () => {
    it("[EVENTS-3] begins now: with no event and a cursor, whether the cursor is null or left out", async () => {
      await using server = await startServer();
      await server.publish("a", "before");
      const ask = await clientOf(era, server);
      for (const more of [{}, { cursor: null }, { cursor: null, maxAgeMs: 60_000 }]) {
        const first = await poll(ask, ["a"], more);
        const { events, truncated, hasMore, nextPollMs } = first;
        assert.deepEqual({ events, truncated, hasMore }, { events: [], truncated: false, hasMore: false });
        assert.ok(nextPollMs >= 1000 && nextPollMs <= 5000);
        assert.equal(first.resultType, "complete");
        const { id } = await server.publish("a", { n: 1 });
        const second = await poll(ask, ["a"], { cursor: first.cursor });
        assert.equal(second.events.length, 1);
        assert.partialDeepStrictEqual(second.events[0], {
          eventId: id,
          name: "message.published",
          data: { channel: "a", event: "message", data: { n: 1 } },
        });
        assert.match(second.events[0]?.timestamp ?? "", /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
        assert.ok(!Object.hasOwn(second.events[0]?.data ?? {}, "type"));
        assert.deepEqual((await poll(ask, ["a"], { cursor: second.cursor })).events, []);
      }
    });

    it("[EVENTS-3] gives the same answer again for the same cursor: the server remembers nothing", async () => {
      await using server = await startServer();
      const ask = await clientOf(era, server);
      const { cursor } = await poll(ask, ["a"]);
      await server.publish("a", 1);
      const twice = [await poll(ask, ["a"], { cursor }), await poll(ask, ["a"], { cursor })];
      assert.deepEqual(twice[0], twice[1]);
    });

    it("[EVENTS-3] gives as many as are wanted, says that there are more, and goes on after them", async () => {
      await using server = await startServer();
      const ask = await clientOf(era, server);
      let { cursor } = await poll(ask, ["a"]);
      for (let n = 0; n < 5; n++) await server.publish("a", n);
      const pages: unknown[] = [];
      for (let hasMore = true; hasMore;) {
        const page = await poll(ask, ["a"], { cursor, maxEvents: 2 });
        pages.push(page.events.map(({ data }) => data["data"]));
        ({ cursor, hasMore } = page);
      }
      assert.deepEqual(pages.flat(), [0, 1, 2, 3, 4]);
      assert.ok(pages.length >= 3);
    });

    it("[EVENTS-4] moves the cursor while nothing happens that was asked for", async () => {
      await using server = await startServer();
      const ask = await clientOf(era, server);
      const first = await poll(ask, ["a"]);
      const { id } = await server.publish("elsewhere", 1);
      const second = await poll(ask, ["a"], { cursor: first.cursor });
      assert.deepEqual([second.events, second.cursor, second.truncated], [[], id, false]);
    });

    it("[EVENTS-5] says that events are missing, and goes on from a fresh cursor, after one of another log", async () => {
      await using server = await startServer();
      const ask = await clientOf(era, server);
      await server.publish("a", 1);
      const page = await poll(ask, ["a"], { cursor: "anotherlog-7" });
      assert.equal(page.truncated, true);
      const { id } = await server.publish("a", 2);
      const next = await poll(ask, ["a"], { cursor: page.cursor });
      assert.deepEqual([next.events.map(({ eventId }) => eventId), next.truncated], [[id], false]);
    });

    it("[EVENTS-5] says that events are missing which the log no longer has", async () => {
      await using server = await startServer({ retentionMessages: 2 });
      const ask = await clientOf(era, server);
      const { cursor } = await poll(ask, ["a"]);
      for (let n = 0; n < 6; n++) await server.publish("a", n);
      const page = await poll(ask, ["a"], { cursor });
      assert.equal(page.truncated, true);
      assert.deepEqual(
        page.events.map(({ data }) => data["data"]),
        [4, 5],
      );
    });

    it("gives the events and senders that were asked for, of all channels of a pattern", async () => {
      await using server = await startServer();
      const ask = await clientOf(era, server);
      const { cursor } = await poll(ask, ["orders.*"]);
      await server.call("send_sse_message", { channel: "orders.eu", message: "1", event: "order", sender: "ada" });
      await server.call("send_sse_message", { channel: "orders.us", message: "2", event: "order", sender: "bob" });
      await server.call("send_sse_message", { channel: "orders.us", message: "3", event: "refund", sender: "ada" });
      await server.call("send_sse_message", { channel: "other", message: "4", event: "order", sender: "ada" });
      const texts = async (args: object): Promise<unknown> =>
        (await poll(ask, ["orders.*"], { cursor }, args)).events.map(({ data }) => data["data"]);
      assert.deepEqual(await texts({}), ["1", "2", "3"]);
      assert.deepEqual(await texts({ events: ["order"] }), ["1", "2"]);
      assert.deepEqual(await texts({ events: ["order"], senders: ["ada"] }), ["1"]);
      assert.partialDeepStrictEqual((await poll(ask, ["orders.*"], { cursor })).events[0]?.data, { via: "tool" });
    });

    it("[EVENTS-6] refuses what is wrong with the number of its kind", async () => {
      await using server = await startServer({ maxChannelsPerReader: 2 });
      const ask = await clientOf(era, server);
      const good = { name: "message.published", arguments: { channels: ["a"] } };
      const refusals: [object, number, RegExp][] = [
        [{ ...good, name: "nothing.happened" }, -32011, /there are message\.published/],
        [{ arguments: good.arguments }, -32602, /name is missing/],
        [{ ...good, cursor: "what" }, -32602, /cursor is "what"/],
        [{ ...good, cursor: 5 }, -32602, /cursor must be a text/],
        [{ ...good, maxEvents: 0 }, -32602, /maxEvents must be a whole number, 1 or more/],
        [{ ...good, maxAgeMs: -1 }, -32602, /maxAgeMs must be a whole number/],
        [{ name: good.name }, -32602, /channels is missing/],
        [{ ...good, arguments: 5 }, -32602, /arguments must be an object/],
        [{ ...good, arguments: { channels: [] } }, -32602, /channels/],
        [{ ...good, arguments: { channels: ["a"], colour: "red" } }, -32602, /unknown property "colour"/],
        [{ ...good, arguments: { channels: ["a b"] } }, -32602, /letters, digits/],
        [{ ...good, arguments: { channels: ["a", "b", "c"] } }, -32602, /at most 2/],
        [{ ...good, arguments: { channels: ["hub.logs"] } }, -32602, /not kept/],
      ];
      for (const [params, code, sentence] of refusals) {
        const { error } = await ask("events/poll", params);
        assert.equal(error?.code, code, JSON.stringify(params));
        assert.match(error?.message ?? "", sentence);
      }
      assert.deepEqual((await ask("events/poll", { name: "nothing.happened" })).error?.data, { kind: "event" });
    });
  });
}

describe("polling", { concurrency: true }, () => {
  it("[EVENTS-14] gives nothing that was not kept, nor what is to wake no agent", async () => {
    await using server = await startServer();
    const ask = await clientOf("2026-07-28", server);
    const { cursor } = await poll(ask, ["a"]);
    await server.hub.publish(draftOf("a", "gone", { ephemeral: true }));
    await server.hub.publish(draftOf("a", "quiet", { quiet: true }));
    await server.publish("a", "kept");
    const { events } = await poll(ask, ["a"], { cursor });
    assert.deepEqual(
      events.map(({ data }) => data["data"]),
      ["kept"],
    );
  });

  it("[EVENTS-5] leaves out what is older than may be, and says so", async (test) => {
    test.mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-11-28T10:00:00Z") });
    await using server = await startServer();
    const ask = await clientOf("2026-07-28", server);
    const { cursor } = await poll(ask, ["a"]);
    for (let n = 0; n < 20; n++) {
      await server.publish(n % 3 === 0 ? "b" : "a", n);
      test.mock.timers.setTime(Date.now() + 60_000);
    }
    const since = async (maxAgeMs: number, channel = "a"): Promise<unknown> => {
      const { events, truncated } = await poll(ask, [channel], { cursor, maxAgeMs });
      return [events.map(({ data }) => data["data"]), truncated];
    };
    assert.deepEqual(await since(5 * 60_000), [[16, 17, 19], true]);
    assert.deepEqual(await since(60 * 60_000, "b"), [[0, 3, 6, 9, 12, 15, 18], false]);
    assert.deepEqual(await since(0), [[], true]);
  });

  it("[EVENTS-6] has the numbers of SEP-3415 if that is its dialect", async () => {
    await using server = await startServer({ eventsDialect: "sep-3415" });
    const { error } = await mcp(server, "events/poll", { name: "nothing.happened" });
    assert.equal(error?.code, -32023);
  });

  it("[EVENTS-7] gives no one what they may not read, and says it as HTTP does", async () => {
    using ring = new KeyRing();
    const key = ring.add("reader", { subscribe: ["mine.*"] });
    await using server = await startServer({ apiKeysFile: ring.path });
    const ask = asHolder(server, key);
    const { cursor } = await poll(ask, ["mine.*"]);
    await server.hub.publish(draftOf("mine.a", 1));
    assert.equal((await poll(ask, ["mine.*"], { cursor })).events.length, 1);
    for (const method of ["events/poll", "events/stream"]) {
      const params = { name: "message.published", arguments: { channels: ["other"] } };
      const answer = await mcp(server, method, params, { headers: { authorization: `Bearer ${key}` } });
      assert.deepEqual([answer.status, answer.error?.code], [403, -32012], method);
      assert.match(String(answer.headers["www-authenticate"]), /insufficient_scope/);
    }
  });
});

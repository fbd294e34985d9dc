import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Answer, RequestOptions } from "../support/request.ts";
import { startServer, type Receipt, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const JSON_TYPE = { "content-type": "application/json" };

function post(
  server: TestServer,
  path: string,
  body: string | Uint8Array,
  headers: RequestOptions["headers"] = JSON_TYPE,
): Promise<Answer> {
  return server.request(path, { method: "POST", body, headers });
}

function problemOf(answer: Answer): { code: string; detail: string } {
  return answer.json() as { code: string; detail: string };
}

interface Page {
  readonly messages: readonly { readonly id: string; readonly data: unknown; readonly channel: string }[];
  readonly next: string;
  readonly more: boolean;
  readonly gap: { readonly reason: string; readonly after: string; readonly resumed: string } | null;
  readonly earlier?: string | null;
}

describe("POST /channels/{channel}/messages", () => {
  it("[PUB-1] publishes JSON as it is, and answers 201 with a receipt", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=orders.eu&format=json");
    const answer = await post(server, "/channels/orders.eu/messages?event=order&sender=shop", '{"n":1}');
    assert.equal(answer.status, 201);
    const receipt = answer.json() as Receipt;
    assert.deepEqual(Object.keys(receipt), ["id", "channel", "time", "receivers"]);
    assert.deepEqual([receipt.channel, receipt.receivers], ["orders.eu", 1]);
    const read = JSON.parse((await reader.next()).data) as Record<string, unknown>;
    assert.deepEqual(read, {
      id: receipt.id,
      channel: "orders.eu",
      event: "order",
      data: { n: 1 },
      sender: "shop",
      time: receipt.time,
    });
  });

  it("publishes text/plain as a string, with any charset said, and the empty string", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a&format=json");
    for (const [body, type] of [
      ["plain", "text/plain"],
      ["é 😀", "text/plain; charset=utf-8"],
      ["", "text/plain"],
      ["7", "TEXT/PLAIN"],
    ] as const) {
      assert.equal((await post(server, "/channels/a/messages", body, { "content-type": type })).status, 201);
      assert.equal((JSON.parse((await reader.next()).data) as { data: unknown }).data, body);
    }
  });

  it("keeps names that other code would take for its own", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a&format=json");
    const body = '{"__proto__":{"x":1},"constructor":{"prototype":{"y":2}}}';
    assert.equal((await post(server, "/channels/a/messages", body)).status, 201);
    assert.ok((await reader.next()).data.includes(`"data":${body}`));
    assert.equal(({} as { x?: number }).x, undefined);
  });

  it("[MSG-1] refuses what cannot be a message, says why, and publishes nothing", async () => {
    await using server = await startServer();
    const text = { "content-type": "text/plain" };
    const bad: readonly (readonly [string, string, RequestOptions["headers"], number, string, RegExp])[] = [
      ["/channels/a/messages", "{", JSON_TYPE, 400, "INVALID_JSON", /not JSON/],
      ["/channels/a/messages", "", JSON_TYPE, 400, "INVALID_JSON", /not JSON/],
      ["/channels/a/messages", "", {}, 400, "INVALID_MESSAGE", /data is missing/],
      ["/channels/a/messages", '"\\ud800"', JSON_TYPE, 400, "INVALID_MESSAGE", /half a surrogate pair/],
      ["/channels/a/messages", "x".repeat(65_537), text, 413, "MESSAGE_TOO_LARGE", /65537 bytes; at most 65536/],
      ["/channels/a/messages", "x".repeat(2 * 1024 * 1024), text, 413, "BODY_TOO_LARGE", /1048576 bytes/],
      ["/channels/a/messages?event=a%0Ab", "x", text, 400, "INVALID_MESSAGE", /event must be one line/],
      ["/channels/a/messages?event=a%0D", "x", text, 400, "INVALID_MESSAGE", /event must be one line/],
      ["/channels/a/messages?event=a%E2%80%A8b", "x", text, 400, "INVALID_MESSAGE", /event must be one line/],
      ["/channels/a/messages?event=gap", "x", text, 400, "INVALID_MESSAGE", /signals/],
      [`/channels/a/messages?event=${"e".repeat(65)}`, "x", text, 400, "INVALID_MESSAGE", /65 characters; at most 64/],
      ["/channels/a/messages?sender=a%00b", "x", text, 400, "INVALID_MESSAGE", /sender must be one line/],
      ["/channels/a/messages?ephemeral=yes", "x", text, 400, "INVALID_INPUT", /ephemeral/],
      ["/channels/a/messages?event=a&event=b", "x", text, 400, "INVALID_INPUT", /event must be a string, not an array/],
      ["/channels/..%2Fx/messages", "x", text, 400, "INVALID_CHANNEL", /words of letters/],
      ["/channels//messages", "x", text, 400, "INVALID_CHANNEL", /it is empty/],
      [`/channels/${"x".repeat(200)}/messages`, "x", text, 400, "INVALID_CHANNEL", /200 characters; at most 128/],
      [`/channels/${"x".repeat(5000)}/messages`, "x", text, 400, "INVALID_CHANNEL", /5000 characters; at most 128/],
      ["/channels/hub.secret/messages", "x", text, 400, "INVALID_CHANNEL", /reserved/],
      ["/channels/hub/messages", "x", text, 400, "INVALID_CHANNEL", /reserved/],
      ["/channels/a.*/messages", "x", text, 400, "INVALID_CHANNEL", /words of letters/],
    ];
    for (const [path, body, headers, status, code, sentence] of bad) {
      const answer = await post(server, path, body, headers);
      assert.deepEqual([answer.status, problemOf(answer).code], [status, code], path);
      assert.match(problemOf(answer).detail, sentence);
    }
    assert.equal(server.hub.stats.published, 0);
  });

  it("takes a channel of exactly 128 characters, and refuses one of 129", async () => {
    await using server = await startServer();
    assert.equal((await post(server, `/channels/${"x".repeat(128)}/messages`, "1")).status, 201);
    assert.equal((await post(server, `/channels/${"x".repeat(129)}/messages`, "1")).status, 400);
  });

  it("[HTTP-6] serves the next request on the same connection after a body it refused", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    for (const body of ["{", `"${"x".repeat(2 * 1024 * 1024)}"`, '"good"']) {
      wire.send(
        [
          "POST /channels/a/messages HTTP/1.1",
          "Host: localhost",
          "Content-Type: application/json",
          `Content-Length: ${body.length}`,
        ],
        body,
      );
      assert.equal((await wire.response()).status, body === "{" ? 400 : body === '"good"' ? 201 : 413);
    }
  });

  it("[PUB-3] answers the same Idempotency-Key with the message it made, and publishes once", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    const headers = { ...JSON_TYPE, "idempotency-key": "order-1" };
    const first = await post(server, "/channels/a/messages", '{"n":1}', headers);
    const second = await post(server, "/channels/a/messages", '{ "n": 1 }', headers);
    assert.deepEqual([first.status, second.status, second.headers["idempotent-replayed"]], [201, 200, "true"]);
    assert.equal((first.json() as Receipt).id, (second.json() as Receipt).id);
    assert.equal(first.headers["idempotent-replayed"], undefined);
    const together = await Promise.all([1, 2, 3].map(() => post(server, "/channels/b/messages", '"x"', headers)));
    assert.deepEqual(
      together.map(({ status }) => status).sort((a, b) => a - b),
      [200, 200, 201],
    );
    assert.equal(new Set(together.map((answer) => (answer.json() as Receipt).id)).size, 1);
    assert.equal(server.hub.log.size().messages, 2);
  });

  it("[PUB-4] answers the same Idempotency-Key with another body with 422", async () => {
    await using server = await startServer();
    const headers = { ...JSON_TYPE, "idempotency-key": "order-1" };
    const { id } = (await post(server, "/channels/a/messages", "1", headers)).json() as Receipt;
    for (const path of ["/channels/a/messages", "/channels/a/messages?event=other"]) {
      const answer = await post(server, path, path.includes("?") ? "1" : "2", headers);
      assert.deepEqual([answer.status, problemOf(answer).code], [422, "IDEMPOTENCY_KEY_REUSED"]);
      assert.ok(problemOf(answer).detail.includes(id));
    }
    assert.equal(server.hub.stats.published, 1);
  });

  it("refuses an Idempotency-Key that is empty, too long, or for a message that is not kept", async () => {
    await using server = await startServer();
    for (const [path, key] of [
      ["", ""],
      ["", "k".repeat(256)],
      ["?ephemeral=true", "k"],
    ] as const) {
      const answer = await post(server, `/channels/a/messages${path}`, "1", { ...JSON_TYPE, "idempotency-key": key });
      assert.deepEqual([answer.status, problemOf(answer).code], [400, "INVALID_MESSAGE"], key.slice(0, 9));
    }
  });
});

describe("GET /channels/{channel}/messages", () => {
  it("[HIST-1] pages through what is kept, by channel and by pattern", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    for (let n = 1; n <= 5; n++) await server.publish(n % 2 === 0 ? "orders.us" : "orders.eu", n);
    await server.publish("other", 6);
    const first = (await server.request("/channels/orders.*/messages?limit=3")).json() as Page;
    assert.deepEqual([first.messages.map(({ data }) => data), first.more, first.gap], [[1, 2, 3], true, null]);
    const second = (await server.request(`/channels/orders.*/messages?limit=3&after=${first.next}`)).json() as Page;
    assert.deepEqual([second.messages.map(({ data }) => data), second.more], [[4, 5], false]);
    const third = (await server.request(`/channels/orders.*/messages?after=${second.next}`)).json() as Page;
    assert.deepEqual([third.messages, third.next, third.gap], [[], second.next, null]);
    const one = (await server.request("/channels/orders.us/messages")).json() as Page;
    assert.deepEqual(
      one.messages.map(({ data }) => data),
      [2, 4],
    );
    const nothing = (await server.request("/channels/nobody/messages")).json() as Page;
    assert.deepEqual([nothing.messages, nothing.more, nothing.gap], [[], false, null]);
  });

  it("goes on with a stream where the page ends", async () => {
    await using server = await startServer();
    await server.publish("default", 1);
    const { next } = (await server.request("/channels/default/messages")).json() as Page;
    await server.publish("default", 2);
    using reader = await server.events("", { lastEventId: next });
    assert.equal((await reader.next()).data, "2");
  });

  it("[HIST-2] says what is missing where retention dropped it, and where the cursor means nothing here", async () => {
    await using server = await startServer({ retentionMessages: 2 });
    const ids = [];
    for (const n of [1, 2, 3, 4]) ids.push((await server.publish("a", n)).id);
    const expired = (await server.request(`/channels/a/messages?after=${ids[0]}`)).json() as Page;
    assert.deepEqual(expired.gap, { reason: "expired", after: ids[0], resumed: ids[1] });
    assert.deepEqual(
      expired.messages.map(({ data }) => data),
      [3, 4],
    );
    const unknown = (await server.request("/channels/a/messages?after=garbage")).json() as Page;
    assert.deepEqual([unknown.gap?.reason, unknown.messages, unknown.next], ["unknown_cursor", [], ids[3]]);
  });

  it("[HIST-3] pages back from the newest to the oldest, by channel and by pattern", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    for (let n = 1; n <= 7; n++) await server.publish(n % 2 === 0 ? "orders.us" : "orders.eu", n);
    for (const [pattern, expected] of [
      ["orders.*", [[5, 6, 7], [2, 3, 4], [1]]],
      ["orders.us", [[2, 4, 6]]],
      ["nobody", [[]]],
    ] as const) {
      const pages: unknown[][] = [];
      for (let before: string | null | undefined = "latest"; typeof before === "string";) {
        const page = (await server.request(`/channels/${pattern}/messages?limit=3&before=${before}`)).json() as Page;
        assert.equal(page.gap, null);
        pages.push(page.messages.map(({ data }) => data));
        before = page.earlier;
      }
      assert.deepEqual(pages, expected, pattern);
    }
    assert.equal("earlier" in ((await server.request("/channels/orders.*/messages")).json() as Page), false);
  });

  it("[HIST-4] reading on from the page before a place gives what came after it, and nothing twice", async () => {
    await using server = await startServer();
    for (const n of [1, 2, 3]) await server.publish("default", n);
    const last = (await server.request("/channels/default/messages?before=latest&limit=1")).json() as Page;
    assert.deepEqual([last.messages.map(({ data }) => data), last.more], [[3], false]);
    await server.publish("default", 4);
    using reader = await server.events("", { lastEventId: last.next });
    assert.deepEqual(await reader.data(1), ["4"]);
    const older = (await server.request(`/channels/default/messages?before=${last.earlier}&limit=1`)).json() as Page;
    assert.deepEqual([older.messages.map(({ data }) => data), older.more], [[2], true]);
    const rest = (await server.request(`/channels/default/messages?after=${older.next}`)).json() as Page;
    assert.deepEqual(
      rest.messages.map(({ data }) => data),
      [3, 4],
    );
  });

  it("[HIST-5] refuses before with after, and a before that is no cursor here", async () => {
    await using server = await startServer();
    const { id } = await server.publish("a", 1);
    for (const [query, sentence] of [
      [`before=${id}&after=${id}`, /^before and after/],
      ["before=garbage", /^before is not a cursor of this log.*"garbage"/],
      ["before=earliest", /^before is not a cursor of this log/],
      [`before=other-1`, /^before is not a cursor of this log/],
    ] as const) {
      const answer = await server.request(`/channels/a/messages?${query}`);
      assert.deepEqual([answer.status, problemOf(answer).code], [400, "INVALID_INPUT"], query);
      assert.match(problemOf(answer).detail, sentence);
    }
  });

  it("refuses a limit out of range and a pattern that is none, naming them", async () => {
    await using server = await startServer();
    const bad: readonly (readonly [string, string, RegExp])[] = [
      ["/channels/a/messages?limit=0", "INVALID_INPUT", /limit/],
      ["/channels/a/messages?limit=1001", "INVALID_INPUT", /limit/],
      ["/channels/a/messages?limit=1.5", "INVALID_INPUT", /limit/],
      ["/channels/a/messages?limit=many", "INVALID_INPUT", /limit must be a number, not a string/],
      ["/channels/a/messages?after=1&after=2", "INVALID_INPUT", /after must be a string, not an array/],
      ["/channels/a.*.b/messages", "INVALID_PATTERN", /stands alone/],
      ["/channels/hub.probe/messages", "INVALID_PATTERN", /reserved/],
      ["/channels?limit=x", "INVALID_INPUT", /limit must be a number, not a string/],
      ["/channels?pattern=a.*.b", "INVALID_PATTERN", /stands alone/],
    ];
    for (const [path, code, sentence] of bad) {
      const answer = await server.request(path);
      assert.deepEqual([answer.status, problemOf(answer).code], [400, code], path);
      assert.match(problemOf(answer).detail, sentence);
    }
  });
});

describe("GET /channels", () => {
  interface List {
    readonly channels: readonly {
      readonly channel: string;
      readonly readers: number;
      readonly messages: number;
      readonly lastId: string | null;
      readonly lastTime: string | null;
    }[];
    readonly more: boolean;
  }

  it("lists channels with messages or readers, by name, in pages", async () => {
    await using server = await startServer();
    const { id, time } = await server.publish("b.one", 1);
    await server.publish("b.two", 1);
    await server.publish("c", 1);
    using _ = await server.events("?channel=a,b.one,d.*");
    const all = (await server.request("/channels")).json() as List;
    assert.deepEqual(
      all.channels.map(({ channel }) => channel),
      ["a", "b.one", "b.two", "c"],
    );
    assert.deepEqual(all.channels[0], { channel: "a", readers: 1, messages: 0, lastId: null, lastTime: null });
    assert.deepEqual(all.channels[1], { channel: "b.one", readers: 1, messages: 1, lastId: id, lastTime: time });
    const page = (await server.request("/channels?limit=2")).json() as List;
    assert.deepEqual([page.channels.map(({ channel }) => channel), page.more], [["a", "b.one"], true]);
    const rest = (await server.request("/channels?limit=2&after=b.one")).json() as List;
    assert.deepEqual([rest.channels.map(({ channel }) => channel), rest.more], [["b.two", "c"], false]);
    const some = (await server.request("/channels?pattern=b.*")).json() as List;
    assert.deepEqual(
      some.channels.map(({ channel }) => channel),
      ["b.one", "b.two"],
    );
  });

  it("are as many as MAX_CHANNELS at most, and who would add one more is told what to raise", async () => {
    await using server = await startServer({ maxChannels: 2 });
    await server.publish("a", 1);
    await server.publish("b", 1);
    const headers = { "content-type": "application/json" };
    const refused = await server.request("/channels/c/messages", { method: "POST", headers, body: "1" });
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    assert.match((refused.json() as { detail: string }).detail, /raise MAX_CHANNELS$/);
    using reader = await server.frames("?channel=");
    await reader.next();
    const error = await reader.ask({ type: "publish", channel: "c", data: 1 });
    assert.deepEqual([error["code"], /MAX_CHANNELS/.test(String(error["message"]))], ["OVERLOADED", true]);
    const listed = (await server.request("/channels")).json() as List;
    assert.deepEqual(
      listed.channels.map(({ channel }) => channel),
      ["a", "b"],
    );
  });

  it("does not show the server's own channels", async () => {
    await using server = await startServer();
    await server.request("/health");
    using _ = await server.events("?channel=*");
    assert.deepEqual(((await server.request("/channels")).json() as List).channels, []);
  });
});

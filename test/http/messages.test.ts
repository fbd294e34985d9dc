import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Answer } from "../support/request.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

function problemOf(answer: Answer): { code: string; detail: string } {
  return answer.json() as { code: string; detail: string };
}

describe("GET /channels/{channel}/messages/{id}", { concurrency: true }, () => {
  it("[HIST-6] answers with the message, from memory and from a file, also after a restart", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    let path = "";
    for (const asked of ["memory:", data, data]) {
      await using server = await startServer({ data: asked });
      if (asked === "memory:" || path === "") {
        await server.publish("orders.us", 1);
        const { id } = await server.publish("orders.eu", { n: 2 });
        await server.publish("orders.us", 3);
        if (asked === data) path = `/channels/orders.eu/messages/${id}`;
        const page = (await server.request("/channels/orders.eu/messages")).json() as { messages: readonly unknown[] };
        const answer = await server.request(`/channels/orders.eu/messages/${id}`);
        assert.deepEqual([answer.status, answer.json()], [200, page.messages[0]]);
      } else assert.deepEqual(((await server.request(path)).json() as { data: unknown }).data, { n: 2 });
    }
  });

  it("[HIST-6] is 404 for a message of another channel, one that was dropped, and one that never was", async () => {
    await using server = await startServer({ retentionMessages: 2 });
    const { id: dropped } = await server.publish("a", 1);
    const { id: other } = await server.publish("b", 2);
    const { id: last } = await server.publish("a", 3);
    const [epoch, offset] = last.split("-") as [string, string];
    for (const id of [dropped, other, `${epoch}-0`, `${epoch}-${Number(offset) + 1}`, `x${epoch}-${offset}`]) {
      const answer = await server.request(`/channels/a/messages/${id}`);
      assert.deepEqual([answer.status, problemOf(answer).code], [404, "NOT_FOUND"], id);
      assert.match(problemOf(answer).detail, /^a has no message with this id: retention dropped it/);
    }
    assert.equal((await server.request(`/channels/a/messages/${last}`)).status, 200);
    // Written otherwise, it is still the message with its one id.
    const padded = await server.request(`/channels/a/messages/${last.replace(/(\d+)$/, "00$1")}`);
    assert.equal((padded.json() as { id: string }).id, last);
  });

  it("[HIST-6] refuses what is not an id, a pattern, and parameters, and says what would be right", async () => {
    await using server = await startServer();
    const { id } = await server.publish("a", 1);
    for (const [path, code, sentence] of [
      ["/channels/a/messages/earliest", "INVALID_INPUT", /^id is "earliest"; give the id of a message, such as /],
      ["/channels/a/messages/1", "INVALID_INPUT", /^id is "1"/],
      [`/channels/a/messages/${"x".repeat(5000)}`, "INVALID_INPUT", /^id is "x{64}"/],
      ["/channels/a/messages/%E2%80%AE-1", "INVALID_INPUT", /^id is "\ufffd-1"/],
      [`/channels/a.*/messages/${id}`, "INVALID_CHANNEL", /words of letters/],
      [`/channels/hub.stats/messages/${id}`, "INVALID_CHANNEL", /reserved/],
      [`/channels/a/messages/${id}?after=1`, "INVALID_INPUT", /after/],
    ] as const) {
      const answer = await server.request(path);
      assert.deepEqual([answer.status, problemOf(answer).code], [400, code], path.slice(0, 60));
      assert.match(problemOf(answer).detail, sentence);
    }
  });
});

interface Page {
  readonly messages: readonly { readonly id: string; readonly data: unknown; readonly channel: string }[];
  readonly next: string;
  readonly more: boolean;
  readonly earlier: string | null;
}

async function pageOf(server: TestServer, path: string): Promise<Page> {
  const answer = await server.request(path);
  assert.equal(answer.status, 200, answer.text);
  return answer.json() as Page;
}

/** All that is found, page after page. */
async function all(server: TestServer, path: string): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (let before: string | null = "latest"; before !== null;) {
    const { messages, earlier } = await pageOf(server, `${path}&before=${before}`);
    found.push(...messages.map(({ data }) => data));
    before = earlier;
  }
  return found;
}

describe("GET /messages and GET /channels/{channel}/messages with q", { concurrency: true }, () => {
  for (const kind of ["memory", "a file"]) {
    it(`[SRCH-3] finds what has the words, the newest first, on the channels asked for, in ${kind}`, async () => {
      using folder = new TemporaryFolder();
      await using server = await startServer({ data: kind === "memory" ? "memory:" : `file:${folder.file()}` });
      for (let n = 1; n <= 30; n++) {
        const channel = ["orders.eu", "orders.us", "news"][n % 3] ?? "";
        await server.publish(channel, { n, text: n % 2 === 0 ? "Payment failed" : "Payment made" });
      }
      const numbers = (found: readonly unknown[]): readonly number[] => found.map((data) => (data as { n: number }).n);
      const every = [30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2];
      assert.deepEqual(numbers(await all(server, "/messages?q=fail*&limit=4")), every);
      assert.deepEqual(
        numbers(await all(server, "/channels/orders.*/messages?q=failed&limit=2")),
        every.filter((n) => n % 3 < 2),
      );
      assert.deepEqual(numbers(await all(server, "/messages?q=failed+12&channel=orders.eu")), [12]);
      assert.deepEqual(
        numbers(await all(server, "/messages?q=%22payment+made%22&channel=news,orders.us&limit=3")),
        [29, 25, 23, 19, 17, 13, 11, 7, 5, 1],
      );
      assert.deepEqual(await all(server, "/messages?q=refund"), []);
      const { id } = await server.publish("news", "failed");
      const first = await pageOf(server, "/messages?q=failed&limit=2");
      assert.deepEqual([first.messages[0]?.id, first.next, first.more], [id, id, false]);
      await server.publish("news", "failed again");
      const later = await pageOf(server, `/channels/*/messages?after=${first.next}`);
      assert.deepEqual(
        later.messages.map(({ data }) => data),
        ["failed again"],
      );
    });
  }

  it("[SRCH-4] searches all that the caller may read, and nothing else", async () => {
    const ring = new KeyRing();
    using _ = ring;
    const orders = ring.add("orders", { publish: ["*"], subscribe: ["orders.*"] });
    const writer = ring.add("writer", { publish: ["*"] });
    await using server = await startServer({ apiKeysFile: ring.path });
    const headers = { authorization: `Bearer ${orders}` };
    for (const channel of ["orders.eu", "secret"])
      await server.request(`/channels/${channel}/messages`, { method: "POST", headers, body: `word on ${channel}` });
    const found = (await server.request("/messages?q=word", { headers })).json() as Page;
    assert.deepEqual(
      found.messages.map(({ data }) => data),
      ["word on orders.eu"],
    );
    for (const path of ["/messages?q=word&channel=secret", "/messages?q=word&channel=orders.eu,*"])
      assert.equal((await server.request(path, { headers })).status, 403, path);
    const other = { authorization: `Bearer ${writer}` };
    assert.equal((await server.request("/messages?q=word", { headers: other })).status, 403);
    assert.equal((await server.request("/messages?q=word")).status, 401);
  });

  it("[SRCH-2] refuses what it cannot search for, and says what would be right", async () => {
    await using server = await startServer({ maxChannelsPerReader: 2 });
    const { id } = await server.publish("a", 1);
    for (const [path, code, sentence] of [
      ["/messages", "INVALID_INPUT", /^q is (?:missing|required)/],
      ["/messages?q=", "INVALID_INPUT", /^q has no letters or digits/],
      ["/channels/a/messages?q=!", "INVALID_INPUT", /^q has no letters or digits/],
      [`/messages?q=${"x".repeat(300)}`, "INVALID_INPUT", /^q has 300 characters/],
      ["/messages?q=a&q=b", "INVALID_INPUT", /^q must be a string, not an array/],
      [`/channels/a/messages?q=a&after=${id}`, "INVALID_INPUT", /^q and after ask for different pages/],
      ["/messages?q=a&before=x-1", "INVALID_INPUT", /^before is not a cursor of this log/],
      ["/messages?q=a&limit=1001", "INVALID_INPUT", /^limit/],
      ["/messages?q=a&channel=a.*.b", "INVALID_PATTERN", /stands alone/],
      ["/messages?q=a&channel=a,b&channel=c", "TOO_MANY_CHANNELS", /^3 channels are asked for; at most 2/],
      ["/messages?q=%ff", "INVALID_INPUT", /not percent-encoded UTF-8/],
      ["/messages?q=a&sender=b", "INVALID_INPUT", /sender/],
    ] as const) {
      const answer = await server.request(path);
      assert.deepEqual([answer.status, problemOf(answer).code], [400, code], path.slice(0, 60));
      assert.match(problemOf(answer).detail, sentence);
    }
  });

  it("[SRCH-5] ends a page before it is too large, and goes on from there", async () => {
    await using server = await startServer({ maxMessageBytes: 1024 * 1024, maxBodyBytes: 2 * 1024 * 1024 });
    for (let n = 0; n < 3; n++) await server.publish("a", `${n} ${"word ".repeat(50_000)}`);
    const first = await pageOf(server, "/messages?q=word");
    assert.deepEqual([first.messages.length, first.earlier === null], [2, false]);
    assert.equal((await pageOf(server, `/messages?q=word&before=${first.earlier}`)).messages.length, 1);
  });

  it("[SRCH-6] read_messages searches with query, and goes on with after", async () => {
    await using server = await startServer();
    for (let n = 1; n <= 5; n++) await server.publish("a", n === 3 ? "nothing" : `word ${n}`);
    const first = await server.call("read_messages", { channel: "*", query: "word", limit: 3 });
    const { messages, next, more } = first.structuredContent as unknown as Page;
    assert.deepEqual([messages.map(({ data }) => data), more], [["word 5", "word 4", "word 2"], true]);
    assert.match(first.content[0]?.text ?? "", new RegExp(`\nOlder ones with the same query and after: ${next}$`));
    const last = await server.call("read_messages", { channel: "*", query: "word", after: next });
    assert.match(last.content[0]?.text ?? "", /word 1\nThere are no older ones$/);
    const end = last.structuredContent as unknown as Page;
    const none = await server.call("read_messages", { channel: "*", query: "word", after: end.next });
    assert.deepEqual([(none.structuredContent as unknown as Page).messages, end.more], [[], false]);
    for (const letter of ["x", "y"]) await server.publish("b", `long ${letter.repeat(300)}`);
    const asked = { channel: "b", query: "long", maxBytes: 1000 };
    const cut = (await server.call("read_messages", asked)).structuredContent as unknown as Page;
    assert.deepEqual([cut.messages.length, cut.more], [1, true]);
    const rest = (await server.call("read_messages", { ...asked, after: cut.next })).structuredContent;
    assert.match(String((rest as unknown as Page).messages[0]?.data), /^long xxx/);
    for (const [input, sentence] of [
      [{ query: "!" }, /^read_messages: query has no letters/],
      [{ query: "a", after: "x-1" }, /^read_messages: after is not a cursor of this log/],
    ] as const) {
      const { isError, content } = await server.call("read_messages", { channel: "a", ...input });
      assert.equal(isError, true);
      assert.match(content[0]?.text ?? "", sentence);
    }
  });
});

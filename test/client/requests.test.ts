import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { connect, type HubClientError } from "../../src/client/index.ts";
import { needsBrowser, openBrowser } from "../support/browser.ts";
import { ClientPages } from "../support/client-page.ts";
import { HubRig } from "../support/hub-rig.ts";
import { until } from "../support/until.ts";

const RECEIPT = { id: "e-1", channel: "a", time: "2026-01-01T00:00:00.000Z", receivers: 0 };
const NEVER = new Promise<never>(() => {});

/** What something rejects with. */
async function failure(what: Promise<unknown>): Promise<HubClientError> {
  try {
    await what;
  } catch (error) {
    return error as HubClientError;
  }
  throw new Error("nothing was thrown");
}

function answering(body: unknown, seen: (init: RequestInit) => void = () => {}): typeof fetch {
  return async (_, init = {}) => {
    seen(init);
    return Response.json(body);
  };
}

describe("publishing and calling tools", { concurrency: true }, () => {
  it("a publication or call refuses a number that JSON would turn into null, and sends nothing", async () => {
    await using rig = await HubRig.open();
    for (const transport of ["sse", "websocket"] as const) {
      await using hub = connect(rig.front.url, { transport });
      for (const number of [NaN, Infinity, -Infinity]) {
        for (const ask of [() => hub.publish("a", { n: [number, null] }), () => hub.call("x", { n: number })]) {
          const { code, final, message } = await failure(ask());
          assert.deepEqual([code, final], ["INVALID_MESSAGE", true]);
          assert.match(
            message,
            new RegExp(`^(?:data|arguments) holds ${number}, which JSON has no number for; send it as a string$`),
          );
        }
      }
      assert.equal((await hub.publish("a", { n: null })).channel, "a");
    }
    assert.equal(rig.server.hub.stats.published, 2);
  });

  it("a publication with a time is kept for later, once also if its answer is lost", async () => {
    await using rig = await HubRig.open();
    for (const transport of ["sse", "websocket"] as const) {
      await using hub = connect(rig.front.url, { transport });
      await rig.control.loseAnswer("POST /channels/a/messages");
      const at = new Date(Date.now() + 86_400_000);
      const receipt = await hub.publish("a", { n: 1 }, { at });
      assert.deepEqual([receipt.channel, receipt.at], ["a", at.toISOString()]);
      const soon = await hub.publish("a", 2, { delaySeconds: 3600, event: "x" });
      assert.ok(soon.at < receipt.at);
      const answer = await rig.server.request("/scheduled");
      const { scheduled } = answer.json() as { scheduled: { id: string; at: string }[] };
      assert.deepEqual(
        scheduled.map(({ id }) => id),
        [soon.id, receipt.id],
      );
      for (const { id } of scheduled) await rig.server.request(`/scheduled/${id}`, { method: "DELETE" });
      const { code, final } = await failure(hub.publish("a", 1, { at: new Date(NaN) }));
      assert.deepEqual([code, final], ["INVALID_INPUT", true]);
      assert.equal((await failure(hub.publish("a", 1, { at: "09:00" }))).code, "INVALID_INPUT");
    }
    assert.equal(rig.server.hub.stats.published, 0);
  });

  for (const status of [301, 302, 303, 307, 308]) {
    it(`a publication or call fails for good and names the new address if a server answers ${status}`, async () => {
      await using rig = await HubRig.open();
      const { url } = rig.server;
      await using hub = connect(rig.front.url);
      for (const [path, ask] of [
        ["/channels/a/messages?event=x", () => hub.publish("a", 1, { event: "x" })],
        ["/mcp/tools/list", () => hub.tools()],
        ["/mcp/tools/call", () => hub.call("get_server_info")],
      ] as const) {
        await rig.control.answer("POST /", status, { location: `${url}${path}` });
        const error = await failure(ask());
        assert.deepEqual([error.code, error.final, error.status], ["REDIRECTED", true, status]);
        assert.ok(error.message.includes(`"${url}/"`), error.message);
      }
      assert.equal(rig.server.hub.stats.published, 0);
    });
  }

  it("a publication fails for good through a redirect in Chromium, too, which does not say where to", async (test) => {
    await using browser = await openBrowser();
    if (!needsBrowser(test, browser)) return;
    await using pages = await ClientPages.open();
    await using rig = await HubRig.open();
    await rig.control.answer("POST /", 301, { location: `${rig.server.url}/channels/a/messages` });
    const page = await pages.page(await browser.newContext());
    const told = await page.evaluate(
      `client.connect("${rig.front.url}").publish("a", 1).catch(({ code, final, status }) => [code, final, status])`,
    );
    assert.deepEqual(told, ["REDIRECTED", true, undefined]);
  });

  it("a subscription reads through a redirect", async () => {
    await using rig = await HubRig.open();
    await rig.control.answer("GET /", 301, { location: `${rig.server.url}/events?channel=a&format=json` });
    await using hub = connect(rig.front.url);
    await hub.subscribe("a").ready;
  });

  it("a subscription takes its credentials through no redirect, and names the new address", async () => {
    await using rig = await HubRig.open();
    let arrived = 0;
    await using other = createServer((_, response) => void response.end(String(arrived++))).listen(0, "127.0.0.1");
    await once(other, "listening");
    const there = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    await rig.control.answer("GET /", 307, { location: `${there}/events` });
    for (const options of [{ headers: { "x-api-key": "secret" } }, { token: () => "secret" }]) {
      await using hub = connect(rig.front.url, options);
      const error = await failure(hub.subscribe("a").ready);
      assert.deepEqual([error.code, error.final, error.status], ["REDIRECTED", true, 307]);
      assert.ok(error.message.includes(`"${there}/events"`), error.message);
    }
    assert.equal(arrived, 0);
  });

  it("a publication or call takes nothing for an answer that does not have its shape", async () => {
    const { id: _, ...withoutId } = RECEIPT;
    for (const body of [null, [], {}, { messages: [], next: "e-1", more: false, gap: null }, withoutId]) {
      await using hub = connect("http://localhost/", { fetch: answering(body) });
      for (const ask of [() => hub.publish("a", 1), () => hub.tools(), () => hub.call("get_server_info")]) {
        const { code, final } = await failure(ask());
        assert.deepEqual([code, final], ["NOT_A_HUB", true]);
      }
    }
    await using hub = connect("http://localhost/", { fetch: answering(RECEIPT) });
    assert.deepEqual(await hub.publish("a", 1), RECEIPT);
  });

  it("a publication or call ends in time, and with its hub, if the headers never come", async () => {
    await using rig = await HubRig.open();
    await using hasty = connect(rig.front.url, { headers: () => NEVER, timeout: 50 });
    assert.equal((await failure(hasty.publish("a", 1))).code, "TIMEOUT");
    const hub = connect(rig.front.url, { headers: () => NEVER });
    const error = failure(hub.call("get_server_info"));
    hub.close();
    assert.equal((await error).code, "CLOSED");
  });

  it("a subscription that ends while the headers do not come leaves nothing behind", async () => {
    await using rig = await HubRig.open();
    let headers: () => Promise<Record<string, string>> = () => NEVER;
    await using hub = connect(rig.front.url, { headers: () => headers() });
    const subscription = hub.subscribe("a");
    await until("it connects", () => hub.state.kind === "connecting");
    subscription.close();
    await until("it rests", () => hub.state.kind === "idle", 5000);
    headers = async () => ({});
    await hub.subscribe("a").ready;
  });

  it("a timeout longer than any timer runs is never over", async () => {
    for (const timeout of [Infinity, 2 ** 31]) {
      let answer: (response: Response) => void = () => {};
      const fetch = (): Promise<Response> => new Promise((resolve) => (answer = resolve));
      await using hub = connect("http://localhost/", { fetch, timeout });
      const receipt = hub.publish("a", 1);
      // Whatever is due at once comes before it.
      setTimeout(() => answer(Response.json(RECEIPT)), 20);
      assert.deepEqual(await receipt, RECEIPT);
    }
  });

  it("a publication is sent again after a wait longer than any timer runs no sooner than that", async () => {
    let asked = 0;
    const fetch = async (): Promise<Response> => {
      asked++;
      return new Response("", { status: 503, headers: { "retry-after": "31536000" } });
    };
    await using hub = connect("http://localhost/", { fetch, timeout: 50 });
    assert.equal((await failure(hub.publish("a", 1))).code, "TIMEOUT");
    assert.equal(asked, 1);
  });

  it("a wake ends the wait for another attempt", async () => {
    const answers = [new Response("", { status: 503, headers: { "retry-after": "31536000" } }), Response.json(RECEIPT)];
    await using hub = connect("http://localhost/", { fetch: async () => answers.shift() as Response });
    const receipt = hub.publish("a", 1);
    await until("it was refused", () => {
      hub.wake();
      return answers.length === 0;
    });
    assert.deepEqual(await receipt, RECEIPT);
  });

  it("the client reads no more of a refusal or an answer than it needs", async () => {
    for (const [status, most] of [
      [400, 2],
      [200, 66],
    ] as const) {
      let sent = 0;
      let isCancelled = false;
      const part = Buffer.alloc(1024 * 1024, "x");
      const fetch = async (): Promise<Response> => {
        const pull = (body: ReadableStreamDefaultController): void => {
          sent++;
          body.enqueue(part);
        };
        const body = new ReadableStream({ pull, cancel: () => void (isCancelled = true) });
        return new Response(body, { status, headers: { "content-type": "application/json" } });
      };
      await using hub = connect("http://localhost/", { fetch });
      const { code, final } = await failure(hub.publish("a", 1));
      assert.deepEqual([code, final, isCancelled], [status === 200 ? "TOO_LARGE" : "REFUSED", true, true]);
      assert.ok(sent <= most, `${sent} MiB were read`);
    }
  });

  it("a publication is sent again exactly if the hub says so, and by the status if no hub says anything", async () => {
    const answered = async (status: number, body: object): Promise<boolean> => {
      const answers = [Response.json(body, { status }), Response.json(RECEIPT)];
      await using hub = connect("http://localhost/", { fetch: async () => answers.shift() as Response, retry: 1 });
      return await hub.publish("a", 1).then(
        () => true,
        () => false,
      );
    };
    const code = "SOME_CODE";
    assert.deepEqual(
      await Promise.all([
        answered(500, { code, retry: false }),
        answered(409, { code, retry: true }),
        answered(500, { code }),
        answered(409, { code }),
        answered(500, { error: { data: { code, retry: false } } }),
        answered(409, { retry: true }),
      ]),
      [false, true, true, false, false, false],
    );
  });

  it("[WS-3] a publication over a WebSocket fails for now or for good, as the frame says", async () => {
    await using rig = await HubRig.open();
    await using hub = connect(rig.front.url, { transport: "websocket" });
    await hub.subscribe("a").ready;
    const large = await failure(hub.publish("a", "x".repeat(100_000)));
    rig.server.hub.publish = () => Promise.reject(new Error("broken"));
    const broken = await failure(hub.publish("a", 1));
    assert.deepEqual(
      [large, broken].map(({ code, final, retryAfter }) => [code, final, retryAfter]),
      [
        ["MESSAGE_TOO_LARGE", true, undefined],
        ["INTERNAL", false, 2000],
      ],
    );
  });

  it("a publication ends in time, and with its hub, if a fetch of the caller's looks at no signal", async () => {
    await using hasty = connect("http://localhost/", { fetch: () => NEVER, timeout: 50 });
    assert.equal((await failure(hasty.publish("a", 1))).code, "TIMEOUT");
    const hub = connect("http://localhost/", { fetch: () => NEVER });
    const error = failure(hub.publish("a", 1));
    hub.close();
    assert.equal((await error).code, "CLOSED");
  });

  it("a publication sends each header once, its own before yours, whatever case they are given in", async () => {
    const seen: unknown[] = [];
    const fetch = answering(RECEIPT, ({ headers }) => seen.push(headers));
    const headers = { "Content-Type": "text/plain", Authorization: "Bearer x" };
    await using hub = connect("http://localhost/", { fetch, headers });
    await hub.publish("a", 1, { key: "k" });
    assert.deepEqual(seen, [{ authorization: "Bearer x", "content-type": "application/json", "idempotency-key": "k" }]);
  });

  it("a publication refuses what cannot be a channel before anything is sent", async () => {
    let asked = 0;
    await using hub = connect("http://localhost/", { fetch: answering(RECEIPT, () => asked++) });
    for (const channel of ["..", ".", "", "a/b", "a b", "*", "orders.*", "a..b"]) {
      const { code, final } = await failure(hub.publish(channel, 1));
      assert.deepEqual([code, final], ["INVALID_CHANNEL", true], channel);
    }
    assert.equal(asked, 0);
  });

  it("a publication rejects with what is not a failure of the hub as it is", async () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    await using hub = connect("http://localhost/", { fetch: answering(RECEIPT) });
    for (const data of [circular, 1n]) assert.ok((await failure(hub.publish("a", data))) instanceof TypeError);
    const reason = new Error("enough");
    assert.equal(await failure(hub.publish("a", 1, { signal: AbortSignal.abort(reason) })), reason);
    const broken = new Error("no token");
    const headers = (): never => {
      throw broken;
    };
    await using other = connect("http://localhost/", { fetch: answering(RECEIPT), headers });
    assert.equal(await failure(other.publish("a", 1)), broken);
  });
});

describe("what has been answered", () => {
  it("an answered publication leaves no timer and no listener behind", async (test) => {
    const set = test.mock.method(globalThis, "setTimeout").mock;
    const cleared = test.mock.method(globalThis, "clearTimeout").mock;
    const { signal } = new AbortController();
    const hub = connect("http://localhost/", { fetch: answering(RECEIPT), headers: async () => ({}) });
    await Promise.all(Array.from({ length: 20 }, () => hub.publish("a", 1, { signal })));
    const never = failure(connect("http://localhost/", { fetch: () => NEVER, signal: AbortSignal.abort() }).tools());
    const over = new Set(cleared.calls.map((call) => call.arguments[0]));
    const timers = set.calls.filter((call) => call.arguments[1] === 60_000).map((call) => call.result);
    assert.equal(timers.length, 21);
    assert.ok(timers.every((timer) => over.has(timer)));
    assert.equal(getEventListeners(signal, "abort").length, 0);
    assert.equal((await never).code, "CLOSED");
    hub.close();
  });
});

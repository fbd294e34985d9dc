import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** A page that opens an `EventSource` and a WebSocket, and keeps what they bring. */
const OPEN = (url: string): string => `
  globalThis.got = [];
  globalThis.ended = [];
  globalThis.events = new EventSource("${url}/events", { withCredentials: true });
  events.onmessage = ({ data }) => got.push("events " + data);
  events.onerror = () => ended.push("events " + events.readyState);
  globalThis.socket = new WebSocket("${url.replace("http", "ws")}/ws");
  socket.onmessage = ({ data }) => JSON.parse(data).type === "message" && got.push("socket " + JSON.parse(data).data);
  socket.onclose = ({ code }) => ended.push("socket " + code);`;

/** Logs in with a key on the login page, which leads to `next`. */
async function logIn(page: Page, { url }: TestServer, key: string, next = "/"): Promise<void> {
  await page.goto(`${url}/login?next=${encodeURIComponent(next)}`);
  await page.fill("#token", key);
  await page.locator("#login button:enabled").click();
  await page.waitForURL(`${url}${next}`);
}

async function got(page: Page): Promise<readonly string[]> {
  return page.evaluate<readonly string[]>("got");
}

async function openPage(browser: Browser): Promise<Page> {
  return (await browser.newContext()).newPage();
}

describeInBrowser("logging in with a key", { concurrency: 2 }, (it) => {
  it("the chat asks to log in, then sends under the verified name, and logs out", async (browser) => {
    using keys = new KeyRing();
    const ann = keys.add("Ann", { publish: ["team.*"], subscribe: ["team.*"] });
    const bot = keys.add("bot", { publish: ["team.*"], sendAs: true });
    await using server = await startServer({ apiKeysFile: keys.path });
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/chat#team.a`);
    await page.locator(".refused").getByText("Log in to read and write here").waitFor();
    await page.locator(".refused a").click();
    await page.waitForURL(/\/login\?next=/);
    await page.fill("#token", "hub_aaaaaaaa_wrong");
    await page.locator("#login button:enabled").click();
    await page.locator("#said", { hasText: "not valid here" }).waitFor();
    assert.deepEqual(complaints.splice(0), [
      "console: Failed to load resource: the server responded with a status of 401 (Unauthorized)",
    ]);
    await page.fill("#token", ann);
    await page.locator("#login button:enabled").click();
    await page.waitForURL(`${server.url}/chat#team.a`);
    await page.locator("#person", { hasText: "Ann" }).waitFor();
    assert.equal(await page.inputValue("#nickname"), "Ann");
    assert.equal(await page.getAttribute("#nickname", "readonly"), "");
    await page.fill("#text", "It is me");
    await page.press("#text", "Enter");
    const mine = page.locator("#rows .row", { hasText: "It is me" });
    await mine.waitFor();
    const forged = await server.request("/channels/team.a/messages?sender=Ann", {
      method: "POST",
      headers: { "x-api-key": bot },
      body: JSON.stringify("It is not me"),
    });
    assert.equal(forged.status, 201);
    const other = page.locator("#rows .row", { hasText: "It is not me" });
    await other.waitFor();
    assert.deepEqual(
      [await mine.locator(".verified").innerText(), await other.locator(".verified").count()],
      ["✓\nverified", 0],
    );
    assert.equal(await other.locator(".name").innerText(), "Ann");
    const [cookie] = await page.context().cookies();
    assert.deepEqual(
      [cookie?.name, cookie?.httpOnly, cookie?.secure, cookie?.sameSite],
      ["__Host-hub", true, true, "Strict"],
    );
    assert.equal(await page.evaluate("document.cookie"), "");
    await page.click("#log-out");
    await page.locator(".refused a").waitFor();
    assert.deepEqual(await page.context().cookies(), []);
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  it("bare EventSource and WebSocket work with the session, over a restart, until the key is revoked", async (browser) => {
    using keys = new KeyRing();
    const key = keys.add("ann", { subscribe: ["default"] });
    const admin = keys.add("boss", { admin: true });
    const data = `file:${keys.folder.file("hub.db")}`;
    let server = await startServer({ apiKeysFile: keys.path, data });
    const { port } = server;
    const publish = async (message: string): Promise<void> => {
      const headers = { "x-api-key": admin };
      const answer = await server.request("/channels/default/messages", { method: "POST", headers, body: message });
      assert.equal(answer.status, 201, answer.text);
    };
    const page = await openPage(browser);
    try {
      await logIn(page, server, key);
      await page.goto(`${server.url}/health/live`);
      await page.evaluate(OPEN(server.url));
      await until("both read", () => server.hub.size === 2);
      await publish("1");
      await until("both have it", async () => (await got(page)).length === 2);
      assert.deepEqual([...(await got(page))].sort(), ["events 1", "socket 1"]);
      await server.close();
      server = await startServer({ apiKeysFile: keys.path, data, port });
      await until("it is back", () => server.hub.size === 1);
      await publish("2");
      await until("it has it", async () => (await got(page)).includes("events 2"));
      keys.revoke("ann");
      await until("it is refused for good", async () => (await page.evaluate<number>("events.readyState")) === 2);
    } finally {
      await server.close();
      await page.context().close();
    }
  });

  it("[BRW-3] a page of another site can neither read, open a socket nor publish in the name of who is logged in", async (browser) => {
    using keys = new KeyRing();
    const key = keys.add("ann", { publish: ["*"], subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    await using host = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>")).listen(
      0,
    );
    await once(host, "listening");
    const { port } = host.address() as AddressInfo;
    const page = await openPage(browser);
    await logIn(page, server, key);
    // Another site is another name, and no one without the cookie. Another port is the same site and sends the cookie.
    for (const [site, code] of [
      [`http://localhost:${port}`, 4102],
      [`http://127.0.0.1:${port}`, 1006],
    ] as const) {
      await page.goto(`${site}/`);
      await page.evaluate(OPEN(server.url));
      const publish = (options: string): Promise<unknown> =>
        page.evaluate(
          `fetch("${server.url}/channels/default/messages", { method: "POST", body: "forged", credentials: "include", ${options} })
            .then(({ status, type }) => type + " " + status, () => "refused")`,
        );
      assert.equal(await publish(""), "refused", site);
      assert.match(String(await publish(`mode: "no-cors"`)), /^(?:refused|opaque 0)$/, site);
      const read = `fetch("${server.url}/channels", { credentials: "include" }).then(() => "read", () => "refused")`;
      assert.equal(await page.evaluate(read), "refused", site);
      await until("both are over", async () => (await page.evaluate<string[]>("ended")).length === 2);
      assert.deepEqual((await page.evaluate<string[]>("ended")).sort(), ["events 2", `socket ${code}`], site);
      assert.deepEqual(await got(page), [], site);
    }
    assert.deepEqual([server.hub.size, server.hub.stats.published], [0, 0]);
    await page.context().close();
  });

  it("the dashboard says that it is for admins, and shows itself to one", async (browser) => {
    using keys = new KeyRing();
    const [ann, boss] = [keys.add("ann", { subscribe: ["*"] }), keys.add("boss", { admin: true })];
    await using server = await startServer({ apiKeysFile: keys.path });
    const { page, complaints } = await watchedPage(browser, server.url);
    await logIn(page, server, ann, "/dashboard");
    await page.locator(".refused", { hasText: "You are logged in as ann, who may do other things here." }).waitFor();
    await page.locator(".refused a").click();
    await page.locator("main", { hasText: "You are logged in as ann" }).waitFor();
    await page.fill("#token", boss);
    await page.locator("#login button:enabled").click();
    await page.locator("#state", { hasText: "Live" }).waitFor();
    await page.locator("#person", { hasText: "boss" }).waitFor();
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  it("[BRW-7] the start page shows what one may see, and the login page does not lead elsewhere", async (browser) => {
    using keys = new KeyRing();
    const key = keys.add("ann", { publish: ["default"], subscribe: ["default"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(server.url);
    await page.locator(".refused", { hasText: "Log in to read and publish here" }).waitFor();
    for (const elsewhere of ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]) {
      await page.goto(`${server.url}/login?next=${encodeURIComponent(elsewhere)}`);
      await page.fill("#token", key);
      await page.locator("#login button:enabled").click();
      await page.waitForURL(`${server.url}/`);
    }
    await page.locator("#state", { hasText: "Running" }).waitFor();
    await page.fill("#text", "hello");
    await page.locator("#say button").click();
    await page.locator("#messages li", { hasText: "ann: hello" }).waitFor();
    assert.equal(await page.locator(".numbers").count(), 0);
    assert.deepEqual(complaints, []);
    await page.goto(`${server.url}/login`);
    await page.locator("#login button:enabled").waitFor();
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<{ violations: readonly { id: string }[] }>("axe.run()");
    assert.deepEqual(
      violations.map(({ id }) => id),
      [],
    );
    await page.context().close();
  });
});

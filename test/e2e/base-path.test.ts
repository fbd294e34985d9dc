import assert from "node:assert/strict";
import { after, before, describe, it as test, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { connect } from "../../src/client/index.ts";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { Cli, runCli } from "../support/cli.ts";
import { FrameReader } from "../support/frame-reader.ts";
import { KeyRing } from "../support/keys.ts";
import { openSdkClient } from "../support/mcp-clients.ts";
import { needs } from "../support/needs.ts";
import { NGINX_HEADERS, Proxy } from "../support/proxy.ts";
import { request } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { openStdioClient } from "../support/stdio-clients.ts";
import { until } from "../support/until.ts";

/** nginx in front of a hub below a path: one removes the path, the other passes it on. */
const LOCATIONS = {
  removes: (hub: number) => `location /hub/ { proxy_pass http://127.0.0.1:${hub}/; ${NGINX_HEADERS} }
    location = /hub { proxy_pass http://127.0.0.1:${hub}/; ${NGINX_HEADERS} }`,
  "passes on": (hub: number) => `location /hub { proxy_pass http://127.0.0.1:${hub}; ${NGINX_HEADERS} }`,
};

function needsNginx(context: TestContext): boolean {
  return needs(context, "nginx", Proxy.has("nginx"), "apt-get install nginx");
}

describeInBrowser("a hub below a path, in a browser", { concurrency: 1 }, (it) => {
  for (const [does, location] of Object.entries(LOCATIONS)) {
    it(`[HTTP-44] shows its pages, logs in and chats where a proxy ${does} the path`, async (browser, context) => {
      if (!needsNginx(context)) return;
      using keys = new KeyRing();
      const key = keys.add("Ann", { admin: true });
      await using server = await startServer({ basePath: "/hub", env: "production", apiKeysFile: keys.path });
      await using proxy = await Proxy.nginx(location(server.port));
      const base = `${proxy.url}/hub`;
      const { page, complaints } = await watchedPage(browser, base);
      // Without a slash, as people type it; the browser's own request for it is below no path.
      await page.goto(base);
      await page.waitForURL(`${base}/`);
      await page.locator(".refused", { hasText: "Log in" }).waitFor();
      await page.locator(".refused a").click();
      await page.waitForURL(`${base}/login?next=%2Fhub%2F`);
      await page.fill("#token", key);
      await page.locator("#login button:enabled").click();
      await page.waitForURL(`${base}/`);
      const cookies = await page.context().cookies(`${base}/`);
      assert.deepEqual(
        cookies.map(({ name, path }) => [name, path]),
        [["__Secure-hub", "/hub"]],
      );
      assert.deepEqual(await page.context().cookies(`${proxy.url}/`), [], "what else is there is not sent it");
      await page.locator("#state", { hasText: "Running" }).waitFor();
      assert.match(await page.locator("#curl").innerText(), new RegExp(`curl ${base}/channels/default/messages`));
      await chats(page, base, server, key);
      await page.goto(`${base}/dashboard`);
      await page.locator("#state", { hasText: "Live" }).waitFor();
      await page.goto(`${base}/docs`);
      await page.getByText("Whether messages are delivered").first().waitFor();
      await page.goto(`${base}/guide`);
      await page.waitForURL(`${base}/guide/`);
      await page.locator("h1").first().waitFor();
      complaints.splice(0, complaints.length, ...complaints.filter((text) => text !== `request: ${base}`));
      assert.deepEqual(complaints, []);
      await page.context().close();
    });
  }
});

/** Sends and receives in the chat, which the links of the page lead to. */
async function chats(page: Page, base: string, server: TestServer, key: string): Promise<void> {
  await page.locator("nav a", { hasText: "Chat" }).click();
  await page.waitForURL(`${base}/chat**`);
  await page.locator("#note", { hasNotText: "Loading" }).waitFor({ state: "attached" });
  await page.fill("#text", "from the page");
  await page.press("#text", "Enter");
  await page.locator("#rows .row", { hasText: "from the page" }).waitFor();
  const headers = { "x-api-key": key, "content-type": "text/plain" };
  const answer = await request(`${server.url}/hub/channels/default/messages`, {
    method: "POST",
    headers,
    body: "to it",
  });
  assert.equal(answer.status, 201);
  await page.locator("#rows .row", { hasText: "to it" }).waitFor();
}

describe("a hub below a path", { concurrency: 1 }, () => {
  let server: TestServer | undefined;
  before(async () => {
    server = await startServer({ basePath: "/hub", env: "production", legacySse: true });
  });
  after(() => server?.close());

  for (const [does, location] of Object.entries(LOCATIONS)) {
    test(`[HTTP-44] serves clients of every kind where a proxy ${does} the path`, async (context) => {
      if (!needsNginx(context) || server === undefined) return;
      await using proxy = await Proxy.nginx(location(server.port));
      const base = `${proxy.url}/hub`;
      for (const name of ["v2 in auto mode", "v1"] as const) {
        await using agent = await openSdkClient(name, base);
        const said = await agent.call("send_sse_message", { message: name, channel: "agents" });
        assert.match(said.content[0]?.text ?? "", /^Sent to/);
      }
      using frames = await FrameReader.open(`${base.replace("http", "ws")}/ws?channel=a`);
      await frames.nextOf("welcome");
      for (const transport of ["sse", "websocket"] as const) {
        await using hub = connect(base, { transport });
        const messages = hub.subscribe("a");
        await until("it reads", () => server?.hub.size === 2);
        await hub.publish("a", transport);
        for await (const { data } of messages) {
          assert.equal(data, transport);
          break;
        }
        assert.equal((await frames.nextOf("message"))["data"], transport);
        hub.close();
        await until("it has left", () => server?.hub.size === 1);
      }
    });
  }

  test("is found by the commands with --url, and by health with its settings", async (context) => {
    if (!needsNginx(context) || server === undefined) return;
    await using proxy = await Proxy.nginx(LOCATIONS.removes(server.port));
    const base = `${proxy.url}/hub`;
    await using tail = new Cli(["tail", "b", "--url", base]);
    await until("it reads", () => server?.hub.size === 1);
    const published = await runCli(["publish", "b", "hello", "--url", base]);
    assert.match(published.stdout, /offered to 1 reader/, published.stderr);
    await until("it has it", () => tail.stdout.includes("anyone: hello"));
    tail.kill("SIGTERM");
    await using agent = await openStdioClient("v2 in auto mode", ["--url", base]);
    assert.match((await agent.call("get_server_info")).content[0]?.text ?? "", /sse-mcp-server/);
    const loaded = await runCli(["bench", "--url", base, "--readers", "2", "--rate", "20", "--seconds", "1"]);
    assert.match(loaded.stdout, /Passed: 2 readers got all/, loaded.stderr);
    const health = await runCli(["health"], { env: { PORT: String(server.port), BASE_PATH: "/hub/" } });
    assert.match(health.stdout, /^healthy: http:\/\/127\.0\.0\.1:\d+\/hub\/health,/);
  });
});

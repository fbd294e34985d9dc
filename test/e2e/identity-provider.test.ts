import assert from "node:assert/strict";
import { describe, it as test } from "node:test";
import type { Page } from "playwright-core";
import type { ServerOptions } from "../../src/server.ts";
import { describeInBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { CLIENT, IdentityProvider } from "../support/identity-provider.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** A server that sends people to a provider; its settings as they must be for that. */
async function settingsFor(
  issuer: (publicUrl: string) => Promise<string>,
): Promise<ServerOptions & { publicUrl: string }> {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  return {
    port,
    publicUrl,
    loginIssuer: await issuer(publicUrl),
    loginClientId: CLIENT.id,
    loginClientSecret: CLIENT.secret,
    loginPublish: ["team.*"],
    loginSubscribe: ["team.*"],
  };
}

/** Logs in at the provider under a name, and agrees to what it asks. */
async function logInAt(page: Page, issuer: string, account: string): Promise<void> {
  await page.waitForURL(`${issuer}/interaction/**`);
  await page.fill("[name=login]", account);
  await page.fill("[name=password]", "any");
  await page.locator("[type=submit]").click();
  await page.locator("text=Authorize").first().waitFor();
  await page.locator("[type=submit]").click();
}

const ADA = { name: "Ada Lovelace", preferred_username: "ada", email: "ada@example.org" };

describeInBrowser("logging in at an identity provider", { concurrency: 2 }, (it) => {
  it("leads there and back to the page one came from, named by its claims", async (browser) => {
    let provider: IdentityProvider | undefined;
    const settings = await settingsFor(async (publicUrl) => {
      provider = await IdentityProvider.open({
        redirectUri: `${publicUrl}/login/callback`,
        claims: (account) =>
          account === "ada" ? ADA : { hub: { admin: true }, preferred_username: `\u202e${account}` },
      });
      return provider.issuer;
    });
    assert.ok(provider !== undefined);
    await using _ = provider;
    await using server = await startServer(settings);
    const page = await (await browser.newContext()).newPage();
    // By another name of this machine: the login has to come back to the address that is known.
    await page.goto(`http://localhost:${server.port}/login?next=${encodeURIComponent("/chat#team.a")}`);
    await page.click("#provider");
    await logInAt(page, provider.issuer, "ada");
    await page.waitForURL(`${server.url}/chat#team.a`);
    await page.locator("#person", { hasText: "Ada Lovelace" }).waitFor();
    await page.fill("#text", "It is me");
    await page.press("#text", "Enter");
    await page.locator("#rows .row", { hasText: "It is me" }).locator(".verified").waitFor();
    const cookies = await page.context().cookies(server.url);
    assert.deepEqual(
      cookies.filter(({ name }) => name.startsWith("__Host-hub")).map(({ name }) => name),
      ["__Host-hub"],
    );
    const who = await page.evaluate<Record<string, unknown>>("fetch('/session').then((answer) => answer.json())");
    assert.deepEqual(
      { ...who, expires: null },
      {
        subject: "Ada Lovelace",
        kind: "session",
        publish: ["team.*"],
        subscribe: ["team.*"],
        admin: false,
        expires: null,
        login: "provider",
      },
    );
    await page.context().close();

    const boss = await (await browser.newContext()).newPage();
    await boss.goto(`${server.url}/login/start?next=/dashboard`);
    await logInAt(boss, provider.issuer, "boss");
    await boss.waitForURL(`${server.url}/dashboard`);
    await boss.locator("#state", { hasText: "Live" }).waitFor();
    assert.equal(await boss.locator("#person").innerText(), "boss");
    await boss.context().close();
  });

  it("says so on a page if the person says no, and if the provider is down", async (browser) => {
    let provider: IdentityProvider | undefined;
    const settings = await settingsFor(async (publicUrl) => {
      provider = await IdentityProvider.open({ redirectUri: `${publicUrl}/login/callback` });
      return provider.issuer;
    });
    assert.ok(provider !== undefined);
    const { issuer } = provider;
    await using server = await startServer(settings);
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${server.url}/login/start?next=/chat`);
    await page.waitForURL(`${issuer}/interaction/**`);
    await page.locator("text=Cancel").click();
    await page.locator("h1", { hasText: "Not logged in" }).waitFor();
    assert.match(await page.locator("main").innerText(), /did not let you in/);
    assert.deepEqual(
      await page
        .context()
        .cookies(server.url)
        .then((all) => all.filter(({ name }) => name.startsWith("__Host"))),
      [],
    );
    await provider[Symbol.asyncDispose]();
    await using second = await startServer({ ...settings, port: 0, publicUrl: server.url });
    const answer = await second.request("/login/start?next=/chat", { headers: { host: new URL(server.url).host } });
    assert.deepEqual([answer.status, answer.headers["content-type"]], [503, "text/html; charset=utf-8"]);
    assert.match(answer.text, /The identity provider does not answer/);
    assert.match(answer.text, /login\?next=%2Fchat/);
    await page.context().close();
  });
});

describe("the way to the identity provider", () => {
  async function withProvider(run: (server: TestServer, issuer: string) => Promise<void>): Promise<void> {
    let provider: IdentityProvider | undefined;
    const settings = await settingsFor(async (publicUrl) => {
      provider = await IdentityProvider.open({ redirectUri: `${publicUrl}/login/callback` });
      return provider.issuer;
    });
    assert.ok(provider !== undefined);
    await using _ = provider;
    await using server = await startServer(settings);
    await run(server, provider.issuer);
  }

  test("[BRW-7] asks for a code with PKCE, a state and a nonce, and keeps them from whoever reads the cookie", async () => {
    await withProvider(async (server, issuer) => {
      const { status, headers } = await server.request("/login/start?next=//evil.example");
      const url = new URL(String(headers.location));
      assert.deepEqual([status, url.origin], [302, issuer]);
      const asked = Object.fromEntries(url.searchParams);
      assert.deepEqual(
        [asked["response_type"], asked["code_challenge_method"], asked["redirect_uri"], asked["scope"]],
        ["code", "S256", `${server.url}/login/callback`, "openid profile email"],
      );
      const cookie = String(headers["set-cookie"]);
      assert.match(cookie, /^__Host-hub-login=[\w-]+; Path=\/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$/);
      assert.ok(!cookie.includes(asked["state"] ?? "") && (asked["state"] ?? "").length > 40);
    });
  });

  test("a way back that no login began, or with another state or code, is a page that says so and no session", async () => {
    await withProvider(async (server, issuer) => {
      const { headers } = await server.request("/login/start");
      const cookie = String(headers["set-cookie"]).split(";")[0] ?? "";
      const state = new URL(String(headers.location)).searchParams.get("state") ?? "";
      const iss = encodeURIComponent(issuer);
      for (const [query, sent, status] of [
        [`?code=x&state=${state}&iss=${iss}`, {}, 400],
        [`?code=x&state=${state}&iss=${iss}`, { cookie: "__Host-hub-login=AAAA" }, 400],
        [`?code=x&state=other&iss=${iss}`, { cookie }, 401],
        [`?code=x&state=${state}&iss=http%3A%2F%2Fevil.example`, { cookie }, 401],
        [`?code=x&state=${state}&iss=${iss}`, { cookie }, 401],
        [`?error=access_denied&state=${state}&iss=${iss}`, { cookie }, 401],
        ["", { cookie }, 401],
      ] as const) {
        const answer = await server.request(`/login/callback${query}`, { headers: sent });
        assert.equal(answer.status, status, query);
        assert.match(answer.text, /<h1>Not logged in<\/h1>/);
        assert.doesNotMatch(String(answer.headers["set-cookie"]), /__Host-hub=/);
      }
    });
  });

  test("the settings are checked at the start", async () => {
    const good = { loginIssuer: "https://id.example", loginClientId: "hub", publicUrl: "https://hub.example" };
    for (const [settings, sentence] of [
      [{ ...good, publicUrl: "" }, /PUBLIC_URL/],
      [{ ...good, loginClientId: "" }, /LOGIN_CLIENT_ID/],
      [{ ...good, publicUrl: "http://hub.example" }, /PUBLIC_URL is "http:\/\/hub\.example"/],
      [{ ...good, loginIssuer: "http://id.example" }, /LOGIN_ISSUER is "http:\/\/id\.example"/],
    ] as const) {
      await assert.rejects(startServer(settings), sentence);
    }
    await using server = await startServer(good);
    assert.equal((await server.request("/channels")).status, 401);
  });
});

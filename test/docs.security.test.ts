import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { teamLines } from "../src/web/start/team-lines.ts";
import { AuthorizationServer, logIn, SERVICE } from "./support/authorization-server.ts";
import { Authority } from "./support/certificates.ts";
import { CLIENT, IdentityProvider } from "./support/identity-provider.ts";
import { blocksIn } from "./support/page-blocks.ts";
import { Recipe } from "./support/recipe.ts";
import { request } from "./support/request.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** The part of a page below a heading. */
function section(page: string, heading: string): string {
  const [, text] = read(page).split(`\n## ${heading}\n`);
  assert.ok(text !== undefined, `${page} has no section ${heading}`);
  return text.split("\n## ")[0] ?? "";
}

async function follow(recipe: Recipe, heading: string): Promise<void> {
  for (const block of blocksIn(section("docs/security.md", heading))) await recipe.follow(block);
  await recipe.streamsShowed();
}

describe("docs/security.md", { timeout: 120_000 }, () => {
  it("gives each service its key", async () => {
    await using recipe = await Recipe.open();
    await follow(recipe, "One key per service");
    const keys = readFileSync(recipe.file("keys.json"), "utf8");
    assert.ok(!keys.includes(readFileSync(recipe.file("order-service.key"), "utf8").trim()));
  });

  it("has people log in at an identity provider, who are then known by their name", async () => {
    let provider: IdentityProvider | undefined;
    const open = async (port: number): Promise<IdentityProvider> =>
      (provider = await IdentityProvider.open({
        redirectUri: `http://localhost:${port}/login/callback`,
        claims: (account) => ({ name: `${account} of the team` }),
      }));
    await using recipe = await Recipe.open(async (port) => ({ "https://login.example": (await open(port)).issuer }));
    assert.ok(provider !== undefined);
    await using _ = provider;
    writeFileSync(recipe.file("login.secret"), CLIENT.secret);
    await follow(recipe, "People through an identity provider");

    const url = `http://localhost:${recipe.port}`;
    const began = await fetch(`${url}/login/start`, { redirect: "manual" });
    const callback = await logIn(new URL(began.headers.get("location") ?? ""), "ada");
    assert.equal(callback.origin, url);
    const ended = await fetch(callback, { headers: { cookie: cookieOf(began, "__Host-hub-login") } });
    const cookie = cookieOf(ended, "__Host-hub");
    const who = (await (await fetch(`${url}/session`, { headers: { cookie } })).json()) as Record<string, unknown>;
    assert.deepEqual(
      [who["subject"], who["kind"], who["publish"], who["subscribe"], who["admin"]],
      ["ada of the team", "session", ["team.*"], ["news", "team.*"], false],
    );
  });

  it("has a channel that everyone may read, and one service may write", async () => {
    await using recipe = await Recipe.open();
    await follow(recipe, "A public read-only channel");
  });

  it("lets an agent in by OAuth, with the official client", async () => {
    await using issuer = await AuthorizationServer.open();
    await using recipe = await Recipe.open(async () => ({ "https://login.example": issuer.issuer }));
    writeFileSync(recipe.file("agent.secret"), SERVICE.secret);
    await follow(recipe, "An agent by OAuth");
  });

  it("knows machines by their certificates", async () => {
    await using recipe = await Recipe.open();
    await follow(recipe, "Mutual TLS");
  });
});

describe("from a laptop to a team", () => {
  it("takes five lines, the same in the README and on the start page", async () => {
    const [block] = blocksIn(section("README.md", "From a laptop to a team"));
    assert.ok(block !== undefined);
    assert.equal(block.text, teamLines("sse-mcp-server"));
    assert.equal(block.text.split("\n").length, 5);
    let url = "";
    await using recipe = await Recipe.open(async (port) => ({
      "https://hub.example": (url = `https://localhost:${port}`),
      "PORT=443": `PORT=${port}`,
      // No test listens for other machines.
      "HOST=0.0.0.0": "HOST=127.0.0.1",
    }));
    const authority = new Authority(recipe.file("."));
    authority.server("hub");
    const tls = { ca: authority.pem };
    const output = await recipe.follow(block);
    const [admin = "", service = ""] = output.match(/^hub_\S+$/gm) ?? [];
    const ask = async (path: string, key?: string, body?: string): Promise<number> => {
      const headers = { host: `localhost:${recipe.port}`, ...(key === undefined ? {} : { "x-api-key": key }) };
      const publish = body === undefined ? {} : { method: "POST", body };
      return (await request(`${url}${path}`, { ...publish, headers, tls })).status;
    };
    assert.equal(await ask("/channels"), 401);
    assert.equal(await ask("/channels", admin), 200);
    assert.equal(await ask("/metrics", admin), 200);
    assert.equal(await ask("/channels/orders.eu/messages", service, "Order 123"), 201);
    assert.equal(await ask("/channels/news/messages", service, "Order 123"), 403);
    assert.equal(await ask("/metrics", service), 403);
  });
});

describe("SECURITY.md", () => {
  it("names, for each risk of the OWASP API Security Top 10, tests that exist", () => {
    const rows = [...section("SECURITY.md", "OWASP API Security Top 10").matchAll(/^\| API(\d+) .*$/gm)];
    assert.deepEqual(
      rows.map(([, number]) => Number(number)),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    for (const [row] of rows) {
      const tests = [...row.matchAll(/`(test\/[\w./-]+)`/g)].map(([, file = ""]) => file);
      assert.ok(tests.length > 0, row);
      for (const file of tests) assert.ok(existsSync(join(ROOT, file)), `there is no ${file}`);
    }
  });
});

/** A cookie that an answer sets, as a browser sends it back. */
function cookieOf(response: Response, name: string): string {
  const found = response.headers.getSetCookie().find((cookie) => cookie.startsWith(`${name}=`));
  assert.ok(found !== undefined, `no ${name} in the answer`);
  return found.split(";")[0] ?? "";
}

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import {
  Client as ClientV2,
  ClientCredentialsProvider as ServiceV2,
  StreamableHTTPClientTransport as TransportV2,
  UnauthorizedError as UnauthorizedV2,
  type OAuthClientProvider,
} from "@modelcontextprotocol/client";
import { ClientCredentialsProvider as ServiceV1 } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { UnauthorizedError as UnauthorizedV1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { COMPILED } from "../support/compiled.ts";
import { APP, AuthorizationServer, logIn, SERVICE } from "../support/authorization-server.ts";
import { freePort } from "../support/free-port.ts";
import { Front } from "../support/front.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

/** A server whose public address is that of a proxy before it. */
async function protectedServer(front: Front, issuer: AuthorizationServer): Promise<TestServer> {
  const server = await startServer({ publicUrl: front.url, jwtIssuers: [issuer.issuer] });
  front.target = server.port;
  return server;
}

/** The scopes of each token that the authorization server was asked for, in order. */
function recorded(asked: string[]): typeof fetch {
  return async (input, init) => {
    const body = init?.body;
    if (body instanceof URLSearchParams) asked.push(body.get("scope") ?? "");
    return fetch(input, init);
  };
}

interface ToolCaller {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
}

async function readsThenPublishes(client: ToolCaller): Promise<void> {
  const read = await client.callTool({ name: "read_messages", arguments: { channel: "orders.eu" } });
  assert.ok((read as { isError?: boolean }).isError !== true);
  const sent = await client.callTool({ name: "send_sse_message", arguments: { message: "new", channel: "orders.eu" } });
  assert.match(JSON.stringify(sent), /Sent to/);
}

describe("an MCP client at a server with an issuer", () => {
  for (const mode of ["auto", "legacy"] as const) {
    it(`finds the authorization server, gets a token, and another once it needs more: client v2, ${mode} mode`, async () => {
      await using issuer = await AuthorizationServer.open();
      await using front = await Front.open(0);
      await using _server = await protectedServer(front, issuer);
      const asked: string[] = [];
      const authProvider = new ServiceV2({
        clientId: SERVICE.id,
        clientSecret: SERVICE.secret,
        expectedIssuer: issuer.issuer,
      });
      const client = new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode } });
      await client.connect(new TransportV2(new URL(`${front.url}/mcp`), { authProvider, fetch: recorded(asked) }));
      assert.deepEqual(asked, ["hub:read"]);
      await readsThenPublishes(client);
      assert.deepEqual(asked.length, 2);
      assert.deepEqual(new Set(asked[1]?.split(" ")), new Set(["hub:read", "hub:publish"]));
      await client.close();
    });
  }

  it("finds the authorization server and gets a token with the scopes it is set up with: client v1", async () => {
    await using issuer = await AuthorizationServer.open();
    await using front = await Front.open(0);
    await using _server = await protectedServer(front, issuer);
    const asked: string[] = [];
    const authProvider = new ServiceV1({
      clientId: SERVICE.id,
      clientSecret: SERVICE.secret,
      scope: "hub:read hub:publish",
      expectedIssuer: issuer.issuer,
    });
    const client = new ClientV1({ name: "test", version: "1" });
    await client.connect(new TransportV1(new URL(`${front.url}/mcp`), { authProvider, fetch: recorded(asked) }));
    await readsThenPublishes(client);
    // It asks for the scopes it was given, whatever the challenge says.
    assert.deepEqual(asked, ["hub:read hub:publish"]);
    await client.close();
  });

  for (const mode of ["auto", "legacy"] as const) {
    it(`acts for a person who logs in, and asks them again once it needs more: ${mode} mode`, async () => {
      await using issuer = await AuthorizationServer.open();
      await using front = await Front.open(0);
      await using _server = await protectedServer(front, issuer);
      const authProvider = new Person("ada", issuer.issuer);
      const url = new URL(`${front.url}/mcp`);
      const open = async (): Promise<{ client: ClientV2; transport: TransportV2 }> => {
        const transport = new TransportV2(url, { authProvider });
        const client = new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode } });
        await client.connect(transport);
        return { client, transport };
      };
      await assert.rejects(open(), UnauthorizedV2);
      await new TransportV2(url, { authProvider }).finishAuth(authProvider.returned());
      const { client, transport } = await open();
      const call = { name: "send_sse_message", arguments: { message: "new", channel: "orders.eu" } };
      await assert.rejects(client.callTool(call), UnauthorizedV2);
      assert.match(authProvider.asked.at(-1) ?? "", /hub:publish/);
      await transport.finishAuth(authProvider.returned());
      assert.match(JSON.stringify(await client.callTool(call)), /Sent to/);
      const read = await client.callTool({ name: "read_messages", arguments: { channel: "orders.eu" } });
      assert.match(JSON.stringify(read), /"sender":"ada"/);
      await client.close();
    });
  }

  it("acts for a person who logs in, and asks them again once it needs more: client v1", async () => {
    await using issuer = await AuthorizationServer.open();
    await using front = await Front.open(0);
    await using _server = await protectedServer(front, issuer);
    const authProvider = new Person("ada", issuer.issuer);
    const open = async (): Promise<{ client: ClientV1; transport: TransportV1 }> => {
      const transport = new TransportV1(new URL(`${front.url}/mcp`), { authProvider });
      const client = new ClientV1({ name: "test", version: "1" });
      await client.connect(transport);
      return { client, transport };
    };
    await assert.rejects(open(), UnauthorizedV1);
    assert.equal(authProvider.asked.at(-1), "hub:read");
    const first = new TransportV1(new URL(`${front.url}/mcp`), { authProvider });
    await first.finishAuth(authProvider.returned().get("code") ?? "");
    const { client, transport } = await open();
    const call = { name: "send_sse_message", arguments: { message: "new", channel: "orders.eu" } };
    await assert.rejects(client.callTool(call), UnauthorizedV1);
    assert.equal(authProvider.asked.at(-1), "hub:publish");
    await transport.finishAuth(authProvider.returned().get("code") ?? "");
    assert.match(JSON.stringify(await client.callTool(call)), /Sent to/);
    await client.close();
  });
});

describe("the authorization server of these tests", () => {
  it("passes the official conformance suite", async () => {
    await using issuer = await AuthorizationServer.open();
    using folder = new TemporaryFolder();
    const command = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));
    const port = String(await freePort());
    const child = spawn(
      process.execPath,
      [
        command,
        "authorization",
        "--url",
        issuer.issuer,
        "--client-id",
        APP.id,
        "--resource",
        "http://127.0.0.1/mcp",
      ].concat(["--port", port, "--output-dir", folder.path]),
      { cwd: folder.path, env: COMPILED, stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 },
    );
    let output = "";
    let login: Promise<unknown> | undefined;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const [address] = /http:\S+\/auth\?\S+(?=\n)/.exec(output) ?? [];
      if (address !== undefined) login ??= logIn(new URL(address), "ada").then((returned) => fetch(returned));
    });
    const [code] = (await once(child, "close")) as [number | null];
    await login;
    assert.equal(code, 0, output);
    assert.match(output, /authorization-server-metadata-endpoint: [1-9]\d* passed, 0 failed/);
    assert.match(output, /authorization-code-grant: [1-9]\d* passed, 0 failed/);
  });
});

/** The program of someone who logs in wherever they are sent. */
class Person implements OAuthClientProvider {
  readonly redirectUrl = APP.redirect;
  readonly clientMetadata = { client_name: "test", redirect_uris: [APP.redirect] };
  /** The scopes that were asked of them. */
  readonly asked: string[] = [];
  readonly #name: string;
  readonly #issuer: string;
  #tokens: Awaited<ReturnType<OAuthClientProvider["tokens"]>>;
  #verifier = "";
  #returned: URL | undefined;

  constructor(name: string, issuer: string) {
    this.#name = name;
    this.#issuer = issuer;
  }

  clientInformation(): { client_id: string; issuer: string } {
    return { client_id: APP.id, issuer: this.#issuer };
  }

  tokens(): Awaited<ReturnType<OAuthClientProvider["tokens"]>> {
    return this.#tokens;
  }

  saveTokens(tokens: NonNullable<Awaited<ReturnType<OAuthClientProvider["tokens"]>>>): void {
    this.#tokens = tokens;
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    this.asked.push(url.searchParams.get("scope") ?? "");
    this.#returned = await logIn(url, this.#name);
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  /** What the browser comes back with from the last login. */
  returned(): URLSearchParams {
    assert.ok(this.#returned !== undefined);
    return this.#returned.searchParams;
  }
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ToolDefinition } from "../../../src/mcp/definitions.ts";
import { answerOf, headerValue, mcp, mcpRequest, VERSION, type McpAnswer } from "../../support/mcp.ts";
import { startServer, type TestServer } from "../../support/server.ts";

/** A tool whose arguments are repeated in headers, at the top and further down. */
const sql: ToolDefinition = {
  listing: {
    name: "execute_sql",
    description: "",
    inputSchema: {
      type: "object",
      properties: {
        region: { type: "string", "x-mcp-header": "Region" },
        limit: { type: "integer", "x-mcp-header": "Limit" },
        dry: { type: "boolean", "x-mcp-header": "Dry" },
        target: { type: "object", properties: { tenant: { type: "string", "x-mcp-header": "Tenant-Id" } } },
        query: { type: "string" },
        many: { type: "array", items: { type: "string", "x-mcp-header": "Never" } },
      },
    },
  },
  async call(input) {
    return { content: [{ type: "text", text: JSON.stringify(input ?? null) }] };
  },
};

function said({ status, error, id }: McpAnswer): (string | number | undefined)[] {
  return [status, error?.code, id];
}

const MISMATCH = [400, -32020, 1];
const FINE = [200, undefined, 1];

/** Calls the tool with these arguments and `Mcp-Param-` headers. */
function call(server: TestServer, input: unknown, params: Record<string, string | string[]> = {}): Promise<McpAnswer> {
  const headers = Object.fromEntries(Object.entries(params).map(([name, value]) => [`mcp-param-${name}`, value]));
  return mcp(server, "tools/call", { name: "execute_sql", arguments: input }, { headers });
}

/** Sends a request byte by byte, with lines that no client would send. */
async function sendLines(
  server: TestServer,
  method: string,
  params: object,
  change: (lines: string[]) => string[],
): Promise<McpAnswer> {
  using wire = await server.wire();
  const { headers, body } = mcpRequest(method, params);
  const all = { Host: "localhost", ...headers, "Content-Length": Buffer.byteLength(body) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${String(value)}`);
  const text = ["POST /mcp HTTP/1.1", ...change(lines)].join("\r\n");
  wire.socket.write(Buffer.concat([Buffer.from(`${text}\r\n\r\n`, "latin1"), Buffer.from(body)]));
  const { status, headers: given, body: answer } = await wire.response();
  return answerOf(method, { status, headers: given, text: answer, json: () => null });
}

describe("MCP-Protocol-Version", { concurrency: true }, () => {
  it("must be there and say what _meta says", async () => {
    await using server = await startServer();
    for (const version of [
      undefined,
      "2025-11-25",
      "2099-01-01",
      "",
      `${VERSION} `.repeat(2).trim(),
      VERSION.toUpperCase() + "Z",
    ]) {
      const answer = await mcp(server, "tools/list", {}, { headers: { "mcp-protocol-version": version } });
      assert.deepEqual(said(answer), MISMATCH, version);
      assert.match(answer.error?.message ?? "", /MCP-Protocol-Version/);
    }
  });

  it("may be written in any case and with blanks around its value", async () => {
    await using server = await startServer();
    const answer = await sendLines(server, "tools/list", {}, (lines) =>
      lines.map((line) =>
        line.replace("mcp-protocol-version: ", "MCP-PROTOCOL-VERSION:  \t").replace(/^MCP-PROTOCOL.*/, "$& \t "),
      ),
    );
    assert.deepEqual(said(answer), FINE);
  });
});

describe("Mcp-Method", { concurrency: true }, () => {
  it("[MCP-3] must be there and repeat the method of the body, letter for letter", async () => {
    await using server = await startServer();
    for (const method of [
      undefined,
      "",
      "tools/call",
      "Tools/List",
      "tools/list,tools/list",
      "=?base64?dG9vbHMvbGlzdA==?=",
    ]) {
      const answer = await mcp(server, "tools/list", {}, { headers: { "mcp-method": method } });
      assert.deepEqual(said(answer), MISMATCH, method);
      assert.match(answer.error?.message ?? "", /Mcp-Method/);
    }
  });

  it("is compared before the method is looked for", async () => {
    await using server = await startServer();
    assert.deepEqual(said(await mcp(server, "nonsense", {}, { headers: { "mcp-method": undefined } })), MISMATCH);
    assert.deepEqual(said(await mcp(server, "nonsense")), [404, -32601, 1]);
  });
});

describe("Mcp-Name", { concurrency: true }, () => {
  const named = [
    ["tools/call", { name: "list_channels" }],
    ["prompts/get", { name: "catch_up", arguments: { channel: "a" } }],
    ["resources/read", { uri: "hub://channels" }],
  ] as const;

  it("must repeat the name or the URI", async () => {
    await using server = await startServer();
    for (const [method, params] of named) {
      assert.deepEqual(said(await mcp(server, method, params)), FINE);
      for (const name of [undefined, "", "other", "LIST_CHANNELS", "=?base64?b3RoZXI=?="]) {
        const answer = await mcp(server, method, params, { headers: { "mcp-name": name } });
        assert.deepEqual(said(answer), MISMATCH, name);
        assert.match(answer.error?.message ?? "", /Mcp-Name/);
      }
    }
  });

  it("may be in Base64, and is compared as what it stands for", async () => {
    await using server = await startServer();
    for (const [method, params] of named) {
      const { name, uri } = params as { name?: string; uri?: string };
      const encoded = `=?base64?${Buffer.from(name ?? uri ?? "").toString("base64")}?=`;
      assert.deepEqual(said(await mcp(server, method, params, { headers: { "mcp-name": encoded } })), FINE);
    }
    for (const name of ["größe", " padded ", "line\nbreak", "=?base64?literal?=", "😀", "\u{feff}bom", "=?base64?="]) {
      // There is none of that name, which is what the method says once the header is right.
      const answer = await mcp(server, "tools/call", { name });
      assert.deepEqual(said(answer), [200, -32602, 1], JSON.stringify(name));
    }
  });

  it("is refused where its Base64 is none", async () => {
    await using server = await startServer();
    const right = Buffer.from("list_channels").toString("base64");
    for (const wrong of [
      "=?base64??=",
      "=?base64?=",
      "=?base64?!!!!?=",
      `=?base64?${right.replaceAll("=", "")}?=`,
      `=?base64?${right}=?=`,
      `=?base64? ${right}?=`,
      `=?base64?${right.slice(0, 4)} ${right.slice(4)}?=`,
      `=?base64?${Buffer.from([0xff, 0xfe]).toString("base64")}?=`,
      `=?BASE64?${right}?=`,
      `=?base64?${right}`,
      `${right}?=`,
      right,
    ]) {
      const answer = await mcp(server, "tools/call", { name: "list_channels" }, { headers: { "mcp-name": wrong } });
      assert.deepEqual(said(answer), MISMATCH, wrong);
    }
  });

  it("is not looked at where the method has no name", async () => {
    await using server = await startServer();
    for (const method of ["tools/list", "server/discover", "prompts/list"]) {
      assert.deepEqual(said(await mcp(server, method, {}, { headers: { "mcp-name": "anything" } })), FINE);
    }
  });

  it("cannot make up for a name that the body lacks", async () => {
    await using server = await startServer();
    for (const params of [{}, { name: null }, { name: 5 }, { name: ["list_channels"] }]) {
      const answer = await mcp(server, "tools/call", params, { headers: { "mcp-name": "list_channels" } });
      assert.deepEqual(said(answer), [200, -32602, 1]);
    }
  });
});

describe("Mcp-Param-*", { concurrency: true }, () => {
  it("must repeat the arguments that the schema names, and only those that are there", async () => {
    await using server = await startServer({}, { tools: [sql] });
    assert.deepEqual(said(await call(server, { region: "eu", query: "x" }, { region: "eu" })), FINE);
    assert.deepEqual(said(await call(server, { query: "x" })), FINE);
    assert.deepEqual(said(await call(server, undefined)), FINE);
    assert.deepEqual(said(await call(server, { region: null, limit: null })), FINE);
    for (const [input, params] of [
      [{ region: "eu" }, {}],
      [{ region: "eu" }, { region: "us" }],
      [{ region: "eu" }, { region: "EU" }],
      [{ region: "" }, {}],
      [{ query: "x" }, { region: "eu" }],
      [{ region: null }, { region: "null" }],
      [undefined, { region: "eu" }],
      [{ region: 5 }, { region: "6" }],
      [{ region: ["eu"] }, { region: "eu" }],
    ] as const) {
      const answer = await call(server, input, params);
      assert.deepEqual(said(answer), MISMATCH, JSON.stringify([input, params]));
      assert.match(answer.error?.message ?? "", /Mcp-Param-Region/);
    }
    assert.deepEqual(said(await call(server, { region: "" }, { region: "" })), FINE);
  });

  it("are compared as numbers where the argument is one, as JSON writes numbers", async () => {
    await using server = await startServer({}, { tools: [sql] });
    for (const [limit, header] of [
      [42, "42"],
      [42, "42.0"],
      [42, "4.2e1"],
      [42.5, "42.50"],
      [-7, "-7"],
      [0, "0"],
      [0, "-0"],
      [42, headerValue(" 42").replace(/^.*$/, "=?base64?NDI=?=")],
    ] as const) {
      assert.deepEqual(said(await call(server, { limit }, { limit: header })), FINE, header);
    }
    for (const [limit, header] of [
      [42, "43"],
      [42, ""],
      [42, "0x2A"],
      [42, "0b101010"],
      [42, "042"],
      [42, "42."],
      [42, "+42"],
      [42, "=?base64?IDQy?="],
      [42, "42, 42"],
      [0, ""],
      ["42", "42.0"],
      [true, "1"],
    ] as const) {
      assert.deepEqual(
        said(await call(server, { limit }, { limit: header })),
        MISMATCH,
        JSON.stringify([limit, header]),
      );
    }
  });

  it("say true and false as JSON does", async () => {
    await using server = await startServer({}, { tools: [sql] });
    assert.deepEqual(said(await call(server, { dry: true }, { dry: "true" })), FINE);
    assert.deepEqual(said(await call(server, { dry: false }, { dry: "false" })), FINE);
    for (const header of ["True", "1", "yes", ""])
      assert.deepEqual(said(await call(server, { dry: true }, { dry: header })), MISMATCH);
  });

  it("reach down to properties of properties, and no further", async () => {
    await using server = await startServer({}, { tools: [sql] });
    assert.deepEqual(said(await call(server, { target: { tenant: "a" } }, { "tenant-id": "a" })), FINE);
    assert.deepEqual(said(await call(server, { target: { tenant: "a" } })), MISMATCH);
    assert.deepEqual(said(await call(server, { target: {} })), FINE);
    assert.deepEqual(said(await call(server, { target: null })), FINE);
    assert.deepEqual(said(await call(server, { target: "tenant" })), FINE);
    assert.deepEqual(said(await call(server, { target: ["a"] }, { "tenant-id": "a" })), MISMATCH);
    assert.deepEqual(said(await call(server, { many: ["a"] }, { never: "b" })), FINE);
  });

  it("carry any text in Base64", async () => {
    await using server = await startServer({}, { tools: [sql] });
    for (const region of [
      "Hello, 世界",
      " padded ",
      "line1\nline2",
      "=?base64?literal?=",
      "us-west1",
      "\u{1f600}",
      "a\tb",
    ]) {
      assert.deepEqual(said(await call(server, { region }, { region: headerValue(region) })), FINE, region);
      assert.deepEqual(said(await call(server, { region }, { region: headerValue(`${region}!`) })), MISMATCH, region);
    }
    // A text that looks as if it were encoded must be.
    assert.deepEqual(said(await call(server, { region: "=?base64?YQ==?=" }, { region: "=?base64?YQ==?=" })), MISMATCH);
  });

  it("that no schema names are left alone", async () => {
    await using server = await startServer({}, { tools: [sql] });
    assert.deepEqual(said(await call(server, { query: "x" }, { query: "y", other: "z" })), FINE);
  });
});

describe("headers that no client sends", { concurrency: true }, () => {
  it("with bytes that are not ASCII are refused, even where the body says the same", async () => {
    await using server = await startServer({}, { tools: [sql] });
    for (const [method, params, change] of [
      ["tools/call", { name: "caf\u00e9" }, (line: string) => line.replace(/^mcp-name: .*/, "mcp-name: caf\u00e9")],
      ["caf\u00e9", {}, (line: string) => line],
      [
        "tools/call",
        { name: "execute_sql", arguments: { region: "caf\u00e9" } },
        (line: string) => line.replace(/^mcp-name: .*/, "$&\r\nmcp-param-region: caf\u00e9"),
      ],
    ] as const) {
      const answer = await sendLines(server, method, params, (lines) => lines.map(change));
      assert.deepEqual(said(answer), MISMATCH, method);
      assert.match(answer.error?.message ?? "", /visible ASCII/);
    }
  });

  it("with control characters do not get as far as the protocol", async () => {
    await using server = await startServer();
    for (const control of ["\u0000", "\u0007", "\u007f"]) {
      using wire = await server.wire();
      wire.send(
        ["POST /mcp HTTP/1.1", "Host: localhost", `Mcp-Method: tools/list${control}`, "Content-Length: 2"],
        "{}",
      );
      assert.equal((await wire.response()).status, 400);
    }
  });

  it("that come twice are refused: nobody knows which of them others look at", async () => {
    await using server = await startServer({}, { tools: [sql] });
    const params = { name: "execute_sql", arguments: { region: "eu" } };
    for (const name of ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region"]) {
      const answer = await sendLines(server, "tools/call", params, (lines) => {
        const all = [...lines, "mcp-param-region: eu"];
        return [...all, ...all.filter((line) => line.startsWith(`${name}:`))];
      });
      assert.deepEqual(said(answer), MISMATCH, name);
    }
  });

  it("are named in part, and nothing in them moves a cursor", async () => {
    await using server = await startServer();
    const answer = await mcp(server, "tools/list", {}, { headers: { "mcp-method": `x${"y".repeat(8000)}` } });
    assert.deepEqual(said(answer), MISMATCH);
    assert.ok(answer.text.length < 400);
    const nasty = "\u001b[2J\u009b2J\u202e\ud800\r\n".repeat(3);
    const other = await mcp(server, nasty, {}, { headers: { "mcp-method": "tools/list" } });
    assert.deepEqual(said(other), MISMATCH);
    assert.doesNotMatch(other.error?.message ?? "", /\p{C}/u);
  });
});

describe("who calls", { concurrency: true }, () => {
  it("is refused with 403 where the page or the host is not allowed, before anything is read", async () => {
    await using server = await startServer({ env: "production" });
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "" },
      { origin: "http://localhost:1" },
      { host: "evil.example" },
      { host: "evil.example", origin: "http://evil.example" },
    ]) {
      for (const method of ["tools/list", "subscriptions/listen"]) {
        const answer = await mcp(server, method, { notifications: {} }, { headers });
        assert.deepEqual(
          [answer.status, answer.error?.code, answer.id],
          [403, 403, undefined],
          JSON.stringify(headers),
        );
        assert.match(
          answer.error?.message ?? "",
          headers.origin === "" ? /is not an origin/ : /ALLOWED_(?:ORIGINS|HOSTS)=/,
        );
      }
    }
    assert.equal(server.hub.size, 0);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "../support/properties.ts";
import { escapeLineBreaks } from "../../src/protocol/text.ts";
import { ACCEPT, LegacyClient } from "../support/legacy-client.ts";
import { mcpRequest, mcpText } from "../support/mcp.ts";
import type { Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { StdioBridge } from "../support/stdio-bridge.ts";

const JSON_TYPE = { "content-type": "application/json" };
const MESSAGES = "/channels/a/messages";
const CALL = "/mcp/tools/call";

function post(
  server: TestServer,
  body: string | Uint8Array,
  headers: Record<string, string> = JSON_TYPE,
  path = MESSAGES,
): Promise<Answer> {
  return server.request(path, { method: "POST", body, headers });
}

function detailOf(answer: Answer): string {
  const { detail, error } = answer.json() as { detail?: string; error?: { message: string } };
  return detail ?? error?.message ?? "";
}

/** The data of the newest message of a channel; undefined if nothing is kept. */
async function newest(server: TestServer, channel = "a"): Promise<unknown> {
  const answer = await server.request(`/channels/${channel}/messages?before=latest&limit=1`);
  return (answer.json() as { messages: { data: unknown }[] }).messages[0]?.data;
}

function send(message: string, more = ""): string {
  return `{"params":{"name":"send_sse_message","arguments":{"channel":"a","message":${message}${more}}}}`;
}

const latin = (text: string): Buffer => Buffer.from(text, "latin1");
const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();
const BOM = "\uFEFF";

describe("the text of a body", { concurrency: true }, () => {
  it("[HTTP-21] is what the charset says, and UTF-8 if it says nothing", async () => {
    await using server = await startServer();
    const text = "Grüße 5 €";
    const bodies: readonly (readonly [Uint8Array, string])[] = [
      [Buffer.from(text), "text/plain"],
      [Buffer.from(text), 'text/plain; charset="UTF-8"'],
      [Buffer.from(text), "text/plain;Charset=utf8"],
      [Buffer.from(`${BOM}${text}`), "text/plain"],
      [latin("Gr\xfc\xdfe 5 \x80"), "text/plain; charset=windows-1252"],
      [latin("Gr\xfc\xdfe 5 \x80"), "text/plain; charset=ISO-8859-1"],
      [Buffer.from(text, "utf16le"), "text/plain; charset=utf-16le"],
      [Buffer.from(`${BOM}${text}`, "utf16le"), "text/plain; charset=utf-16"],
      [utf16be(`${BOM}${text}`), "text/plain; charset=utf-16"],
      [utf16be(text), "text/plain; charset=utf-16be"],
      [latin('"Gr\xfc\xdfe 5 \x80"'), "application/json; charset=iso-8859-1"],
      [Buffer.from(JSON.stringify(text), "utf16le"), "application/json; charset=utf-16le"],
      [Buffer.from(`${BOM}${JSON.stringify(text)}`), "application/json"],
    ];
    for (const [body, type] of bodies) {
      const answer = await post(server, body, { "content-type": type });
      assert.equal(answer.status, 201, `${type}: ${answer.text}`);
      assert.equal(await newest(server), text, type);
    }
    for (const [body, type] of [
      [Buffer.from(send('"Grüße"')), "application/json"],
      [latin(send('"Gr\xfc\xdfe"')), "application/json; charset=latin1"],
      [Buffer.from(`${BOM}${send('"Grüße"')}`), ""],
    ] as const) {
      assert.equal((await post(server, body, { "content-type": type }, CALL)).status, 200, type);
      assert.equal(await newest(server), "Grüße", type);
    }
  });

  it("[HTTP-21] is refused if its bytes are not of that charset, and nothing is published", async () => {
    await using server = await startServer({ legacySse: true });
    const client = await LegacyClient.open(server);
    const broken = latin(send('"Gr\xfc\xdfe"'));
    const cut = Buffer.from('"€').subarray(0, -1);
    const doors: readonly (readonly [string, Uint8Array, Record<string, string>, string])[] = [
      [MESSAGES, latin("Gr\xfc\xdfe"), { "content-type": "text/plain" }, "INVALID_MESSAGE"],
      [MESSAGES, latin("Gr\xfc\xdfe"), { "content-type": "text/plain; charset=utf-8" }, "INVALID_MESSAGE"],
      [MESSAGES, latin("Gr\xfc\xdfe"), { "content-type": "text/plain; charset=us-ascii" }, "INVALID_MESSAGE"],
      [CALL, broken, { "content-type": "application/json; charset=US-ASCII" }, "INVALID_JSON"],
      [MESSAGES, cut, {}, "INVALID_MESSAGE"],
      [MESSAGES, Uint8Array.of(0), { "content-type": "text/plain; charset=utf-16le" }, "INVALID_MESSAGE"],
      [MESSAGES, latin('{"t":"Gr\xfc\xdfe"}'), JSON_TYPE, "INVALID_JSON"],
      [MESSAGES, gzipSync("hi"), JSON_TYPE, "INVALID_JSON"],
      [CALL, broken, {}, "INVALID_JSON"],
      ["/mcp/tools/list", Uint8Array.of(0xff), {}, "INVALID_JSON"],
      ["/mcp", broken, { accept: ACCEPT }, "INVALID_JSON"],
      ["/mcp", broken, client.headers, "INVALID_JSON"],
      ["/messages?sessionId=x", broken, {}, "INVALID_JSON"],
    ];
    for (const [path, body, headers, code] of doors) {
      const answer = await post(server, body, headers, path);
      assert.equal(answer.status, 400, path);
      assert.ok(answer.text.includes(code) || answer.text.includes("-32700"), answer.text);
      assert.match(detailOf(answer), /^The body is not (?:UTF-8|UTF-16LE|US-ASCII); send UTF-8, or name its charset/);
    }
    assert.equal(server.hub.stats.published, 0);
  });

  it("[HTTP-21] of a charset that no one knows, or that is compressed, is answered 415", async () => {
    await using server = await startServer();
    for (const charset of ["bogus", "utf-7", "utf-32"]) {
      const answer = await post(server, "a+AGE-", { "content-type": `text/plain; charset=${charset}` });
      assert.equal(answer.status, 415, charset);
      assert.match(detailOf(answer), new RegExp(`^The charset "${charset}" is not known; send UTF-8`));
    }
    for (const path of [MESSAGES, CALL, "/mcp/tools/list", "/mcp"]) {
      for (const coding of ["gzip", "br", "deflate", "identity, gzip"]) {
        const answer = await post(server, gzipSync("{}"), { ...JSON_TYPE, "content-encoding": coding }, path);
        assert.deepEqual([answer.status, answer.headers["accept-encoding"]], [415, "identity"], path);
        assert.match(detailOf(answer), /^Content-Encoding "\w+.*" is not read; send the body as it is/);
      }
    }
    assert.equal((await post(server, "1", { ...JSON_TYPE, "content-encoding": "Identity" })).status, 201);
  });

  it("[PUB-20] is published as a string with any type that is not JSON, as curl sends it, and with none", async () => {
    await using server = await startServer();
    for (const type of [
      "application/x-www-form-urlencoded",
      "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
      "text/plain",
      "text/html",
      "text/markdown; variant=GFM",
      "TEXT/CSV",
      "application/xml",
      "application/x-ndjson",
      "application/octet-stream",
      "image/svg+xml",
      "json",
      "not a media type",
      "*/*",
      undefined,
    ]) {
      for (const text of ['{"a":1}', "a=1&b=%20+", "Order 123 was processed", " \n"]) {
        const answer = await post(server, text, type === undefined ? {} : { "content-type": type });
        assert.deepEqual([answer.status, await newest(server)], [201, text], type);
      }
    }
    for (const type of [
      "application/problem+json",
      "text/json",
      "application/vnd.api+json; ext=x",
      "APPLICATION/JSON",
    ]) {
      await post(server, '{"a":[1]}', { "content-type": type });
      assert.deepEqual(await newest(server), { a: [1] }, type);
    }
  });

  it("[PUB-20] is refused if it is neither text nor JSON, with a sentence that says what to send", async () => {
    await using server = await startServer();
    const png = Buffer.from("89504e470d0a1a0a", "hex");
    for (const type of ["image/png", "application/octet-stream", "application/pdf; version=2"]) {
      const answer = await post(server, png, { "content-type": type });
      assert.deepEqual([answer.status, (answer.json() as { code: string }).code], [400, "INVALID_MESSAGE"], type);
      assert.match(detailOf(answer), /^The body is not UTF-8, .*; send binary data as base64/);
    }
    const latin1 = await post(server, latin("<t>Gr\xfc\xdfe</t>"), {
      "content-type": "application/xml; charset=latin1",
    });
    assert.deepEqual([latin1.status, await newest(server)], [201, "<t>Grüße</t>"]);
    const form = new FormData();
    form.set("text", "hello");
    const sent = await fetch(`${server.url}${MESSAGES}`, { method: "POST", body: form });
    const problem = (await sent.json()) as { code: string; detail: string };
    assert.deepEqual([sent.status, problem.code], [415, "UNSUPPORTED_MEDIA_TYPE"]);
    assert.match(problem.detail, /several parts .* curl does with --data-binary @FILE, not with --form/);
    assert.equal(server.hub.stats.published, 1);
  });

  it("reaches every reader with all its characters, controls among them", async () => {
    await using server = await startServer();
    using events = await server.events("?channel=a&format=json");
    const controls = String.fromCharCode(...Array.from({ length: 0xa1 }, (_, code) => code));
    for (const text of [controls, `a${BOM}b`, "\u2028\u2029\ufffe\uffff\ufffd", "🧑‍🚀"]) {
      await post(server, text, { "content-type": "text/plain" });
      await post(server, JSON.stringify([text]));
      await post(server, send(JSON.stringify(text)), {}, CALL);
      const read = (await events.data(3)).map((json) => (JSON.parse(json) as { data: unknown }).data);
      assert.deepEqual(read, [text, [text], text]);
    }
  });
});

describe("JSON that JavaScript cannot hold", { concurrency: true }, () => {
  const big = '{"id":12345678901234567890,"rate":0.12345678901234567891,"zero":-0,"list":[9007199254740993]}';

  it("[MSG-5] reaches every reader with every digit", async () => {
    await using server = await startServer({ legacySse: true });
    using text = await server.events("?channel=a");
    using json = await server.events("?channel=a&format=json");
    using frames = await server.frames("?channel=a");
    await frames.next();
    const framed: string[] = [];
    frames.ws.on("message", (data) => framed.push((data as Buffer).toString()));
    await using bridge = await StdioBridge.open(["--url", server.url]);
    const legacy = await LegacyClient.open(server);

    await post(server, big.replaceAll(",", " ,\t"));
    frames.send(`{"type":"publish","channel":"a","data":${big}}`);
    for (let n = 0; n < 2; n++) {
      assert.equal((await text.next()).data, big);
      assert.ok((await json.next()).data.includes(`"data":${big}`));
      assert.ok((await frames.nextOf("message")).type === "message");
    }
    assert.equal(framed.filter((frame) => frame.includes(`"data":${big}`)).length, 2);
    const read = { name: "read_messages", arguments: { channel: "a", limit: 1 } };
    const resource = mcpRequest("resources/read", { uri: "hub://channels/a" });
    const call = mcpRequest("tools/call", read);
    bridge.modern(1, "tools/call", read);
    await bridge.next();
    const answers = [
      (await server.request(MESSAGES)).text,
      (await server.request(`${MESSAGES}?before=latest`)).text,
      (await post(server, JSON.stringify({ params: read }), {}, CALL)).text,
      (await mcpText(server, call.body, call.headers)).text,
      (await mcpText(server, resource.body, resource.headers)).text.replaceAll('\\"', '"'),
      (await legacy.post({ id: 1, method: "tools/call", params: read })).text,
      bridge.cli.stdout,
    ];
    for (const answer of answers) assert.ok(answer.includes(`"data":${big}`), answer);
  });

  it("[MSG-5] is the same content for an idempotency key only if every digit is", async () => {
    await using server = await startServer();
    const headers = { ...JSON_TYPE, "idempotency-key": "k" };
    const statuses = [];
    for (const body of ["12345678901234567890", " 12345678901234567890", "12345678901234567891"])
      statuses.push((await post(server, body, headers)).status);
    assert.deepEqual(statuses, [201, 200, 422]);
  });

  it("[MSG-5] is refused at every door if it is beyond doubles, or an object has a name twice; the sentence says where", async () => {
    await using server = await startServer({ legacySse: true });
    const legacy = await LegacyClient.open(server);
    using frames = await server.frames();
    await frames.next();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    for (const [price, said] of [
      ['{"price":1e400}', /holds 1e400 at [\w.]*price, which no double can hold; send it as a string/],
      ['{"price":[1,-1e999]}', /holds -1e999 at [\w.]*price\.1, which/],
      ['{"price":1e-400}', /holds 1e-400 at [\w.]*price, which/],
      ['{"price":1,"price":2}', /has an object with the name "price" twice; give each name once/],
    ] as const) {
      const arguments_ = `{"name":"send_sse_message","arguments":{"message":"x","more":${price}}}`;
      const body = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${arguments_}}`;
      const modern = mcpRequest("tools/call", { name: "send_sse_message", arguments: { message: "x" } });
      const refused = [
        await post(server, price),
        await post(server, body, {}, CALL),
        await post(server, modern.body.replace('"message":"x"', `"message":"x","more":${price}`), {}, "/mcp"),
        await post(server, body, legacy.headers, "/mcp"),
        await post(server, body, {}, "/messages?sessionId=x"),
      ];
      for (const answer of refused) {
        assert.equal(answer.status, 400, answer.text);
        assert.match(detailOf(answer), said);
      }
      for (const frame of [
        `{"type":"publish","channel":"a","data":${price},"id":7}`,
        `{"type":"mcp_call","tool":"send_sse_message","arguments":{"message":"x","more":${price}},"id":7}`,
      ]) {
        const { type, id, code, message } = await frames.ask(frame);
        assert.deepEqual([type, id, code], ["error", 7, "INVALID_REQUEST"]);
        assert.match(String(message), said);
      }
      for (const line of [body, `[${body}]`]) {
        bridge.write(`${line}\n`);
        const { id, error } = await bridge.next();
        assert.deepEqual([id, error?.code], [7, -32600]);
        assert.match(error?.message ?? "", said);
      }
    }
    assert.equal(server.hub.stats.published, 0);
  });

  it("[MSG-5] as an id is refused at every door, by name", async () => {
    await using server = await startServer();
    const legacy = await LegacyClient.open(server);
    using frames = await server.frames();
    await frames.next();
    const rule = /^(?:ping: )?id: it must be a text .*9007199254740991/;
    for (const id of ["9007199254740993", "12345678901234567890", "1.5", `"${"x".repeat(257)}"`]) {
      const list = mcpRequest("tools/list");
      for (const answer of [
        await post(server, `{"id":${id}}`, {}, "/mcp/tools/list"),
        await post(server, `{"jsonrpc":"2.0","id":${id},"method":"ping"}`, legacy.headers, "/mcp"),
        await post(server, list.body.replace('"id":1', `"id":${id}`), list.headers as Record<string, string>, "/mcp"),
      ]) {
        assert.equal(answer.status, 400, answer.text);
        assert.match(detailOf(answer), rule);
      }
      const { code, message } = await frames.ask(`{"type":"ping","id":${id}}`);
      assert.equal(code, "INVALID_REQUEST");
      assert.match(String(message), rule);
    }
  });

  it("[MSG-5] or can, comes back as the same text, if it has no spaces and plain escapes, through a log in memory", async () => {
    await using server = await startServer();
    using events = await server.events("?channel=a");
    const number = fc.stringMatching(/^-?(?:0|[1-9]\d{0,25})(?:\.\d{0,24}[1-9])?$/);
    const leaf = fc.oneof(
      number,
      fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text)),
    );
    const { json } = fc.letrec<{ json: string }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie("json"), { maxLength: 4 }).map((items) => `[${items.join(",")}]`),
        fc.dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), tie("json"), { maxKeys: 4 }).map(
          (entries) =>
            `{${Object.entries(entries)
              .map(([name, value]) => `"${name}":${value}`)
              .join(",")}}`,
        ),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(json, async (text) => {
        assert.equal((await post(server, text)).status, 201, text);
        const { data } = await events.next();
        if (!text.startsWith('"')) assert.equal(data, escapeLineBreaks(text));
        else assert.equal(data, (JSON.parse(text) as string).replaceAll(/\r\n?/g, "\n"));
      }),
      { numRuns: 200 },
    );
  });
});

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { lines } from "../../src/cli/stdio/lines.ts";
import { ScriptedHub } from "../support/scripted-hub.ts";
import { startServer } from "../support/server.ts";
import { StdioBridge } from "../support/stdio-bridge.ts";
import { until } from "../support/until.ts";

const MB = 1024 * 1024;

/** What `lines` makes of bytes: text, or undefined for a line that is too long. */
function readLines(chunks: readonly Uint8Array[], most: number): Promise<readonly (string | undefined)[]> {
  const text = (line: Uint8Array | undefined): string | undefined => line && Buffer.from(line).toString();
  return Readable.from(lines(Readable.from(chunks), most), { objectMode: true })
    .map(text)
    .toArray();
}

describe("the lines of standard input", () => {
  it("are the same wherever the bytes are cut, the last one with or without an end", async () => {
    const bytes = Buffer.from("é1\r\n\n👋\n{}");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)];
      assert.deepEqual(await readLines(chunks, 100), ["é1\r", "", "👋", "{}"], String(cut));
    }
  });

  it("are dropped if they are longer than may be, and the next one is read", async () => {
    const cut = [...Buffer.from("12345\n123456\n1\n1234567")].map((byte) => Uint8Array.of(byte));
    assert.deepEqual(await readLines(cut, 5), ["12345", undefined, "1", undefined]);
  });
});

describe("sse-mcp-server stdio, line by line", { concurrency: 2 }, () => {
  it("says what is wrong with a line, and reads on", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    const wrong: readonly (readonly [string | Uint8Array, number, unknown])[] = [
      ["no JSON\n", -32700, null],
      [Buffer.from([0x22, 0xff, 0x22, 0x0a]), -32700, null],
      ["42\n", -32600, null],
      ["[]\n", -32600, null],
      ['{"id": 7, "method": "ping"}\n', -32600, 7],
      [`"${"x".repeat(9 * MB)}"\n`, -32600, null],
    ];
    for (const [line, code, id] of wrong) {
      bridge.write(line);
      const answer = await bridge.next();
      assert.deepEqual([answer.error?.code, answer.id], [code, id], answer.error?.message);
    }
    bridge.write("\n\r\n  \n");
    bridge.modern(1, "server/discover");
    assert.equal((await bridge.next()).id, 1);
  });

  it("refuses what is nested deeper than anything needs to be, and passes the rest of a batch on", async () => {
    await using hub = await ScriptedHub.start(({ reply }) => reply({ result: {} }));
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    const ping = (id: unknown, levels: number): string =>
      `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":"tools/list","params":{"a":${nested(levels)}}}`;
    const wrong: readonly (readonly [string, unknown])[] = [
      [nested(20_001), null],
      [`[${nested(200)}]`, null],
      [ping(1, 127), 1],
      [ping("deep", 1_000_000), "deep"],
      [`[${ping("member", 20_000)}]`, "member"],
      [`{"jsonrpc":"2.0","method":"notifications/progress","params":{"a":${nested(20_000)}}}`, null],
      [`{"jsonrpc":"2.0","id":1,"result":{"a":${nested(20_000)}}}`, null],
    ];
    for (const [line, id] of wrong) {
      bridge.write(`${line}\n`);
      const { id: said, error } = await bridge.next();
      assert.deepEqual([said, error?.code], [id, -32600], line.slice(0, 100));
      assert.match(error?.message ?? "", /^The message is nested deeper than 128 levels; flatten it$/);
    }
    bridge.write(`[${ping(2, 126)},${ping(3, 127)},${ping(4, 1)}]\n`);
    const answers = [await bridge.next(), await bridge.next(), await bridge.next()];
    assert.deepEqual(
      new Map(answers.map(({ id, error }) => [id, error?.code])),
      new Map([
        [3, -32600],
        [2, undefined],
        [4, undefined],
      ]),
    );
    assert.equal(hub.asked.length, 2);
  });

  it("says whose message is too long where that can be told", async () => {
    await using hub = await ScriptedHub.start(() => {});
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    const long = JSON.stringify({ id: 0, text: `"}],\\{${"x".repeat(9 * MB)}` });
    const tooLong: readonly (readonly [string, unknown])[] = [
      [`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${long}}`, 1],
      [`{"method":"tools/call","params":[${long}],"jsonrpc":"2.0","id":"\\u00fc\\"é"}\r`, 'ü"é'],
      [`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${long}`, null],
      [`{"jsonrpc":"2.0","id":[1],"method":"tools/call","params":${long}}`, null],
      [`{"jsonrpc":"2.0","method":"notifications/progress","params":${long}}`, null],
      [`{"jsonrpc":"2.0","id":1,"result":${long}}`, null],
      [`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${long}}]`, null],
      [`{"jsonrpc":"2.0","id":1,"method":"tools/call"}${" ".repeat(9 * MB)}`, 1],
    ];
    for (const [line, id] of tooLong) {
      bridge.write(`${line}\n`);
      const { id: said, error } = await bridge.next();
      assert.deepEqual([said, error?.code], [id, -32600], line.slice(0, 100));
      assert.match(error?.message ?? "", /^The message is longer than 8388608 bytes, the limit$/);
    }
  });

  it("reads text that comes in pieces, several messages at once, and batches", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    await bridge.initialize();
    const call = { name: "send_sse_message", arguments: { message: "Grüße 👋", channel: "a" } };
    const bytes = Buffer.from(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call })}\r\n`);
    const middle = bytes.indexOf("👋") + 2;
    bridge.write(bytes.subarray(0, middle));
    bridge.write(bytes.subarray(middle));
    await bridge.answer(1);
    const { structuredContent } = await server.call("read_messages", { channel: "a" });
    assert.equal((structuredContent["messages"] as { data: string }[])[0]?.data, "Grüße 👋");

    const ping = (id: string): object => ({ jsonrpc: "2.0", id, method: "ping" });
    bridge.write(`${JSON.stringify(ping("a"))}\n${JSON.stringify([ping("b"), ping("c")])}\n`);
    const ids = new Set<unknown>();
    while (ids.size < 3) {
      const { id } = await bridge.next();
      if (id !== undefined) ids.add(id);
    }
    assert.deepEqual(ids, new Set(["a", "b", "c"]));
  });

  it("lets the hub say that a message is too long for it", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    const send = { name: "send_sse_message", arguments: { message: "x".repeat(2 * MB) } };
    bridge.modern(1, "tools/call", send);
    const { id, error } = await bridge.next();
    assert.equal(id, 1);
    assert.match(error?.message ?? "", /larger than 1048576 bytes/);
  });

  it("[MCP-31] refuses an id that JSON would round, and takes null for the id that a notification does not have", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    await bridge.initialize();
    bridge.send({ id: null, method: "notifications/initialized", params: null });
    bridge.write('{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}\n');
    const { id, error } = await bridge.next();
    assert.deepEqual([id, error?.code], [null, -32600]);
    assert.match(error?.message ?? "", /^id: it must be .* up to 9007199254740991/);
    bridge.send({ id: 7, method: "tools/call", params: { name: "get_server_info", arguments: null, _meta: null } });
    assert.ok((await bridge.answer(7)).result !== undefined);
  });

  it("stops reading what the hub sends while the client does not read, and loses nothing", async () => {
    const event = (n: number): string => {
      const params = { level: "info", data: `${n} ${"x".repeat(64 * 1024)}` };
      return `data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params })}\n\n`;
    };
    let sent = 0;
    let stopped = false;
    await using hub = await ScriptedHub.start(({ message, response, stream }) => {
      stream();
      const more = (): void => {
        // Far more than the system keeps on the way.
        stopped = response.writableLength > 32 * MB;
        if (sent < 8000 && !stopped) {
          response.write(event(sent++));
          setImmediate(more);
        } else response.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id: message.id, result: {} })}\n\n`);
      };
      more();
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    bridge.cli.child.stdout.pause();
    bridge.modern(1, "tools/call", { name: "a" });
    await until("the hub cannot get rid of more", () => stopped);
    bridge.cli.child.stdout.resume();
    for (let n = 0; n < sent; n++) {
      assert.equal(String((await bridge.next()).params?.["data"]).split(" ")[0], String(n));
    }
    assert.equal((await bridge.next()).id, 1);
  });

  it("[MSG-5] passes numbers on with all their digits, both ways, in an answer and in a stream", async () => {
    const big = '{"a":12345678901234567890,"b":[0.12345678901234567890,-0,1e2],"c":"12345678901234567890 1e2"}';
    const asked: string[] = [];
    await using hub = await ScriptedHub.start(({ message, text, response, stream }) => {
      asked.push(text);
      const answer = `{"jsonrpc":"2.0","id":${message.id},"result":${big}}`;
      if (message.id === 1) response.writeHead(200, { "content-type": "application/json" }).end(answer);
      else {
        stream(`data: {"jsonrpc":"2.0","method":"notifications/message","params":${big}}\r\n\r\n`);
        response.end(`id: 12345678901234567890\r\ndata: ${answer}\r\n\r\n`);
      }
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
    for (const id of [1, 2]) {
      const params = `{"arguments":${big},"_meta":${JSON.stringify(_meta)}}`;
      bridge.write(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}\n`);
      await bridge.answer(id);
    }
    const written = bridge.cli.stdout.trimEnd().split("\n");
    assert.equal(written.length, 3);
    for (const text of [...asked, ...written]) {
      for (const part of ['"a":12345678901234567890,', "0.12345678901234567890,", ',"c":"12345678901234567890 1e2"']) {
        assert.ok(text.includes(part), text);
      }
    }
  });

  it("gives up an event without an end, and says so", async () => {
    let sent = 0;
    await using hub = await ScriptedHub.start(({ response, stream }) => {
      stream('data: {"jsonrpc":"2.0","method":"notifications/message"}\n\ndata: ');
      const more = (): void => {
        if (response.destroyed || sent === 256) return;
        sent++;
        response.write("x".repeat(MB), () => setImmediate(more));
      };
      more();
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    bridge.modern(1, "tools/list");
    assert.equal((await bridge.next()).method, "notifications/message");
    const { error } = await bridge.answer(1);
    assert.deepEqual(error, { code: 502, message: "The hub sent more than 67108864 bytes in one message" });
    assert.ok(sent < 100, `${sent} MiB were sent`);
  });

  it("makes one line of each message, however the hub wrote it", async () => {
    await using hub = await ScriptedHub.start(({ message, response, stream }) => {
      const pretty = (body: object): string => JSON.stringify({ jsonrpc: "2.0", ...body }, undefined, 2);
      if (message.id === 1) {
        response.writeHead(200, { "content-type": "application/json; charset=utf-8" });
        return response.end(pretty({ id: 1, result: { text: "a\nb\u2028" } }));
      }
      const event = (body: object): string => `data: ${pretty(body).replaceAll("\n", "\r\ndata: ")}\r\n\r\n`;
      stream(event({ method: "notifications/message", params: { data: "é".repeat(3) } }));
      return response.end(event({ id: 2, result: {} }));
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    bridge.modern(1, "tools/list");
    assert.equal((await bridge.next()).result?.["text"], "a\nb\u2028");
    bridge.modern(2, "tools/list");
    assert.equal((await bridge.next()).params?.["data"], "ééé");
    assert.equal((await bridge.next()).id, 2);
    assert.equal(bridge.cli.stdout.trimEnd().split("\n").length, 3);
  });

  it("answers with the request's id whatever went wrong on HTTP, and sends the headers it is given", async () => {
    await using hub = await ScriptedHub.start(({ message, headers, response, reply }) => {
      assert.equal(headers["authorization"], "Bearer secret");
      const plain = (status: number, type: string, text: string): unknown =>
        response.writeHead(status, { "content-type": type }).end(text);
      switch (message.id) {
        case 1:
          return plain(401, "text/plain", "who?");
        case 2:
          return plain(403, "application/json", '{"jsonrpc":"2.0","id":null,"error":{"code":403,"message":"no"}}');
        case 3:
          return plain(502, "text/html", "<h1>Bad gateway</h1>");
        case 4:
          return plain(200, "text/html", "<h1>Welcome</h1>");
        case 5:
          return plain(200, "application/json", "{}");
        case 6:
          return plain(308, "text/plain", "");
        case 7:
          return response.destroy();
        case 8:
          return plain(200, "text/event-stream", ":\n\n");
        case 9:
          return response.writeHead(101, { connection: "upgrade", upgrade: "websocket" }).end();
        case 10:
          return response.writeHead(202).end();
        case 11:
          return plain(200, "application/json", '{"jsonrpc":"2.0","method":"notifications/message"}');
        case 12:
          return response.writeHead(403, { "www-authenticate": 'Bearer error="insufficient_scope"' }).end();
        case 13:
          return plain(200, "application/json", '{"jsonrpc":"2.0","error":{"code":7,"message":"who?"}}');
        case 14:
          return plain(200, "application/json", '{"jsonrpc":"2.0",');
        default:
          return reply({ result: {} });
      }
    });
    await using bridge = await StdioBridge.open(["--url", hub.url, "--header", "Authorization: Bearer secret"]);
    const expected: readonly (readonly [number, RegExp])[] = [
      [401, /^The hub answered 401 Unauthorized; give what it asks for with HUB_TOKEN, --token or --header$/],
      [403, /^no$/],
      [502, /^The hub answered 502 Bad Gateway$/],
      [502, /^The hub answered 200 OK with text\/html and no message of MCP; check --url$/],
      [502, /is not a JSON-RPC message; check --url$/],
      [308, /^The hub answered 308 Permanent Redirect; check --url/],
      [503, /broke before its answer came/],
      [503, /broke before its answer came/],
      [503, /broke before its answer came/],
      [502, /^The hub answered 202 Accepted with nothing and no message of MCP; check --url$/],
      [502, /^The hub answered 200 OK with application\/json and no message of MCP; check --url$/],
      [403, /^The hub answered 403 Forbidden; give what it asks for with HUB_TOKEN, --token or --header$/],
      [7, /^who\?$/],
      [502, /is not a JSON-RPC message; check --url$/],
    ];
    for (const [index, [code, sentence]] of expected.entries()) {
      bridge.modern(index + 1, "ping");
      let line = await bridge.next();
      if (line.method !== undefined) line = await bridge.next();
      const { id, error } = line;
      assert.deepEqual([id, error?.code], [index + 1, code]);
      assert.match(error?.message ?? "", sentence);
    }
    bridge.modern(0, "ping");
    assert.equal((await bridge.next()).id, 0);
    assert.doesNotMatch(bridge.cli.stderr + bridge.cli.stdout, /secret/);
  });
});

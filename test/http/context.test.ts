import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import type { Wire } from "../support/wire.ts";

const accepted: Socket[] = [];
subscribe("net.server.socket", (message) => void accepted.push((message as { socket: Socket }).socket));

/** The server's end of a connection. */
async function otherEnd({ socket }: Wire): Promise<Socket> {
  const isIt = (candidate: Socket): boolean => candidate.remotePort === socket.localPort;
  await until("the connection is accepted", () => accepted.some(isIt));
  return accepted.find(isIt) as Socket;
}

function listeners(socket: Socket): number {
  return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
}

const META = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`;
const MODERN = ["MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: get_server_info"];
const BODIES: readonly (readonly [string, string, readonly string[]])[] = [
  ["/mcp/tools/call", "{", []],
  ["/mcp/tools/call", "[]", []],
  ["/mcp/tools/call", '{"id":1}', []],
  ["/mcp/tools/call", '{"params":{"name":"nothing"}}', []],
  ["/mcp/tools/call", '{"params":{"name":"get_server_info"}}', []],
  ["/mcp/tools/call", '{"params":{"name":"read_messages"}}', []],
  ["/mcp/tools/call", '{"params":{"name":"wait_for_messages","arguments":{"channels":["a"],"after":"earliest"}}}', []],
  ["/mcp/tools/call", '{"a":1e400}', []],
  ["/mcp/tools/call", "{}", ["Content-Encoding: gzip"]],
  ["/mcp/tools/list", "{", []],
  ["/mcp", "{", []],
  ["/mcp", "{}", []],
  ["/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_server_info",${META}}}`, MODERN],
  ["/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_server_info",${META}}}`, []],
  ["/mcp", '{"jsonrpc":"2.0","id":1,"method":"initialize"}', []],
  ["/channels/a/messages", "{", ["Content-Type: application/json"]],
  ["/channels/a/messages", "{}", ["Content-Type: image/png"]],
  ["/channels/a/messages?x=1", "{}", []],
  ["/nowhere", "{", []],
];

async function ask(wire: Wire, [path, body, headers]: (typeof BODIES)[number], times: number): Promise<void> {
  const request = [`POST ${path} HTTP/1.1`, "Host: localhost", `Content-Length: ${body.length}`, ...headers];
  for (let n = 0; n < times; n++) wire.send(request, body);
  for (let n = 0; n < times; n++) await wire.response();
}

describe("a connection", () => {
  it("[HTTP-20] carries any number of requests, whatever becomes of them, with no more listeners than one has", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    for (const asked of BODIES) {
      using wire = await server.wire();
      await ask(wire, asked, 1);
      const socket = await otherEnd(wire);
      await ask(wire, asked, 1);
      const before = listeners(socket);
      await ask(wire, asked, 30);
      await turn();
      assert.ok(listeners(socket) <= before + 1, `${asked[0]} ${asked[1]}: ${before} to ${listeners(socket)}`);
    }
  });

  it("ends all calls that wait on it when it closes, and leaves none counted", async () => {
    await using server: TestServer = await startServer();
    const body = '{"params":{"name":"wait_for_messages","arguments":{"channels":["a"],"timeoutSeconds":50}}}';
    using wire = await server.wire();
    for (let n = 0; n < 5; n++) {
      wire.send(["POST /mcp/tools/call HTTP/1.1", "Host: localhost", `Content-Length: ${body.length}`], body);
    }
    const waiting = 'sse_mcp_connections{door="waiting"}';
    await until("they wait", async () => (await server.metric(waiting)) > 0);
    const socket = await otherEnd(wire);
    assert.ok(socket.listenerCount("close") < 10);
    wire.socket.destroy();
    await until("they are gone", async () => (await server.metric(waiting)) === 0);
  });
});

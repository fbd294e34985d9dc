import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { eraOf } from "../../src/mcp/classify.ts";
import { METHODS } from "../../src/mcp/methods.ts";
import { answerOf, headerValue, LOG_LEVEL, mcp, mcpRequest } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface Sent {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const word = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "orders.eu",
    "orders.*",
    "*",
    "hub.stats",
    "earliest",
    "__proto__",
    "constructor",
    "\u0000",
    "\ud800",
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const any = fc.oneof(word, fc.jsonValue({ maxDepth: 3 }), fc.double(), fc.maxSafeInteger());

/** Something right, and now and then anything else. */
function mostly<T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 8, arbitrary: right }, { weight: 1, arbitrary: any });
}

function fields(
  right: Record<string, fc.Arbitrary<unknown>>,
  required: string[] = [],
): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(Object.entries(right).map(([name, value]) => [name, mostly(value)])), {
    requiredKeys: required,
  });
}

const METHOD = mostly(fc.constantFrom(...METHODS.keys(), "initialize", "ping", "notifications/cancelled"));
const NAME = fc.constantFrom(
  "get_server_info",
  "send_sse_message",
  "list_channels",
  "read_messages",
  "wait_for_messages",
  "catch_up",
  "join_channel",
);
const URI = fc.oneof(
  fc.constantFrom("hub://channels", "hub://channels/a", "hub://channels/{channel}"),
  word.map((name) => `hub://channels/${name}`),
);

const params = fields({
  name: NAME,
  uri: URI,
  // A wait is not what is looked for here.
  arguments: fields(
    {
      channel: word,
      channels: fc.array(word),
      message: word,
      prefix: word,
      after: word,
      limit: fc.integer(),
      timeoutSeconds: fc.constantFrom(0, 0.01, -1),
    },
    ["timeoutSeconds"],
  ),
  cursor: fc.constantFrom("0:a", "1:", "999:b"),
  notifications: fields({
    toolsListChanged: fc.boolean(),
    resourcesListChanged: fc.boolean(),
    resourceSubscriptions: fc.array(URI),
  }),
  ref: fields({ type: fc.constantFrom("ref/prompt", "ref/resource"), name: NAME, uri: URI }),
  argument: fields({ name: fc.constantFrom("channel", "name"), value: word }),
  requestState: word,
  inputResponses: fields({ name: any }),
});
const meta = fields({ progressToken: fc.oneof(fc.integer(), word), [LOG_LEVEL]: fc.constantFrom("debug", "error") });
const message = fc.record(
  {
    jsonrpc: mostly(fc.constant("2.0")),
    id: mostly(fc.oneof(fc.integer(), word)),
    method: METHOD,
    params: mostly(params),
    _meta: meta,
  },
  { requiredKeys: ["_meta"] },
);
const headers = fc.dictionary(
  fc.constantFrom(
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "mcp-session-id",
    "mcp-param-region",
    "accept",
    "content-type",
    "last-event-id",
  ),
  fc.oneof(
    fc.constantFrom("2026-07-28", "2025-11-25", "2099-01-01", "tools/call", "=?base64?YQ==?=", "=?base64?!?=", ""),
    fc.string({ unit: "binary-ascii", maxLength: 20 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, "\u00e9").trim()),
  ),
  { maxKeys: 3 },
);

/** A request that is right but for some of what it says. */
const almost = fc
  .tuple(message, fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, headers))
  .map(([{ _meta, ...given }, more]): Sent => {
    const inner =
      typeof given.params === "object" && given.params !== null && !Array.isArray(given.params) ? given.params : {};
    const named = (inner as { name?: unknown; uri?: unknown }).name ?? (inner as { uri?: unknown }).uri;
    const method = typeof given.method === "string" ? given.method : "tools/list";
    const right = mcpRequest(method, inner, { meta: _meta });
    const whole = JSON.parse(right.body) as object;
    const { params: ours } = whole as { params: unknown };
    return {
      body: JSON.stringify({ ...whole, ...given, ...(typeof given.params === "object" ? { params: ours } : {}) }),
      headers: {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": /^[\x21-\x7e]*$/.test(method) ? method : "tools/list",
        ...(typeof named === "string" ? { "mcp-name": headerValue(named) } : {}),
        ...more,
      },
    };
  });

/** Anything at all. */
const anything = fc
  .tuple(
    fc.oneof(
      fc.json(),
      any.map((value) => JSON.stringify(value)),
      fc.string({ unit: "binary" }),
    ),
    headers,
  )
  .map(([body, given]): Sent => ({ body, headers: given }));

/** Sends a request and looks at what comes back; a stream is left after its first bytes. */
async function look(server: TestServer, { body, headers: given }: Sent): Promise<void> {
  const outgoing = request(`${server.url}/mcp`, {
    method: "POST",
    headers: given,
    agent: false,
    signal: AbortSignal.timeout(20_000),
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const { statusCode: status = 0, headers: answered } = response;
  assert.ok(status >= 200 && status < 500, `${status}`);
  if (String(answered["content-type"]).startsWith("text/event-stream")) {
    await once(response, "data");
    response.destroy();
    return;
  }
  const text = await textOf(response);
  const json = parsed(body);
  if (eraOf(json, (name) => given[name]) !== "modern") return;
  const method = (json as { method?: unknown } | null)?.method;
  const answer = answerOf(typeof method === "string" ? method : "", {
    status,
    headers: answered,
    text,
    json: () => null,
  });
  assert.notEqual(answer.error?.code, -32603);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe("whatever is sent to /mcp", () => {
  for (const [what, sent, numRuns] of [
    ["a request with something wrong about it", almost, 1500],
    ["any text with any headers", anything, 500],
  ] as const) {
    it(`${what} is answered, never as a failure of the server, and leaves nothing behind`, async () => {
      using folder = new TemporaryFolder();
      const logFile = folder.file("hub.log");
      await using server = await startServer({ logLevel: "info", logFile });
      await fc.assert(
        fc.asyncProperty(sent, (one) => look(server, one)),
        { numRuns },
      );
      assert.equal((await mcp(server, "tools/list")).status, 200);
      await until("nothing is open any more", () => server.hub.size === 0);
      assert.equal(await server.metric('sse_mcp_connections{door="mcp"}'), 0);
      assert.equal(await server.metric('sse_mcp_connections{door="waiting"}'), 0);
      const lines = readFileSync(logFile, "utf8").split("\n");
      assert.deepEqual(
        lines.filter((line) => line !== "" && !line.includes("Server listening")),
        [],
      );
    });
  }
});

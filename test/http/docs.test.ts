import assert from "node:assert/strict";
import { before, after, describe, it } from "node:test";
import type { ServerOptions } from "../../src/server.ts";
import { faults, KEYWORDS, type Schema } from "../support/json-schema.ts";
import { KeyRing } from "../support/keys.ts";
import type { Answer, RequestOptions } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Body {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body>>;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly components: { readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, string>>>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

describe("GET /openapi.json", () => {
  let server: TestServer;
  let document: Document;
  let operations: readonly (readonly [string, Operation])[];
  before(async () => {
    server = await startServer();
    document = (await server.request("/openapi.json")).json() as Document;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    );
  });
  after(() => server.close());

  it("[OPS-4] is OpenAPI 3.1 and lists every route of the contract", () => {
    assert.match(document.openapi, /^3\.1\.\d+$/);
    assert.equal(document.info.title, "sse-mcp-server");
    assert.deepEqual(operations.map(([name]) => name).sort(), [
      "DELETE /channels/{channel}/messages",
      "DELETE /connections/{id}",
      "DELETE /mcp",
      "DELETE /push/{id}",
      "DELETE /scheduled/{id}",
      "DELETE /session",
      "DELETE /webhooks/{id}",
      "GET /channels",
      "GET /channels/{channel}/messages",
      "GET /channels/{channel}/messages/{id}",
      "GET /connections",
      "GET /connections/{id}",
      "GET /events",
      "GET /files/{id}",
      "GET /health",
      "GET /health/live",
      "GET /health/ready",
      "GET /hooks",
      "GET /mcp",
      "GET /messages",
      "GET /metrics",
      "GET /participants",
      "GET /push",
      "GET /questions",
      "GET /questions/{id}",
      "GET /recent",
      "GET /scheduled",
      "GET /scheduled/{id}",
      "GET /session",
      "GET /webhooks",
      "GET /webhooks/{id}",
      "GET /ws",
      "PATCH /webhooks/{id}",
      "POST /answer/{token}",
      "POST /channels/{channel}/messages",
      "POST /files",
      "POST /hooks/{name}",
      "POST /hooks/{name}/{token}",
      "POST /mcp",
      "POST /mcp/tools/call",
      "POST /mcp/tools/list",
      "POST /push",
      "POST /questions",
      "POST /questions/{id}/answer",
      "POST /questions/{id}/cancel",
      "POST /session",
      "POST /tickets",
      "POST /webhooks",
      "POST /webhooks/{id}/replay",
      "POST /webhooks/{id}/resume",
      "POST /webhooks/{id}/test",
    ]);
  });

  it("is well formed: parameters of the path are declared, responses described, schemas made of known words", () => {
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const [name, { summary, tags: own = [], parameters = [], requestBody, responses }] of operations) {
      assert.ok(summary !== undefined && summary !== "", `${name} has no summary`);
      assert.ok(own.length > 0 && own.every((tag) => tags.has(tag)), `${name} has no tag, or an unknown one`);
      const inPath = parameters.filter((parameter) => parameter.in === "path");
      assert.deepEqual(
        inPath.map((parameter) => parameter.name),
        [...name.matchAll(/\{(\w+)\}/g)].map(([, word]) => word),
        name,
      );
      assert.ok(
        inPath.every(({ required }) => required),
        `${name}: what is in the path is required`,
      );
      assert.equal(
        new Set(parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).size,
        parameters.length,
        name,
      );
      for (const parameter of parameters)
        assert.ok(parameter.description, `${name}: ${parameter.name} is not described`);
      assert.ok(Object.keys(responses).length > 0, `${name} has no responses`);
      for (const [status, body] of Object.entries(responses)) {
        assert.match(status, /^(?:[1-5]\d\d|[1-5]XX|default)$/, name);
        assert.equal(typeof body.description, "string", `${name} ${status} has no description`);
      }
      const bodies = [requestBody, ...Object.values(responses)].flatMap((body) => Object.values(body?.content ?? {}));
      for (const { schema } of [...bodies, ...parameters]) assert.deepEqual(unknownWords(schema), [], name);
    }
  });

  it("says what is validated: what it rules out is refused, and what it allows is taken", async () => {
    const example: Readonly<Record<string, string>> = {
      "/channels": "",
      "/channels/{channel}/messages": "",
      "/events": "",
    };
    let probed = 0;
    for (const [name, { parameters = [] }] of operations) {
      const [method, path = ""] = name.split(" ");
      if (method !== "GET" || example[path] === undefined) continue;
      for (const { name: field, in: place, schema } of parameters) {
        if (place !== "query") continue;
        const { minimum, maximum, anyOf } = schema;
        const good = schema.enum?.map(String) ?? (minimum === undefined ? [] : [String(minimum), String(maximum)]);
        const bad =
          schema.enum === undefined
            ? minimum === undefined
              ? []
              : [String(minimum - 1), String(Number(maximum) + 1), "x"]
            : ["nonsense"];
        const url = (value: string): string =>
          `${path.replace("{channel}", "a")}?${field}=${encodeURIComponent(value)}`;
        for (const value of good) {
          assert.equal(
            (await server.request(url(value), { method: path === "/events" ? "HEAD" : "GET" })).status,
            200,
            url(value),
          );
          probed++;
        }
        for (const value of [...bad, ...(anyOf === undefined ? [`a&${field}=b`] : [])]) {
          const answer = await server.request(url(value).replace("%26", "&").replace("%3D", "="));
          assert.equal(answer.status, 400, url(value));
          assert.match((answer.json() as { detail: string }).detail, new RegExp(`^${field}`));
          probed++;
        }
      }
    }
    assert.ok(probed > 10, `only ${probed} values were tried`);
  });

  it("says what is answered: real responses are what their schemas say", async () => {
    const { id } = await server.publish("orders.eu", { any: ["JSON"] });
    const type = { "content-type": "application/json" };
    const key = { ...type, "idempotency-key": "k" };
    const asked: readonly (readonly [string, string, RequestOptions])[] = [
      ["GET /health", "/health", {}],
      ["GET /health/ready", "/health/ready", {}],
      ["GET /health/live", "/health/live", {}],
      ["GET /channels", "/channels", {}],
      ["GET /channels/{channel}/messages", "/channels/orders.*/messages", {}],
      ["GET /channels/{channel}/messages", "/channels/orders.*/messages?after=garbage", {}],
      ["GET /channels/{channel}/messages", "/channels/orders.*/messages?before=latest", {}],
      ["GET /messages", "/messages?q=json&channel=orders.*&channel=a", {}],
      ["GET /channels/{channel}/messages/{id}", `/channels/orders.eu/messages/${id}`, {}],
      ["POST /channels/{channel}/messages", "/channels/a/messages", { body: "1", headers: key }],
      ["POST /channels/{channel}/messages", "/channels/a/messages", { body: "1", headers: key }],
      ["POST /channels/{channel}/messages", "/channels/a/messages?ephemeral=true", { body: "1", headers: type }],
      ["POST /mcp/tools/list", "/mcp/tools/list", { body: "{}" }],
      ["POST /mcp/tools/list", "/mcp/tools/list", { body: "[]" }],
      ["POST /mcp/tools/call", "/mcp/tools/call", { body: '{"params":{"name":"get_server_info"}}' }],
      ["POST /mcp/tools/call", "/mcp/tools/call", { body: '{"params":{"name":"send_sse_message"}}' }],
      ["POST /mcp/tools/call", "/mcp/tools/call", { body: '{"params":{"name":"none"}}' }],
      ["POST /mcp/tools/call", "/mcp/tools/call", { body: " ".repeat(2 * 1024 * 1024) }],
    ];
    for (const [name, path, options] of asked) {
      const answer: Answer = await server.request(path, { method: name.split(" ")[0] ?? "GET", ...options });
      const operation = operations.find(([candidate]) => candidate === name)?.[1];
      const schema = operation?.responses[String(answer.status)]?.content?.["application/json"]?.schema;
      assert.ok(schema !== undefined, `${name} answers ${answer.status}, which is not documented`);
      assert.deepEqual(faults(answer.json(), schema), [], `${name} ${answer.status}: ${answer.text}`);
    }
  });
});

describe("the credentials in /openapi.json", () => {
  const operationsOf = async (server: TestServer): Promise<Map<string, Operation>> => {
    const { paths } = (await server.request("/openapi.json")).json() as Document;
    return new Map(
      Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
      ),
    );
  };
  const namesOf = ({ security }: Operation): string[][] | undefined => security?.map((one) => Object.keys(one));

  it("are asked for where they are needed, and nowhere else", async () => {
    using keys = new KeyRing();
    await using server = await startServer({ apiKeysFile: keys.path });
    const operations = await operationsOf(server);
    // A hook is verified by the scheme of its provider, and a link that answers is a credential itself.
    const hooks = ["POST /answer/{token}", "POST /hooks/{name}", "POST /hooks/{name}/{token}"];
    const open = ["DELETE /session", "GET /health", "GET /health/live", "GET /health/ready", "GET /session", ...hooks];
    for (const [name, operation] of operations) {
      const [method = "", path = ""] = name.split(" ");
      const isOpen = open.includes(name);
      const names = namesOf(operation);
      assert.equal(names === undefined || names.some((one) => one.length === 0), isOpen, name);
      const answer = await server.request(path.replace("{channel}", "a"), { method });
      assert.equal(answer.status === 401, !isOpen, `${name}: ${answer.status}`);
      if (names === undefined) continue;
      for (const status of ["401", "403", "429"]) assert.ok(operation.responses[status], `${name} has no ${status}`);
    }
    const { components } = (await server.request("/openapi.json")).json() as Document;
    const used = new Set([...operations.values()].flatMap((operation) => namesOf(operation)?.flat() ?? []));
    assert.deepEqual([...used].sort(), Object.keys(components.securitySchemes).sort());
  });

  it("let one in if they are presented as described, and refusals are as described", async () => {
    using keys = new KeyRing();
    const key = keys.add("ada", { subscribe: ["a"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const operations = await operationsOf(server);
    const { securitySchemes: schemes } = ((await server.request("/openapi.json")).json() as Document).components;
    const begun = await server.request("/session", { method: "POST", headers: { "x-api-key": key } });
    const [cookie = ""] = String(begun.headers["set-cookie"]).split(";");
    assert.deepEqual([schemes["bearer"]?.["type"], schemes["bearer"]?.["scheme"]], ["http", "bearer"]);
    assert.deepEqual([schemes["session"]?.["in"], schemes["session"]?.["name"]], ["cookie", cookie.split("=")[0]]);
    const presented = [{ authorization: `Bearer ${key}` }, { [schemes["apiKey"]?.["name"] ?? ""]: key }, { cookie }];
    for (const headers of presented) {
      assert.equal((await server.request("/channels", { headers })).status, 200, JSON.stringify(headers));
    }
    const headers = { "x-api-key": key };
    const refused = [
      ["GET /channels/{channel}/messages", await server.request("/channels/b/messages", { headers })],
      ["GET /channels", await server.request("/channels")],
      ["POST /mcp/tools/list", await server.request("/mcp/tools/list", { method: "POST", body: "{}" })],
    ] as const;
    for (const [name, answer] of refused) {
      const type = String(answer.headers["content-type"]).split(";")[0] ?? "";
      const schema = operations.get(name)?.responses[String(answer.status)]?.content?.[type]?.schema;
      assert.ok(schema !== undefined, `${name} ${answer.status} ${type}`);
      assert.deepEqual(faults(answer.json(), schema), [], name);
    }
  });

  it("are optional if someone without one may do something", async () => {
    using keys = new KeyRing();
    const settings: readonly ServerOptions[] = [{}, { apiKeysFile: keys.path, anonymousSubscribe: ["status"] }];
    for (const options of settings) {
      await using server = await startServer(options);
      const operation = (await operationsOf(server)).get("GET /events");
      assert.deepEqual(operation && namesOf(operation)?.[0], []);
    }
  });
});

function unknownWords(schema: Schema): string[] {
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.anyOf ?? []),
    ...(schema.items === undefined ? [] : [schema.items]),
  ];
  return [...Object.keys(schema).filter((word) => !KEYWORDS.has(word)), ...inner.flatMap(unknownWords)];
}

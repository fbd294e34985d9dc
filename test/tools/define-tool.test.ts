import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { defineTool, HubError, ToolError, z, type Tool, type ToolCall } from "../../src/index.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { openSdkClient, SDK_CLIENTS, type Person } from "../support/mcp-clients.ts";
import { CLIENT_CAPABILITIES, mcp } from "../support/mcp.ts";
import { startServer, type ToolAnswer } from "../support/server.ts";
import { until } from "../support/until.ts";

const order = defineTool({
  name: "place_order",
  description: "Place an order",
  input: z.strictObject({ item: z.string().min(1), count: z.int().default(1) }),
  output: z.strictObject({ order: z.string(), receivers: z.int() }),
  async run({ item, count }, { hub }) {
    const { id, receivers } = await hub.publish({ channel: "orders.eu", event: "order", data: { item, count } });
    return { text: `Ordered ${count} × ${item}`, structured: { order: id, receivers } };
  },
});

function toolOf(run: (call: ToolCall) => string | Promise<string>): Tool {
  return defineTool({ name: "own", description: "A tool", input: z.strictObject({}), run: (_, call) => run(call) });
}

function textOf({ content }: ToolAnswer): string {
  return content[0]?.text ?? "";
}

describe("a tool of your own", { concurrency: true }, () => {
  it("is listed after the hub's own tools on every door, with the schemas of its input and output", async () => {
    await using server = await startServer({ tools: [order] });
    const plain = (await server.request("/mcp/tools/list", { method: "POST", body: "{}" })).json() as {
      result: { tools: Record<string, unknown>[] };
    };
    const session = await LegacyClient.open(server);
    const { result: legacy } = await session.ask("tools/list");
    const { result: modern } = await mcp(server, "tools/list");
    for (const tools of [plain.result.tools, legacy?.["tools"], modern?.["tools"]] as Record<string, unknown>[][]) {
      assert.equal(tools.length, 9);
      assert.deepEqual(tools[8], {
        name: "place_order",
        title: "place_order",
        description: "Place an order",
        inputSchema: {
          type: "object",
          properties: {
            item: { type: "string", minLength: 1 },
            count: { default: 1, type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 },
          },
          required: ["item"],
          additionalProperties: false,
        },
        outputSchema: {
          type: "object",
          properties: {
            order: { type: "string" },
            receivers: { type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 },
          },
          required: ["order", "receivers"],
          additionalProperties: false,
        },
        annotations: { readOnlyHint: false },
      });
    }
  });

  it("publishes as a tool does, whatever door it is called through", async () => {
    await using server = await startServer({ tools: [order] });
    using reader = await server.events("?channel=orders.*&format=json");
    await until("the reader is live", () => server.hub.size === 1);
    const input = { item: "tea", count: 3 };
    using frames = await server.frames("?channel=");
    frames.send({ type: "mcp_call", id: 1, tool: "place_order", arguments: input });
    const session = await LegacyClient.open(server);
    const answers: unknown[] = [
      await server.call("place_order", input),
      (await session.ask("tools/call", { name: "place_order", arguments: input })).result,
      (await mcp(server, "tools/call", { name: "place_order", arguments: input })).result,
      (await frames.nextOf("mcp_result"))["result"],
    ];
    const seen = new Set<string>();
    for (const answer of answers as ToolAnswer[]) {
      assert.equal(textOf(answer), "Ordered 3 × tea");
      const { receivers, order: id } = answer.structuredContent;
      assert.equal(receivers, 1);
      seen.add(id as string);
    }
    for (let count = 0; count < 4; count++) {
      const message = JSON.parse((await reader.next()).data) as Record<string, unknown>;
      assert.deepEqual([message["event"], message["data"], message["via"]], ["order", input, "tool"]);
      assert.ok(seen.has(message["id"] as string));
    }
  });

  it("gets its input as the schema made it, and its caller is told which field is wrong", async () => {
    await using server = await startServer({ tools: [order] });
    assert.equal(textOf(await server.call("place_order", { item: "tea" })), "Ordered 1 × tea");
    const { isError, content } = await server.call("place_order", { item: "", colour: "green" });
    assert.equal(isError, true);
    assert.match(content[0]?.text ?? "", /^place_order: .*item.*unknown property "colour"; there are item, count/);
  });

  it("answers with the sentence of a HubError, and with no word of any other error, which is logged", async () => {
    const logStream = new PassThrough();
    let logged = "";
    logStream.setEncoding("utf8").on("data", (text: string) => (logged += text));
    const mended = toolOf(() => {
      throw new HubError("INVALID_INPUT", "There is no tea; order coffee");
    });
    const broken: Tool = {
      ...toolOf(() => {
        throw new Error("the password is wrong");
      }),
      name: "broken",
    };
    await using server = await startServer({ tools: [mended, broken], logStream, logLevel: "error" });
    const { isError, content } = await server.call("own");
    assert.deepEqual([isError, content[0]?.text], [true, "own: There is no tea; order coffee"]);
    const body = JSON.stringify({ params: { name: "broken", arguments: {} } });
    const failed = await server.request("/mcp/tools/call", { method: "POST", body });
    const modern = await mcp(server, "tools/call", { name: "broken", arguments: {} });
    assert.equal(failed.status, 500);
    assert.equal(modern.error?.code, -32603);
    assert.doesNotMatch(failed.text + modern.text, /password/);
    await until("both are logged", () => logged.split("the password is wrong").length > 2);
  });

  it("fails for the caller if its answer is not what its output says", async () => {
    const wrong = defineTool({
      name: "own",
      description: "A tool",
      input: z.strictObject({}),
      output: z.strictObject({ count: z.int() }),
      run: () => ({ text: "x", structured: { count: "many" } }),
    });
    await using server = await startServer({ tools: [wrong] });
    assert.equal((await mcp(server, "tools/call", { name: "own", arguments: {} })).error?.code, -32603);
  });

  it("answers with the data that its output describes: what it does not name is left out, defaults are filled in", async () => {
    const tool = defineTool({
      name: "own",
      description: "A tool",
      input: z.strictObject({}),
      output: z.object({ count: z.int().default(1) }),
      run: () => ({ text: "x", structured: { secret: "y" } }),
    });
    await using server = await startServer({ tools: [tool] });
    assert.deepEqual((await server.call("own")).structuredContent, { count: 1 });
  });

  it("fails for the caller if it answers with neither a text nor { text, structured }", async () => {
    const answers: readonly unknown[] = [undefined, 5, [], { text: 7 }, { text: "x", structured: [1] }];
    const tools = answers.map((answer, index) => ({ ...toolOf(() => answer as string), name: `own${index}` }));
    await using server = await startServer({ tools });
    for (const { name } of tools)
      assert.equal((await mcp(server, "tools/call", { name, arguments: {} })).error?.code, -32603, name);
  });

  it("harms no one by what it does after its answer, or does not wait for", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): number => unhandled.push(error);
    process.on("unhandledRejection", note);
    const later = Promise.withResolvers<void>();
    const careless = toolOf(({ hub, progress, ask }) => {
      void hub.publish({ channel: "no channel", data: 1 });
      void ask("Really?", z.object({}));
      setTimeout(() => {
        progress(1);
        later.resolve();
      }, 20);
      return "done";
    });
    await using server = await startServer({ tools: [careless] });
    const meta = { progressToken: "t", [CLIENT_CAPABILITIES]: {} };
    const { result } = await mcp(server, "tools/call", { name: "own", arguments: {} }, { meta });
    assert.equal(textOf(result as unknown as ToolAnswer), "done");
    await later.promise;
    assert.equal((await server.request("/health")).status, 200);
    process.off("unhandledRejection", note);
    assert.deepEqual(unhandled, []);
  });

  it("may come from another copy of this package, with errors of its own", async () => {
    const copy = new URL("../../src/core/errors.ts?copy", import.meta.url).href;
    const { HubError: Other } = (await import(copy)) as { HubError: typeof HubError };
    const tool = toolOf(() => {
      throw new Other("INVALID_INPUT", "There is no tea");
    });
    await using server = await startServer({ tools: [tool] });
    const { isError, content } = await server.call("own");
    assert.deepEqual([isError, content[0]?.text], [true, "own: There is no tea"]);
  });

  it("may check its input with checks that wait", async () => {
    const tool = defineTool({
      name: "own",
      description: "A tool",
      input: z.object({ a: z.string().refine(async (text) => text === "x", "use x") }),
      run: ({ a }) => a,
    });
    await using server = await startServer({ tools: [tool] });
    assert.equal(textOf(await server.call("own", { a: "x" })), "x");
    assert.match(textOf(await server.call("own", { a: "y" })), /a: use x/);
  });

  it("makes one message of two calls with one key", async () => {
    const tool = toolOf(async ({ hub }) => {
      const { id } = await hub.publish({ channel: "orders.eu", data: 1, key: "order-7" });
      return String(id);
    });
    await using server = await startServer({ tools: [tool] });
    assert.equal(textOf(await server.call("own")), textOf(await server.call("own")));
  });

  it("learns from its signal that its caller is gone", async () => {
    const aborted = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const tool = toolOf(async ({ signal }) => {
      begun.resolve();
      await once(signal, "abort");
      aborted.resolve();
      return "";
    });
    await using server = await startServer({ tools: [tool] });
    using wire = await server.wire();
    const body = '{"params":{"name":"own"}}';
    wire.send(["POST /mcp/tools/call HTTP/1.1", "Host: localhost", `Content-Length: ${body.length}`], body);
    await begun.promise;
    wire.socket.destroy();
    await aborted.promise;
  });

  it("cannot be offered if it is wrong or if another has its name, and the sentence says why", async () => {
    const input = z.strictObject({});
    const run = (): string => "";
    const description = "A tool";
    const wrong: readonly [() => unknown, RegExp][] = [
      [() => defineTool({ name: "place order", description, input, run }), /use 1 to 64 letters, digits, _ and -/],
      [() => defineTool({ name: "own", description: "", input, run }), /own has no description/],
      [() => defineTool({ name: "own", description, input: {} as never, run }), /give z\.object/],
      [() => defineTool({ name: "own", description, input, run: 1 as never }), /no function run/],
      [
        () => defineTool({ name: "own", description, input: z.object({ at: z.date() }), run }),
        /input of the tool own cannot be written as JSON Schema/,
      ],
    ];
    for (const [make, sentence] of wrong)
      assert.throws(make, (error) => error instanceof ToolError && sentence.test(error.message));
    const one = defineTool({ name: "own", description, input, run });
    await assert.rejects(startServer({ tools: [one, one] }), /two tools named own/);
    for (const name of ["own", "get_server_info"]) {
      const tools = ["own", name].map((given) => defineTool({ name: given, description, input, run }));
      await assert.rejects(startServer({ tools }), new RegExp(`two tools named ${name}`));
    }
  });
});

describe("a tool that asks", { concurrency: true }, () => {
  const asking = toolOf(async ({ ask, progress }) => {
    progress(1, 2, "asking");
    const first = await ask("How many?", z.object({ count: z.number() }));
    if (first.action !== "accept") return `not answered: ${first.action}`;
    const second = await ask(`${first.content.count} of what?`, z.object({ item: z.string() }));
    return second.action === "accept" ? `${first.content.count} × ${second.content.item}` : second.action;
  });

  for (const name of SDK_CLIENTS) {
    it(`is answered by the person at the official client ${name}, one question after the other`, async () => {
      await using server = await startServer({ tools: [asking] });
      const asked: string[] = [];
      const person = (message: string): ReturnType<Person> => {
        asked.push(message);
        return message === "How many?"
          ? { action: "accept", content: { count: 3 } }
          : { action: "accept", content: { item: "tea" } };
      };
      await using agent = await openSdkClient(name, server.url, person);
      assert.equal(textOf(await agent.call("own")), "3 × tea");
      assert.deepEqual(asked, ["How many?", "3 of what?"]);
    });

    it(`learns that the person at the official client ${name} declined`, async () => {
      await using server = await startServer({ tools: [asking] });
      await using agent = await openSdkClient(name, server.url, () => ({ action: "decline" }));
      assert.equal(textOf(await agent.call("own")), "not answered: decline");
    });

    it(`tells the official client ${name} that it needs elicitation, if it has none`, async () => {
      await using server = await startServer({ tools: [asking] });
      await using agent = await openSdkClient(name, server.url);
      await assert.rejects(agent.call("own"), /This needs a client with elicitation/);
    });
  }

  it("can go on without an answer if its caller cannot be asked, whatever the door", async () => {
    const fallback = toolOf(async ({ ask }) => {
      try {
        await ask("Really?", z.object({ yes: z.boolean() }));
        return "asked";
      } catch (error) {
        if (error instanceof HubError) return "not asked";
        throw error;
      }
    });
    await using server = await startServer({ tools: [fallback] });
    await using agent = await openSdkClient("v2 in auto mode", server.url);
    assert.deepEqual([textOf(await server.call("own")), textOf(await agent.call("own"))], ["not asked", "not asked"]);
  });

  it("may ask first and wait for the answer later, and several questions at once", async () => {
    const eager = toolOf(async ({ ask }) => {
      const schema = z.object({ a: z.string() });
      const answers = [ask("A", schema), ask("B", schema)];
      await new Promise((resolve) => setImmediate(resolve));
      const both = await Promise.all(answers);
      return both.map((answer) => (answer.action === "accept" ? answer.content.a : "")).join();
    });
    await using server = await startServer({ tools: [eager] });
    const person = (message: string): ReturnType<Person> => ({ action: "accept", content: { a: `${message}!` } });
    await using agent = await openSdkClient("v2 in auto mode", server.url, person);
    for (let round = 0; round < 10; round++) assert.equal(textOf(await agent.call("own")), "A!,B!");
  });

  it("may ask many questions, with long answers", async () => {
    const curious = toolOf(async ({ ask }) => {
      let length = 0;
      for (let count = 0; count < 9; count++) {
        const answer = await ask(`Question ${count}`, z.object({ a: z.string() }));
        length += answer.action === "accept" ? answer.content.a.length : 0;
      }
      return String(length);
    });
    await using server = await startServer({ tools: [curious] });
    const person: Person = () => ({ action: "accept", content: { a: "ä".repeat(10_000) } });
    for (const name of SDK_CLIENTS) {
      await using agent = await openSdkClient(name, server.url, person);
      assert.equal(textOf(await agent.call("own")), "90000", name);
    }
  });

  it("says at once that it cannot ask a client of a session that takes no events", async () => {
    await using server = await startServer({ tools: [asking] });
    const client = await LegacyClient.open(server, { capabilities: { elicitation: {} } });
    const call = { id: 7, method: "tools/call", params: { name: "own", arguments: {} } };
    const answer = await client.post(call, { accept: "application/json" });
    assert.match(answer.text, /takes no events; send Accept: text\/event-stream, too/);
  });

  it("fails with a sentence on doors that cannot ask", async () => {
    await using server = await startServer({ tools: [asking] });
    const { isError, content } = await server.call("own");
    assert.equal(isError, true);
    assert.match(content[0]?.text ?? "", /^own: This tool asks a person .* only \/mcp can ask/);
  });

  it("refuses an answer that does not fit its schema", async () => {
    await using server = await startServer({ tools: [asking] });
    const person: Person = () => ({ action: "accept", content: { count: "three" } });
    await using agent = await openSdkClient("v2 in legacy mode", server.url, person);
    const answer = await agent.call("own");
    assert.equal(answer.isError, true);
    assert.match(textOf(answer), /^own: The answer does not fit: .*expected number, received string/);
  });

  it("ends with a sentence if it asks something else than before", async () => {
    let count = 0;
    const moody = toolOf(async ({ ask }) => {
      const schema = z.object({ yes: z.boolean() });
      await ask(`Really? (${count++})`, schema);
      return "done";
    });
    await using server = await startServer({ tools: [moody] });
    const person: Person = () => ({ action: "accept", content: { yes: true } });
    await using agent = await openSdkClient("v2 in legacy mode", server.url, person);
    const answer = await agent.call("own");
    assert.deepEqual([answer.isError, count], [true, 2]);
    assert.match(textOf(answer), /its questions have changed since the first answer; call it again/);
  });
});

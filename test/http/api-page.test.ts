import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import type { Schema } from "../support/json-schema.ts";
import { needsCurl } from "../support/curl.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer, type TestServer } from "../support/server.ts";

const run = promisify(execFile);

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly required: boolean; readonly description: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Shown extends Operation {
  readonly method: string;
  readonly path: string;
  /** Of its part of the page. */
  readonly html: string;
  readonly text: string;
  readonly code: string;
}

/** The operations that a server documents, each with its part of `/docs`. */
async function shownBy(server: TestServer): Promise<readonly Shown[]> {
  const { paths } = (await server.request("/openapi.json")).json() as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  const { text: page } = await server.request("/docs");
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const [, html = ""] = page.split(new RegExp(`<details[^>]* id="${operation.operationId}"[^>]*>`));
      const [own = ""] = html.split("</details>", 1);
      const code = /<pre>.*?<code>(.*?)<\/code>/s.exec(own)?.[1] ?? "";
      return { ...operation, method, path, html: own, text: textOf(own), code: textOf(code) };
    }),
  );
}

function textOf(html: string): string {
  return html.replace(/<[^>]*>/g, "").replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

describe("GET /docs", () => {
  it("has each operation in its HTML: what it does, takes and answers", async () => {
    await using server = await startServer();
    const operations = await shownBy(server);
    assert.ok(operations.length > 20);
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
    for (const { method, path, summary, parameters = [], requestBody, responses, html, text } of operations) {
      const name = `${method} ${path}`;
      assert.ok(text.startsWith(`${method.toUpperCase()} ${path} ${summary}`), `${name}: ${text.slice(0, 80)}`);
      for (const parameter of parameters) {
        const [, after = ""] = (html.split("<h3>Parameters</h3>")[1] ?? "").split(`<dt><code>${parameter.name}</code>`);
        const [item = ""] = after.split("</div>", 1);
        assert.equal(item.includes("<b>required</b>"), parameter.required, `${name} ${parameter.name}`);
        assert.ok(textOf(item).includes(parameter.description.replaceAll("`", "")), `${name} ${parameter.name}`);
      }
      for (const { schema } of Object.values(requestBody?.content ?? {}))
        for (const field of Object.keys(schema.properties ?? {}))
          assert.ok(html.includes(`<dt><code>${field}</code>`), `${name} ${field}`);
      for (const status of Object.keys(responses))
        assert.ok(html.includes(`<dt><code>${status}</code>`), `${name} ${status}`);
    }
  });

  it("has examples that do what the operation does, as they are copied", async (test) => {
    if (!needsCurl(test)) return;
    await using server = await startServer();
    const operations = await shownBy(server);
    const expected = new Map([
      // There is no message, file, webhook, question or scheduled message of that id, no hook of that name, no session.
      ["getChannelsChannelMessagesId", 404],
      ["getFilesId", 404],
      ["postAnswerToken", 404],
      ["getConnectionsId", 404],
      ["deleteConnectionsId", 404],
      // Push is not configured.
      ["postPush", 404],
      ["deletePushId", 404],
      ["getScheduledId", 404],
      ["getQuestionsId", 404],
      ["postQuestionsIdAnswer", 404],
      ["postQuestionsIdCancel", 404],
      ["deleteScheduledId", 404],
      ["postHooksName", 404],
      ["postHooksNameToken", 404],
      ["getWebhooksId", 404],
      ["patchWebhooksId", 404],
      ["deleteWebhooksId", 404],
      ["postWebhooksIdResume", 404],
      ["postWebhooksIdReplay", 404],
      ["postWebhooksIdTest", 404],
      ["getMcp", 404],
      ["deleteMcp", 404],
      // A server that needs no credential has no sessions.
      ["postSession", 400],
    ]);
    const answers = operations
      .filter(({ operationId }) => operationId !== "getWs")
      .map(async ({ operationId, code }) => {
        const shell = `HUB_TOKEN=none; curl() { command curl -sS --noproxy '*' --max-time 5 -o /dev/null -w '%{http_code}' "$@"; }\n${code}`;
        const { stdout } = await run("bash", ["-c", shell]).catch((error: { stdout: string }) => error);
        return [operationId, Number(stdout)] as const;
      });
    const others = (await Promise.all(answers)).filter(([id, status]) => {
      const wanted = expected.get(id) ?? 200;
      return wanted === 200 ? status < 200 || status >= 300 : status !== wanted;
    });
    assert.deepEqual(others, []);
    assert.ok(server.hub.stats.published >= 2);
  });

  it("says where a credential is needed, and sends it in the examples", async () => {
    using keys = new KeyRing();
    await using server = await startServer({ apiKeysFile: keys.path });
    for (const { operationId, code, text } of await shownBy(server)) {
      const needs = !/^(?:getHealth|postHooks|getSession|deleteSession|postAnswer)/.test(operationId);
      assert.equal(/Needs a credential: bearer/.test(text), needs, operationId);
      if (operationId !== "getWs") assert.equal(code.includes('-H "Authorization: Bearer $HUB_TOKEN"'), needs, code);
    }
  });

  it("shows a Host that is no name as text", async () => {
    await using server = await startServer({ host: "0.0.0.0", auth: "none" });
    const { text, status } = await server.request("/docs", { headers: { host: `"><script>alert(1)</script>` } });
    assert.equal(status, 200);
    assert.doesNotMatch(text, /<script>alert/);
  });
});

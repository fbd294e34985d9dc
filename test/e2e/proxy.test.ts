import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EventReader } from "../support/event-reader.ts";
import { FrameReader } from "../support/frame-reader.ts";
import { freePort } from "../support/free-port.ts";
import { needs } from "../support/needs.ts";
import { request } from "../support/request.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/operating.md"), "utf8");

/** The nginx lines of the documentation for a whole domain, and those for a path of it. */
function documented(hub: number): readonly [root: string, path: string] {
  const found = [...PAGE.matchAll(/^```nginx\n([\s\S]*?)^```$/gm)].map(([, lines = ""]) =>
    lines.replaceAll("127.0.0.1:8000", `127.0.0.1:${hub}`),
  );
  assert.equal(found.length, 2);
  return found as unknown as readonly [string, string];
}

/** nginx in front of a hub, as documented, on a port that is not 80. */
async function proxy(folder: TemporaryFolder, hub: number): Promise<AsyncDisposable & { readonly port: number }> {
  const port = await freePort();
  const [root, path] = documented(hub);
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder.file(name)};`)
    .join(" ");
  // The lines for a path are told in short: the headers are those of the first.
  const headers = root.split("\n").filter((line) => /^\s+proxy_(?!pass)/.test(line));
  const prefixed = path.replace("# …", headers.join("\n"));
  writeFileSync(
    folder.file("nginx.conf"),
    `daemon off; master_process off; pid ${folder.file("pid")}; error_log ${folder.file("error.log")};
    events { worker_connections 64; }
    http { access_log off; ${bodies} server { listen 127.0.0.1:${port}; ${root} ${prefixed} } }`,
  );
  const child = spawn("nginx", ["-c", folder.file("nginx.conf"), "-p", folder.path], { stdio: "ignore" });
  const ended = once(child, "exit");
  await until("nginx answers", async () => {
    if (child.exitCode !== null) throw new Error(readFileSync(folder.file("error.log"), "utf8"));
    return request(`http://127.0.0.1:${port}/health/live`).then(
      ({ status }) => status === 200,
      () => false,
    );
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

describe("nginx as documented", () => {
  it("[HTTP-42] carries pages, what they publish, streams and WebSockets, at any port and under a path", async (test) => {
    const isThere = spawnSync("nginx", ["-v"]).status === 0;
    if (!needs(test, "nginx", isThere, "apt-get install nginx")) return;
    using folder = new TemporaryFolder();
    await using server = await startServer({ env: "production", allowedHosts: ["hub.lan"] });
    await using front = await proxy(folder, server.port);
    const host = `hub.lan:${front.port}`;
    // What a browser sends from a page of the hub itself.
    const page = { host, origin: `http://${host}` };
    for (const base of [`http://127.0.0.1:${front.port}`, `http://127.0.0.1:${front.port}/hub`]) {
      for (const path of ["/", "/chat", "/dashboard", "/guide/", "/guide/operating", "/docs"]) {
        const { status, text } = await request(`${base}${path}`, { headers: { host } });
        assert.equal(status, 200, `${base}${path}`);
        for (const [, link = ""] of text.matchAll(/(?:src|href)="(?!https?:)([^"#]+)/g)) {
          const { href } = new URL(link, `${base}${path}`);
          assert.equal((await request(href, { headers: { host } })).status, 200, href);
        }
      }
      using reader = await EventReader.open(`${base}/events?channel=a`, { headers: page });
      using frames = await FrameReader.open(`${base.replace("http", "ws")}/ws?channel=a`, { headers: page });
      assert.equal((await frames.next()).type, "welcome");
      const headers = { ...page, "content-type": "text/plain" };
      const { status } = await request(`${base}/channels/a/messages`, { method: "POST", headers, body: "hi" });
      assert.equal(status, 201);
      assert.equal((await reader.next()).data, "hi");
      assert.equal((await frames.next()).type, "message");
    }
    const { text } = await request(`http://127.0.0.1:${front.port}/`, {
      headers: { host, "x-forwarded-proto": "https" },
    });
    assert.match(text, new RegExp(`curl -N http://hub\\.lan:${front.port}/events`), "the proxy knows the protocol");
    const foreign = { ...page, origin: "http://evil.example" };
    assert.equal((await request(`http://127.0.0.1:${front.port}/channels`, { headers: foreign })).status, 403);
  });
});

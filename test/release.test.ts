import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { needsBrowser, openBrowser } from "./support/browser.ts";
import { needs } from "./support/needs.ts";
import { Checkout, filesIn, Installed, manifestIn, type Ended } from "./support/release.ts";
import { startServer } from "./support/server.ts";
import { until } from "./support/until.ts";

const ROOT = join(import.meta.dirname, "..");
const VERSION = "7.8.9";
const [SERVER, CLIENT] = [`sse-mcp-server-${VERSION}.tgz`, `sse-mcp-server-client-${VERSION}.tgz`];
/** What a user of the client writes, with its types. */
const USE = `import { connect, HubClientError, type Message, type Receipt } from "sse-mcp-server-client";

const hub = connect(process.argv[2] ?? "");
const orders = hub.subscribe<{ order: number }>("orders.*");
await orders.ready;
const receipt: Receipt = await hub.publish("orders.eu", { order: 123 });
for await (const message of orders) {
  const same: Message<{ order: number }> = message;
  console.log(same.channel, same.data.order, receipt.receivers);
  break;
}
await hub.publish("not a channel", 1).catch((error: unknown) => {
  if (error instanceof HubClientError) console.log(error.code);
});
hub.close();
`;

interface Bom {
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } };
  readonly components: readonly { readonly name: string }[];
}

describe("a release", { timeout: 600_000 }, () => {
  let checkout: Checkout;
  let released: Ended;
  before(async () => {
    checkout = new Checkout();
    const versioned = await checkout.npm("version", VERSION, "--no-git-tag-version");
    assert.equal(versioned.code, 0, versioned.stderr);
    checkout.commit();
    released = await checkout.npm("run", "--silent", "release", "--", "--dry-run", "--no-checks");
  });
  after(() => checkout?.[Symbol.dispose]());
  const text = (file: string): string => readFileSync(checkout.file(file), "utf8");

  it("is made of one version, which npm version writes wherever it stands", async () => {
    assert.equal(JSON.parse(text("package.json")).version, VERSION);
    assert.equal(JSON.parse(text("packages/client/package.json")).version, VERSION);
    assert.deepEqual(
      [...text("server.json").matchAll(/"version": "(.*?)"/g)].map(([, one]) => one),
      [VERSION, VERSION, VERSION],
    );
    assert.match(text("README.md"), /"version":"7\.8\.9"/);
    assert.match(text("CHANGELOG.md"), /^## Unreleased\n\n## 7\.8\.9 - \d{4}-\d\d-\d\d\n\n### /m);
    assert.deepEqual(await checkout.npm("run", "--silent", "stamp", "--", "--check"), {
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("prints how it would be published, with provenance, and publishes nothing by hand", async () => {
    assert.equal(released.code, 0, released.stderr);
    for (const file of [SERVER, CLIENT]) {
      assert.ok(released.stdout.includes(`the workflow runs: npm publish ./${file} --access public --provenance\n`));
    }
    const sums = text("release/SHA256SUMS").trimEnd().split("\n");
    assert.equal(sums.length, 4);
    for (const [sum, file = ""] of sums.map((line) => line.split("  "))) {
      assert.equal(
        createHash("sha256")
          .update(readFileSync(checkout.file(`release/${file}`)))
          .digest("hex"),
        sum,
      );
    }
    assert.match(text("release/NOTES.md"), /^### /);
    const real = await checkout.npm("run", "--silent", "release", "--", "--no-checks");
    assert.equal(real.code, 1);
    assert.match(real.stderr, /^release: this commit has no tag v7\.8\.9; run npm version first\n/);
    assert.match(real.stderr, /\nrelease: provenance needs the identity of a workflow: push the tag/);
  });

  it("says everything that is wrong before it begins", async () => {
    using other = new Checkout();
    writeFileSync(
      other.file("server.json"),
      readFileSync(other.file("server.json"), "utf8").replace(/"version": "/, '"version": "9.'),
    );
    const { code, stdout, stderr } = await other.npm("run", "--silent", "release", "--", "--dry-run");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /^release: there are changes that are not committed; commit or stash them:\n M server\.json\n/,
    );
    assert.match(stderr, /\nrelease: server\.json: not as in package\.json; run npm run stamp\n/);
  });

  it("has a bill of materials of what is installed, and of what is in bundles", () => {
    const names = (file: string): string[] => {
      const { metadata, components } = JSON.parse(text(`release/${file}`)) as Bom;
      assert.equal(`${metadata.component.name}-${metadata.component.version}.cdx.json`, file);
      return components.map(({ name }) => name);
    };
    const server = names(`sse-mcp-server-${VERSION}.cdx.json`);
    for (const name of ["fastify", "zod", "ws", "preact", "uplot"]) assert.ok(server.includes(name), name);
    for (const name of ["typescript", "esbuild", "playwright-core"]) assert.ok(!server.includes(name), name);
    assert.deepEqual(names(`sse-mcp-server-client-${VERSION}.cdx.json`), ["eventsource-parser"]);
  });

  describe("installed in a new folder", () => {
    let installed: Installed;
    before(async () => {
      installed = await Installed.open(checkout.file(`release/${SERVER}`));
      installed.add(checkout.file(`release/${CLIENT}`));
    });
    after(() => installed?.[Symbol.dispose]());
    const server = (name = "."): string => installed.file(join("node_modules/sse-mcp-server", name));

    it("has all that it needs, and no more", async () => {
      const { code, stderr } = await installed.run("npm", "ls", "--all", "--omit=dev");
      assert.equal(code, 0, stderr);
      const files = filesIn(server());
      const allowed =
        /^(?:dist|public|deploy|docs|examples)\/|^scripts\/[a-z-]+\.js$|^[A-Z-]+(?:\.md|\.txt)?$|^package\.json$/;
      assert.deepEqual(
        files.filter((file) => !allowed.test(file)),
        [],
      );
      assert.deepEqual(
        files.filter((file) => /\.test\.|(?<!\.d)\.tsx?$|\.db$|\.log$/.test(file) && !file.startsWith("examples/")),
        [],
      );
      for (const page of ["start", "chat", "dashboard", "login"])
        assert.ok(files.includes(`public/pages/${page}.html`), page);
      for (const file of ["public/client/client.js", "THIRD-PARTY.txt", "LICENSE"])
        assert.ok(files.includes(file), file);
      for (const name of ["preact", "uplot"])
        assert.match(readFileSync(server("THIRD-PARTY.txt"), "utf8"), new RegExp(`^${name} \\d`, "m"));
    });

    it("runs by npx: a hub with its pages, to which the installed client speaks", async () => {
      const words = ["--no-install", "sse-mcp-server", "--port", "0", "--data", "memory:"];
      await using hub = await installed.start("npx", ...words);
      const { url } = hub;
      for (const page of ["/", "/chat", "/dashboard", "/docs", "/guide/", "/client.js", "/openapi.json"]) {
        assert.equal((await fetch(url + page)).status, 200, page);
      }
      installed.write("use.ts", USE);
      const { stdout, stderr } = await installed.run(process.execPath, "use.ts", url);
      assert.equal(stdout, "orders.eu 123 1\nINVALID_CHANNEL\n", stderr);
    });

    it("says in one sentence which Node it needs, on an older one", async (test) => {
      const old = await olderNode(installed);
      if (!needs(test, "an older Node", old !== undefined, "apt-get install nodejs")) return;
      const { code, stdout, stderr } = await installed.run(old ?? "", server("dist/cli/main.js"), "--version");
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(
        stderr,
        /^sse-mcp-server: this is Node \d+\.\S+; use 24\.11 or newer, or run: npx --package=node@24 .*\n$/,
      );
      installed.write("use.mjs", `import { connect } from "sse-mcp-server-client"; console.log(typeof connect);`);
      assert.equal((await installed.run(old ?? "", "use.mjs")).stdout, "function\n", "the client runs there");
    });
  });

  describe("of the client, which needs nothing else", () => {
    let installed: Installed;
    before(() => {
      installed = Installed.alone(checkout.file(`release/${CLIENT}`));
    });
    after(() => installed?.[Symbol.dispose]());

    it("has no dependencies, and is small", () => {
      assert.equal(manifestIn(checkout.file(`release/${CLIENT}`)).dependencies, undefined);
      const folder = installed.file("node_modules/sse-mcp-server-client");
      const bytes = filesIn(folder)
        .filter((file) => !file.endsWith(".map"))
        .reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
      assert.ok(bytes < 130_000, `${bytes} bytes`);
      assert.match(readFileSync(join(folder, "dist/THIRD-PARTY.txt"), "utf8"), /^eventsource-parser \d/);
      assert.equal(readFileSync(join(folder, "LICENSE"), "utf8"), readFileSync(join(ROOT, "LICENSE"), "utf8"));
    });

    it("has types that a strict project compiles with, and that know a mistake", async () => {
      installed.write("use.ts", USE);
      installed.write("wrong.ts", `import { connect } from "sse-mcp-server-client";\nconnect(1);\n`);
      // Node's own types are not installed: `process` is told of in the file itself.
      appendFileSync(installed.file("use.ts"), "declare const process: { argv: string[] };\n");
      const tsc = join(ROOT, "node_modules/.bin/tsc");
      for (const module of ["nodenext", "esnext"]) {
        const resolution = module === "nodenext" ? "nodenext" : "bundler";
        const flags = [
          "--noEmit",
          "--strict",
          "--target",
          "es2024",
          "--lib",
          "es2024,dom,esnext.disposable",
          "--types",
          "",
        ];
        const how = [...flags, "--module", module, "--moduleResolution", resolution];
        const { code, stdout } = await installed.run(tsc, ...how, "use.ts");
        assert.equal(code, 0, stdout);
        assert.match((await installed.run(tsc, ...how, "wrong.ts")).stdout, /^wrong\.ts\(2,9\): error TS2345/);
      }
    });

    it("runs in a page, from a bundle of esbuild and as the one file that it is", async (test) => {
      await using browser = await openBrowser();
      if (!needsBrowser(test, browser)) return;
      await using server = await startServer();
      const page = `import { connect } from "sse-mcp-server-client";
        connect("${server.url}").subscribe("orders.*", { onMessage: ({ data }) => document.body.append(JSON.stringify(data)) });`;
      installed.write("page.js", page);
      const bundled = await build({
        entryPoints: [installed.file("page.js")],
        bundle: true,
        format: "esm",
        minify: true,
        write: false,
      });
      const library = readFileSync(installed.file("node_modules/sse-mcp-server-client/dist/client.js"), "utf8");
      const scripts: Readonly<Record<string, string>> = {
        "/bundled.js": bundled.outputFiles[0]?.text ?? "",
        "/module.js": page.replace("sse-mcp-server-client", "./client.js"),
        "/client.js": library,
      };
      await using host = createServer(({ url = "" }, response) => {
        const script = scripts[url];
        if (script !== undefined) return response.setHeader("content-type", "text/javascript").end(script);
        return response
          .setHeader("content-type", "text/html")
          .end(`<!doctype html><script type="module" src="${url.replace("/of", "")}.js"></script>`);
      }).listen(0, "127.0.0.1");
      await once(host, "listening");
      const { port } = host.address() as AddressInfo;
      for (const [index, name] of ["bundled", "module"].entries()) {
        const tab = await browser.newPage();
        await tab.goto(`http://localhost:${port}/of/${name}`);
        await until("it reads", () => server.hub.size === index + 1);
      }
      await server.publish("orders.eu", { order: 123 });
      for (const tab of browser.contexts().flatMap((context) => context.pages())) {
        await tab.locator("body", { hasText: '{"order":123}' }).waitFor();
      }
    });
  });
});

/** A Node of this machine that is too old for the server. */
async function olderNode(installed: Installed): Promise<string | undefined> {
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "node"));
  for (const path of paths.filter((one) => existsSync(one) && dirname(one) !== dirname(process.execPath))) {
    const { stdout } = await installed.run(path, "--version");
    if (/^v(?:1[89]|2[0-3])\./.test(stdout)) return path;
  }
  return undefined;
}

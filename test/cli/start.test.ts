import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Runs `npm start` as if the Node at hand were too old; `npm` is a script of the test. */
function startOnOldNode(folder: TemporaryFolder, npm: string): ReturnType<typeof spawnSync> {
  const written = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as object;
  writeFileSync(folder.file("package.json"), JSON.stringify({ ...written, engines: { node: ">=99.0" } }));
  mkdirSync(folder.file("scripts"));
  copyFileSync(join(ROOT, "scripts/start.js"), folder.file("scripts/start.js"));
  mkdirSync(folder.file("bin"));
  writeFileSync(folder.file("bin/npm"), `#!/bin/sh\n${npm}\n`);
  chmodSync(folder.file("bin/npm"), 0o755);
  const env = { PATH: `${folder.file("bin")}:/usr/bin:/bin` };
  return spawnSync(process.execPath, [folder.file("scripts/start.js"), "--port", "0"], { env, encoding: "utf8" });
}

describe("npm start", () => {
  it("needs nothing to be installed for development if the pages are built, and says so if not", () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file("scripts"));
    copyFileSync(join(ROOT, "scripts/pages.js"), folder.file("scripts/pages.js"));
    const prepare = () => spawnSync(process.execPath, [folder.file("scripts/pages.js")], { encoding: "utf8" });
    const without = prepare();
    assert.equal(without.status, 1);
    assert.match(without.stderr, /the pages are not built, .*; run npm ci without --omit=dev\n$/);
    for (const built of ["scripts", "client", "pages", "guide", "api", "views"])
      mkdirSync(folder.file(`public/${built}`), { recursive: true });
    const { status, stderr } = prepare();
    assert.deepEqual([status, stderr], [0, ""]);
  });

  it("takes the right Node from npm if it runs on one that is too old, and ends as that does", () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("node"), `#!/bin/sh\necho "new node: $*"\nexit 7\n`);
    chmodSync(folder.file("node"), 0o755);
    const { status, stdout, stderr } = startOnOldNode(
      folder,
      `echo "$@" >&2; echo "added 3 packages"; echo "${folder.file("node")}"`,
    );
    assert.equal(status, 7, String(stderr));
    assert.equal(stdout, `new node: ${folder.file("scripts/start.js")} --port 0\n`);
    assert.match(String(stderr), /this is Node \d+\.\S+; taking Node 24\.\S+ from npm\n/);
    assert.match(String(stderr), /exec --yes --package=node@24\.\S+ -- node -p process\.execPath/);
  });

  it("says what to do if there is none to be had", () => {
    using folder = new TemporaryFolder();
    const { status, stderr } = startOnOldNode(folder, "exit 1");
    assert.equal(status, 1);
    assert.match(String(stderr), /install Node >=99\.0, or run npm ci without --omit=dev\n$/);
  });
});

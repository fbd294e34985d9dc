import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { folderHint } from "../../src/cli/folder-hint.ts";
import { defaults } from "../../src/config.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const SOURCE = readFileSync(join(import.meta.dirname, "../../src/cli/folder-hint.ts"), "utf8");
const STRANGER = 65532;

describe("the hint about a folder", () => {
  it("is empty if the server may write where it is told to", () => {
    using folder = new TemporaryFolder();
    const config = { ...defaults(), data: `file:${folder.file("a/b/hub.db")}`, logFile: folder.file("logs/hub.log") };
    assert.equal(folderHint(config), "");
    assert.equal(folderHint({ ...defaults(), data: "memory:" }), "");
  });

  it("says whose the folder is, and what to do", () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("keys.json"), "{}", { mode: 0o600 });
    chmodSync(folder.path, 0o555);
    const config = { ...defaults(), data: `file:${folder.file()}`, apiKeysFile: folder.file("keys.json") };
    const me = process.getuid?.() ?? 0;
    // Nothing is forbidden to root: then another user looks, who may not be able to read this checkout.
    const isRoot = me === 0;
    const said = isRoot
      ? stranger(`${stripTypeScriptTypes(SOURCE)}\nprocess.stdout.write(folderHint(${JSON.stringify(config)}))`)
      : folderHint(config);
    assert.ok(said.includes(`. ${folder.path} belongs to user ${me} (mode 555), and the server runs as user `), said);
    if (!isRoot) return assert.ok(said.includes(`; chmod u+rwX ${folder.path}`), said);
    assert.ok(said.includes(`the server runs as user ${STRANGER}; chown ${STRANGER} ${folder.path}`), said);
    assert.ok(said.includes(`${folder.file("keys.json")} belongs to user 0 (mode 600)`), said);
  });
});

/** What some code prints as a user who owns nothing. */
function stranger(code: string): string {
  const options = { uid: STRANGER, gid: STRANGER, cwd: "/", encoding: "utf8", env: {} } as const;
  const { stdout, stderr, error } = spawnSync("/proc/self/exe", ["--input-type=module", "-e", code], options);
  assert.equal(stderr ?? String(error), "");
  return stdout;
}

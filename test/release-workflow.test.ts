import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { TemporaryFolder } from "./support/temporary-folder.ts";

const WORKFLOW = join(import.meta.dirname, "../.github/workflows/release.yml");
const { jobs } = parse(readFileSync(WORKFLOW, "utf8")) as { readonly jobs: Readonly<Record<string, Job>> };

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
}

describe("the workflow that releases", () => {
  it("names each action by its commit, since a tag can be moved", () => {
    const used = Object.values(jobs).flatMap(({ steps }) => steps.map(({ uses }) => uses));
    const names = used.filter((name) => name !== undefined);
    assert.ok(names.length > 0);
    for (const name of names) assert.match(name, /^actions\/[a-z-]+@[0-9a-f]{40}$/);
  });

  it("lets one job publish, which runs no code of the project or of its dependencies", () => {
    const trusted = Object.entries(jobs).filter(([, { permissions }]) => permissions?.["id-token"] !== undefined);
    assert.deepEqual(
      trusted.map(([name]) => name),
      ["publish"],
    );
    assert.doesNotMatch(JSON.stringify(jobs["publish"]), /checkout|npm (?:ci|i|install|run)\b|npx/);
  });

  it("skips a package that an earlier try has published", () => {
    const script = jobs["publish"]?.steps.find(({ run }) => run !== undefined)?.run ?? assert.fail();
    using folder = new TemporaryFolder();
    // Answers as npm does for a server that is published and a client that is not.
    const npm = `#!/bin/sh
echo "$@" >> calls
case "$*" in
  "view sse-mcp-server@"*) echo 7.8.9 ;;
  view*) exit 1 ;;
esac
`;
    writeFileSync(folder.file("npm"), npm, { mode: 0o755 });
    writeFileSync(folder.file("publish.sh"), script);
    const env = { PATH: `${folder.path}:${process.env["PATH"]}`, GITHUB_REF_NAME: "v7.8.9" };
    execFileSync("bash", ["-e", "publish.sh"], { cwd: folder.path, env });
    const calls = readFileSync(folder.file("calls"), "utf8").trimEnd().split("\n");
    assert.deepEqual(
      calls.filter((call) => call.startsWith("publish")),
      ["publish ./sse-mcp-server-client-7.8.9.tgz --access public --provenance"],
    );
  });
});

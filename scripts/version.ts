// Writes the version, and the repository that the package is published from, everywhere else that they stand: both come
// from package.json. With `--check` it only says which files differ, and ends with 1. `npm version` runs it with
// `--changelog`, which also makes a section of what is new in the changelog.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const { version, repository } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  version: string;
  repository: { url: string };
};
const [, owner, name] = /^git\+https:\/\/github\.com\/([\w-]+)\/([\w.-]+)\.git$/.exec(repository.url) ?? [];
if (owner === undefined || name === undefined) {
  process.stderr.write(`package.json: repository is ${repository.url}; use git+https://github.com/OWNER/NAME.git\n`);
  process.exit(1);
}
const mcpName = `io.github.${owner}/${name}`;

/** What stands where: each pattern's first group is replaced, wherever it matches. */
const PLACES: readonly (readonly [files: string, ...(readonly [pattern: RegExp, text: string])[]])[] = [
  ["package.json", [/"mcpName": "([^"]*)"/g, mcpName]],
  [
    "server.json",
    [/"version": "([^"]*)"/g, version],
    [/"name": "(io\.github\.[^"]*)"/g, mcpName],
    [/"repository": \{ "url": "([^"]*)"/g, `https://github.com/${owner}/${name}`],
  ],
  ["packages/client/package.json", [/"version": "([^"]*)"/g, version], [/"url": "([^"]*)"/g, repository.url]],
  ["README.md", [/"status":"healthy","version":"([^"]*)"/g, version]],
  ["deploy/**/Chart.yaml", [/^version: (\S+)$/gm, version], [/^appVersion: "?([^"\s]+)"?$/gm, version]],
];

if (process.argv.includes("--changelog")) {
  const path = join(ROOT, "CHANGELOG.md");
  const today = new Date().toISOString().slice(0, 10);
  const [before, after] = readFileSync(path, "utf8").split(/^## Unreleased\n/m);
  if (after === undefined || /^\s*(?:## |$)/.test(after)) {
    process.stderr.write('CHANGELOG.md: nothing under "Unreleased"; say there what is new\n');
    process.exit(1);
  }
  writeFileSync(path, `${before}## Unreleased\n\n## ${version} - ${today}\n${after}`);
}
const differing: string[] = [];
for (const [files, ...values] of PLACES) {
  for (const file of globSync(files, { cwd: ROOT })) {
    const path = join(ROOT, file);
    const before = readFileSync(path, "utf8");
    let after = before;
    for (const [pattern, text] of values) {
      after = after.replaceAll(pattern, (match: string, old: string) => match.replace(old, text));
    }
    if (after === before) continue;
    differing.push(file);
    if (!process.argv.includes("--check")) writeFileSync(path, after);
  }
}
if (process.argv.includes("--check") && differing.length > 0) {
  process.stderr.write(`${differing.join(", ")}: not as in package.json; run npm run stamp\n`);
  process.exitCode = 1;
}

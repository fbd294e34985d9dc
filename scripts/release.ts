// `npm run release -- --dry-run` makes all files of a release. Without `--dry-run`, it also wants the tag, and to be in
// the workflow .github/workflows/release.yml, which publishes them in a job of its own: provenance says which commit of
// which repository a package was built from, and the workflow's identity vouches for that. See docs/releasing.md.
import { execFileSync, type StdioOptions } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { clientBom, serverBom } from "./sbom.ts";

const ROOT = join(import.meta.dirname, "..");
const OUT = join(ROOT, "release");
const PACKAGES = [".", "packages/client"] as const;

const { values: options } = parseArgs({
  options: {
    "dry-run": { type: "boolean", default: false },
    // Neither lint nor tests nor the checks of the packed packages: the workflow has run them before.
    "no-checks": { type: "boolean", default: false },
  },
});
const { name, version, repository } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  name: string;
  version: string;
  repository: { url: string };
};

const faults = [...treeFaults(), ...versionFaults(), ...changelogFaults(), ...publisherFaults()];
if (faults.length > 0) {
  for (const fault of faults) process.stderr.write(`release: ${fault}\n`);
  process.exit(1);
}
const steps = options["no-checks"] ? ["compile"] : ["check", "build"];
for (const script of steps) run("npm", ["run", script], { shown: true });

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
const packed = PACKAGES.map(pack);
const [server, client] = packed as [Packed, Packed];
write(`${server.name}-${version}.cdx.json`, await serverBom(ROOT));
write(`${client.name}-${version}.cdx.json`, await clientBom(ROOT));
const files = [...packed.map(({ filename }) => filename), ...packed.map((one) => `${one.name}-${version}.cdx.json`)];
write("SHA256SUMS", files.map((file) => `${sha256(file)}  ${file}\n`).join(""));
for (const { filename, size, unpackedSize, entryCount } of packed) {
  say(`${filename}: ${kilobytes(size)}, unpacked ${kilobytes(unpackedSize)} in ${entryCount} files`);
}
write("NOTES.md", `${notesOf(version)}\n`);
say(`${files.at(-2)}, ${files.at(-1)}: valid CycloneDX 1.5`);
for (const { filename } of packed) {
  say(`the workflow runs: npm publish ./${filename} --access public --provenance`);
}

/** What `npm pack --json` says of a package. */
interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly entryCount: number;
}

function pack(folder: string): Packed {
  // It was built a moment ago.
  const words = ["pack", `./${folder}`, "--json", "--ignore-scripts", "--pack-destination", OUT];
  const [one] = JSON.parse(run("npm", words)) as Packed[];
  if (one === undefined) throw new Error(`npm packed nothing in ${folder}`);
  return one;
}

function treeFaults(): string[] {
  const changed = run("git", ["status", "--porcelain"]).trimEnd();
  return changed === "" ? [] : [`there are changes that are not committed; commit or stash them:\n${changed}`];
}

function versionFaults(): string[] {
  const found: string[] = [];
  try {
    run(process.execPath, ["scripts/version.ts", "--check"]);
  } catch (error) {
    found.push((error as { stderr: string }).stderr.trimEnd());
  }
  const tagged = run("git", ["tag", "--list", `v${version}`, "--points-at", "HEAD"]).trim();
  const anywhere = run("git", ["tag", "--list", `v${version}`]).trim();
  if (anywhere !== "" && tagged === "") found.push(`v${version} is the tag of another commit; run npm version first`);
  if (tagged === "" && !options["dry-run"]) found.push(`this commit has no tag v${version}; run npm version first`);
  return found;
}

function changelogFaults(): string[] {
  if (notesOf(version) !== "") return [];
  return [`CHANGELOG.md has no section ${version} with a date; npm version makes it of "Unreleased"`];
}

/** What the changelog says of a version. */
function notesOf(one: string): string {
  const heading = new RegExp(`^## ${one.replaceAll(".", "\\.")} - \\d{4}-\\d{2}-\\d{2}$`, "m");
  const [, section] = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8").split(heading);
  return section?.split(/^## /m)[0]?.trim() ?? "";
}

function publisherFaults(): string[] {
  if (options["dry-run"]) return [];
  const { GITHUB_ACTIONS, GITHUB_REPOSITORY } = process.env;
  if (GITHUB_ACTIONS !== "true") {
    return ["provenance needs the identity of a workflow: push the tag, and the workflow publishes; or add --dry-run"];
  }
  const here = `git+https://github.com/${GITHUB_REPOSITORY}.git`;
  if (here === repository.url) return [];
  return [
    `this is ${here}, and package.json says repository ${repository.url}; change that line, and run npm run stamp`,
  ];
}

function run(file: string, words: readonly string[], { shown = false } = {}): string {
  const output = shown ? "inherit" : "pipe";
  const stdio: StdioOptions = ["ignore", output, output];
  return execFileSync(file, words, { cwd: ROOT, encoding: "utf8", maxBuffer: 2 ** 26, stdio }) ?? "";
}

function write(file: string, content: string): void {
  writeFileSync(join(OUT, file), content);
}

function sha256(file: string): string {
  return createHash("sha256")
    .update(readFileSync(join(OUT, file)))
    .digest("hex");
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024)} KB`;
}

function say(sentence: string): void {
  process.stdout.write(`${name} ${version}: ${sentence}\n`);
}

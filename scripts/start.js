// `npm start`: builds the scripts of the pages, if what builds them is installed, and runs the hub: from its sources, or in
// the installed package from `dist`. In plain JavaScript, since the Node that runs it may be too old for the hub: `npm ci`
// brings the right one, `npm ci --omit=dev` does not.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const { engines, devDependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const words = process.argv.slice(2);

if (isNew()) {
  await import("./pages.js");
  if (process.exitCode !== 1) await import(existsSync(path("../src")) ? "../src/cli/main.ts" : "../dist/cli/main.js");
} else {
  const child = spawn(newNode(), [path("start.js"), ...words], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => (process.exitCode = code === null ? 1 : code));
}

function isNew() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [leastMajor, leastMinor] = engines.node.replace(">=", "").split(".").map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

/** The Node that the project is developed with, from the cache of npm or its registry. */
function newNode() {
  const { node: version } = devDependencies;
  process.stderr.write(`sse-mcp-server: this is Node ${process.versions.node}; taking Node ${version} from npm\n`);
  const ask = ["exec", "--yes", `--package=node@${version}`, "--", "node", "-p", "process.execPath"];
  try {
    const options = { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], shell: process.platform === "win32" };
    // Its installation may print lines of its own first.
    return execFileSync("npm", ask, options).trim().split("\n").pop();
  } catch {
    const sentence = `sse-mcp-server: npm has no Node ${version} to give; install Node ${engines.node}, or run npm ci without --omit=dev\n`;
    process.stderr.write(sentence);
    return process.exit(1);
  }
}

function path(file) {
  return fileURLToPath(new URL(file, import.meta.url));
}

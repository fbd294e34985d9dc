import { execFileSync, spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onPath } from "../support/leash.ts";
import { makeBases } from "./bases.ts";
import { Engine } from "./engine.ts";

// npm run image: builds the image by the Dockerfile and starts the compose files on a Docker engine of its own.
const ROOT = join(import.meta.dirname, "../..");
const CACHE = join(ROOT, ".cache/image");
const CHECKS = ["image", "life", "compose", "cluster", "seed"];
const NEEDED = ["debootstrap", "dpkg", "apt-get", "ip", "nsenter", "iptables", "runc", "npm"];

const missing = NEEDED.filter((command) => onPath(command) === undefined);
if (process.getuid?.() !== 0) fail("a Docker engine needs root; run it as root, on a machine that may lose it");
if (missing.length > 0) {
  fail(`${missing.join(", ")} missing; on Debian: apt-get install debootstrap iproute2 iptables runc util-linux npm`);
}
const [valkey] = globSync(join(ROOT, ".cache/valkey/**/valkey-server"));
if (valkey === undefined) fail("Valkey is missing; see .ci/run for the lines that install it");

mkdirSync(CACHE, { recursive: true });
const engine = new Engine(CACHE, mkdtempSync(join(tmpdir(), "hub-image-")));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void engine.remove().finally(() => process.exit(1)));
let isGood = false;
try {
  await engine.start("of the machine");
  makeBases(engine, CACHE, valkey);
  const npmrc = join(CACHE, "npmrc");
  writeFileSync(npmrc, registry());
  const revision = execFileSync("git", ["rev-parse", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  const labels = ["--build-arg", `REVISION=${revision}`];
  const start = performance.now();
  engine.show(["build", "--network=host", `--secret=id=npmrc,src=${npmrc}`, ...labels, "--tag=sse-mcp-server", ROOT]);
  const seconds = Math.round((performance.now() - start) / 1000);
  await engine.stop();
  await engine.start("of its own");
  const checks = CHECKS.map((name) => join(ROOT, `test/image/checks/${name}.ts`));
  const [command = "", ...words] = [...Engine.inside, process.execPath, "--test", "--test-concurrency=1", ...checks];
  isGood = spawnSync(command, words, { env: engine.env, stdio: "inherit" }).status === 0;
  console.log(facts(seconds).join("\n"));
} finally {
  await engine.remove();
}
if (!isGood) process.exitCode = 1;

/** Versions and sizes, as docs/docker.md shows them. */
function facts(seconds: number): string[] {
  const version = (format: string): string => engine.docker("version", "--format", format).trim();
  const megabytes = (image: string): string =>
    `${Math.round(Number(engine.docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6)} MB`;
  return [
    `${new Date().toISOString().slice(0, 10)}: ${isGood ? "all checks passed" : "some checks failed"}`,
    `Docker ${version("{{.Server.Version}}")}, Compose ${engine.docker("compose", "version", "--short").trim()}, ` +
      `BuildKit by buildx ${/v[\d.]+|\d+\.[\d.]+/.exec(engine.docker("buildx", "version"))?.[0]}, Node ${process.version}`,
    `image: ${megabytes("sse-mcp-server")}, of which base: ${megabytes("gcr.io/distroless/nodejs24-debian13:nonroot")}; built in ${seconds} s`,
  ];
}

/** Where npm gets packages here, and whom it trusts, without any credential. */
function registry(): string {
  const setting = (name: string): string => execFileSync("npm", ["config", "get", name], { encoding: "utf8" }).trim();
  const isOwn = setting("cafile") !== "null" || process.env["NODE_EXTRA_CA_CERTS"] !== undefined;
  // The images have the authorities of this machine in this place.
  return `registry=${setting("registry")}\n${isOwn ? "cafile=/etc/ssl/certs/ca-certificates.crt\n" : ""}`;
}

function fail(sentence: string): never {
  process.stderr.write(`npm run image: ${sentence}\n`);
  process.exit(1);
}

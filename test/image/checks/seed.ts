import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { blocksOf, seedBlocks } from "../../support/seed.ts";
import { request } from "../../support/request.ts";
import { ComposeProject } from "../compose-project.ts";

describe("the compose file of the project's first document", () => {
  it("starts our hub and nginx as it is written", async (test) => {
    const [block] = blocksOf(seedBlocks(test), "yaml", /^Docker Compose$/);
    if (block === undefined) return;
    using project = new ComposeProject("compose.yaml", "Dockerfile", ".dockerignore", "deploy/nginx.conf");
    // It builds from its folder, which nothing can do without a network: the image that it would make is there.
    writeFileSync(project.path("compose.yaml"), block.code);
    execFileSync("docker", ["tag", "sse-mcp-server", "seed-sse-mcp-server"]);
    execFileSync("docker", ["tag", "nginx:1.30", "nginx:alpine"]);
    writeFileSync(project.path(".env"), "COMPOSE_PROJECT_NAME=seed\n");
    // The operator's part: its nginx.conf, with the name of its service, and a certificate in ./ssl.
    const config = readFileSync(join(project.folder, "deploy/nginx.conf"), "utf8");
    const named = config
      .replace("server hub:8000", "server sse-mcp-server:8000")
      .replaceAll("/etc/nginx/tls/", "/etc/ssl/");
    writeFileSync(project.path("nginx.conf"), named);
    mkdirSync(project.path("ssl"));
    const files = ["-keyout", project.path("ssl/hub.key"), "-out", project.path("ssl/hub.pem")];
    const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
    execFileSync("openssl", ["req", "-x509", ...kind, ...name, ...files], { stdio: "ignore" });
    project.compose("up", "--detach", "--no-build");
    await project.healthy("sse-mcp-server");
    assert.equal((await request("http://localhost:8000/health")).status, 200);
    const health = (await project.request("/health")).json() as { status: string };
    assert.equal(health.status, "healthy");
    const settings = project.compose("exec", "-T", "sse-mcp-server", "sse-mcp-server", "serve", "--print-config");
    assert.match(settings, /^ENV +production +environment$/m);
    assert.match(settings, /^MAX_CONNECTIONS +1000 +environment$/m);
  });
});

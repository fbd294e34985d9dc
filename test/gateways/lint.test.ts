import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Authority } from "../support/certificates.ts";
import { needs } from "../support/needs.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { Gateway } from "./gateway.ts";
import { KINDS } from "./kinds.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const NODES = ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"];
const LINES = 25;

describe("the files of deploy/ for gateways", { concurrency: true }, () => {
  for (const kind of KINDS) {
    it(`are taken by ${kind.name}, as is one that has a word it does not know refused`, async (test) => {
      if (!needs(test, kind.name, kind.binary !== undefined, kind.install)) return;
      using folder = new TemporaryFolder();
      const authority = new Authority(folder.path);
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
});

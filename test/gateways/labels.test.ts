import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { Authority } from "../support/certificates.ts";
import { needs } from "../support/needs.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { unique } from "./checks.ts";
import { DockerApi } from "./docker-api.ts";
import { Gateway } from "./gateway.ts";
import { KINDS } from "./kinds.ts";
import { Nodes } from "./nodes.ts";

const FILE = join(import.meta.dirname, "../../deploy/traefik/labels.compose.yaml");

interface Compose {
  readonly services: { readonly hub: { readonly labels: Readonly<Record<string, string>> } };
}

describe("deploy/traefik/labels.compose.yaml", () => {
  it("makes Traefik route to each container of the hub, and take out one that drains", async (test) => {
    const kind = KINDS.find(({ name }) => name === "Traefik");
    assert.ok(kind !== undefined);
    if (!needsEngine(test) || !needs(test, kind.name, kind.binary !== undefined, kind.install)) return;
    using folder = new TemporaryFolder();
    await using engine = await startEngine();
    await using nodes = await Nodes.open(2, engine.url, { drainWait: 60 });
    const { labels } = (parse(readFileSync(FILE, "utf8")) as Compose).services.hub;
    const labelsOf = (port: number): Record<string, string> =>
      Object.fromEntries(
        Object.entries(labels).map(([name, value]) => {
          assert.equal(typeof value, "string", `${name} needs quotes`);
          return [name, value.replace("hub.example", "localhost").replace(/^8000$/, String(port))];
        }),
      );
    const socket = folder.file("docker.sock");
    await using docker = await DockerApi.open(
      socket,
      nodes.ports.map((port, index) => ({ name: `hub-${index + 1}`, labels: labelsOf(port), address: "127.0.0.1" })),
    );
    const provider = `docker: { exposedByDefault: false, endpoint: "unix://${socket}" }`;
    await using gateway = await Gateway.prepare(kind, nodes.addresses, new Authority(folder.path), (text) =>
      text.replace(/^ *file: \{.*\}/m, `$&\n  ${provider}`).replace(/^http:[\s\S]*?(?=^tls:)/m, ""),
    );
    await gateway.start().catch((error: Error) => assert.fail(`${error.message}\n${gateway.output}`));
    assert.deepEqual(docker.unknown, []);
    const cameTo = async (): Promise<number> => {
      const channel = unique();
      using _ = await gateway.events(`?channel=${channel}`);
      return nodes.nodeOf(channel);
    };
    for (const index of nodes.ports.keys()) {
      await until("a reader comes to it", async () => (await cameTo()) === index);
    }
    const noticed = new AbortController();
    const drained = nodes.server(0).drain(noticed.signal);
    await until("no reader comes to the one that drains", async () => {
      for (let n = 0; n < 10; n++) if ((await cameTo()) === 0) return false;
      return true;
    });
    noticed.abort();
    await drained;
  });
});

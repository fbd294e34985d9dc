import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bridgesIn, configuredBridges } from "../../src/bridges/config.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const IN = { stream: "orders", channel: "orders" };
const BRIDGE = { name: "orders", kind: "redis", connection: "redis://127.0.0.1:6379", in: [IN] };

async function isWrong(list: unknown, sentence: RegExp): Promise<void> {
  await assert.rejects(bridgesIn(list, "BRIDGES", { SECRET: "hidden" }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /hidden/);
    return true;
  });
}

describe("the configuration of bridges", () => {
  it("has what each kind needs, with secrets filled in", async () => {
    const connection = "redis://:${env:SECRET}@127.0.0.1:6379";
    const [bridge] = await bridgesIn([{ ...BRIDGE, connection }], "BRIDGES", { SECRET: "hidden" });
    assert.equal(bridge?.config.connection, "redis://:hidden@127.0.0.1:6379");
    assert.deepEqual(bridge.config.in, [
      {
        ...IN,
        group: "hub",
        from: "latest",
        body: "data",
        order: true,
        declare: false,
        encoding: "auto",
        sanitize: false,
        onError: "skip",
      },
    ]);
  });

  it("says which field is wrong, and what would be right", async () => {
    const rule = (more: object): unknown => [{ ...BRIDGE, in: [{ ...IN, ...more }] }];
    const out = (more: object): unknown => [{ ...BRIDGE, out: [{ channels: ["a"], stream: "s", ...more }] }];
    await isWrong({}, /^BRIDGES: use an array$/);
    await isWrong([{ ...BRIDGE, name: "Orders" }], /^BRIDGES\[0\]\.name: use 2 to 32 lower-case/);
    await isWrong([BRIDGE, BRIDGE], /^BRIDGES\[1\]\.name is orders, as is that of another bridge/);
    await isWrong([{ ...BRIDGE, kind: "carrier-pigeon" }], /^BRIDGES\[0\]\.kind: use "amqp", "kafka", .*"redis"$/);
    await isWrong([{ ...BRIDGE, connection: "http://x" }], /^BRIDGES\[0\]\.connection: use redis:/);
    await isWrong([{ ...BRIDGE, connection: "${env:NONE}" }], /^BRIDGES\[0\]\.connection uses \$\{env:NONE\}/);
    await isWrong([{ ...BRIDGE, connection: "${env:SECRET}" }], /^BRIDGES\[0\]\.connection: use redis:/);
    await isWrong([{ ...BRIDGE, in: [] }], /^BRIDGES\[0\] needs rules; give it in, out, or both/);
    await isWrong([{ ...BRIDGE, color: "red" }], /^BRIDGES\[0\]: "color" is not a field here/);
    await isWrong(rule({ channel: undefined }), /^BRIDGES\[0\]\.in\[0\]\.channel: it is missing; give a text$/);
    await isWrong(
      [{ ...BRIDGE, in: [{ stream: "s", chanel: "a" }] }],
      /^BRIDGES\[0\]\.in\[0\]: "chanel" is not a field here/,
    );
    await isWrong(
      rule({ channel: "${subject}" }),
      /^BRIDGES\[0\]\.in\[0\]\.channel: \$\{subject\} is not one of \$\{stream\}/,
    );
    await isWrong(rule({ channel: "hub.stats" }), /^BRIDGES\[0\]\.in\[0\]\.channel: hub\. is reserved/);
    await isWrong(rule({ onError: "retry" }), /^BRIDGES\[0\]\.in\[0\]\.onError: use skip, stop or channel:NAME/);
    await isWrong(rule({ onError: "channel:a b" }), /onError: use skip/);
    await isWrong(out({ channels: ["a*"] }), /^BRIDGES\[0\]\.out\[0\]\.channels\[0\]: /);
    await isWrong(out({ channels: ["hub.logs"] }), /own channels are not sent/);
    await isWrong(
      out({ stream: "x.${topic}" }),
      /^BRIDGES\[0\]\.out\[0\]\.stream: \$\{topic\} is not one of \$\{channel\}/,
    );
  });

  it("is a list in a file, alone or as its bridges", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file("bridges.json");
    for (const content of [[BRIDGE], { bridges: [BRIDGE] }]) {
      writeFileSync(path, JSON.stringify(content));
      const other = { ...BRIDGE, name: "other" };
      const found = await configuredBridges({ bridges: [other], bridgesFile: path }, {});
      assert.deepEqual(
        found.map(({ config }) => config.name),
        ["other", "orders"],
      );
    }
    const both = configuredBridges({ bridges: [BRIDGE], bridgesFile: path }, {});
    await assert.rejects(both, /both have a bridge orders; rename one$/);
    writeFileSync(path, "[");
    const broken = configuredBridges({ bridges: [], bridgesFile: path }, {});
    await assert.rejects(broken, /^Error: BRIDGES_FILE .*bridges\.json cannot be read as JSON: /);
  });
});

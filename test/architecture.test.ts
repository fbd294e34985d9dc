import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";

const SRC = join(import.meta.dirname, "../src");

/** Who may import what; `files` at the root stand for themselves. */
const RULES: Readonly<
  Record<string, { readonly own: readonly string[]; readonly packages: readonly string[]; readonly node: boolean }>
> = {
  core: { own: ["core", "protocol"], packages: [], node: false },
  protocol: { own: ["protocol"], packages: ["eventsource-parser"], node: false },
  client: { own: ["client", "protocol"], packages: [], node: false },
  logs: { own: ["logs", "core", "protocol"], packages: ["ioredis"], node: true },
  tools: { own: ["tools", "core", "protocol"], packages: ["zod"], node: false },
  mcp: { own: ["mcp", "core", "tools", "protocol", "webhooks"], packages: ["zod"], node: false },
  ops: {
    own: ["ops", "core", "protocol"],
    packages: [
      "pino",
      "prom-client",
      "@opentelemetry/api",
      "@opentelemetry/core",
      "@opentelemetry/exporter-metrics-otlp-http",
      "@opentelemetry/exporter-metrics-otlp-proto",
      "@opentelemetry/exporter-trace-otlp-http",
      "@opentelemetry/exporter-trace-otlp-proto",
      "@opentelemetry/resources",
      "@opentelemetry/sdk-metrics",
      "@opentelemetry/sdk-trace",
    ],
    node: true,
  },
  http: {
    own: ["http", "core", "protocol", "tools", "mcp", "ops", "auth", "limits", "webhooks", "notify"],
    packages: [
      "fastify",
      "@fastify/compress",
      "@fastify/static",
      "@fastify/swagger",
      "fastify-type-provider-zod",
      "prom-client",
      "ws",
      "zod",
    ],
    node: true,
  },
  web: {
    own: ["web", "client", "protocol"],
    packages: ["markdown-it", "minisearch", "preact", "preact/hooks", "preact-render-to-string", "uplot"],
    node: false,
  },
  cli: {
    own: [
      "cli",
      "client",
      "protocol",
      "auth",
      "core",
      "logs",
      "webhooks",
      "bridges",
      "private-file.ts",
      "config.ts",
      "server.ts",
      "index.ts",
    ],
    packages: ["ws", "@modelcontextprotocol/client"],
    node: true,
  },
  auth: { own: ["auth", "core", "protocol", "private-file.ts"], packages: ["jose", "openid-client"], node: true },
  webhooks: {
    own: ["webhooks", "auth", "core", "protocol", "private-file.ts", "setting-secrets.ts"],
    packages: ["jose", "zod"],
    node: true,
  },
  notify: {
    own: ["notify", "webhooks", "core", "protocol", "setting-secrets.ts"],
    packages: ["jose", "zod"],
    node: true,
  },
  limits: { own: ["limits", "core", "protocol"], packages: [], node: true },
  bridges: {
    own: ["bridges", "core", "protocol", "setting-secrets.ts"],
    packages: [
      "zod",
      "ioredis",
      "amqplib",
      "mqtt",
      "@platformatic/kafka",
      "@nats-io/transport-node",
      "@nats-io/jetstream",
    ],
    node: true,
  },
  discovery: { own: ["discovery", "core", "protocol"], packages: [], node: true },
  "setting-kinds.ts": { own: ["protocol"], packages: ["zod"], node: true },
  "private-file.ts": { own: [], packages: [], node: true },
  "setting-secrets.ts": { own: ["core"], packages: [], node: true },
  "settings.ts": { own: ["protocol", "setting-kinds.ts"], packages: ["zod"], node: false },
  "config.ts": { own: ["settings.ts", "setting-secrets.ts", "core", "protocol"], packages: [], node: true },
  "open-hub.ts": {
    own: ["core", "logs", "ops", "config.ts", "shutdown.ts"],
    packages: ["pino"],
    node: false,
  },
  "shutdown.ts": {
    own: ["core", "ops", "mcp", "auth", "discovery", "bridges", "webhooks", "notify"],
    packages: ["fastify"],
    node: true,
  },
  "server.ts": {
    own: [
      "core",
      "logs",
      "ops",
      "http",
      "tools",
      "mcp",
      "protocol",
      "auth",
      "limits",
      "discovery",
      "bridges",
      "webhooks",
      "notify",
      "config.ts",
      "open-hub.ts",
      "private-file.ts",
      "shutdown.ts",
    ],
    packages: ["pino"],
    node: true,
  },
  "index.ts": { own: ["core", "tools", "config.ts", "server.ts"], packages: ["zod"], node: true },
};
const LONGEST = 300;

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));

describe("the architecture", () => {
  it("has a rule for every folder and file at the root", () => {
    const rooms = new Set(files.map((file) => file.split("/")[0] as string));
    assert.deepEqual(
      [...rooms].filter((room) => RULES[room] === undefined),
      [],
    );
  });

  for (const file of files) {
    it(`src/${file} imports only what its folder may, and is not too long`, () => {
      const text = readFileSync(join(SRC, file), "utf8");
      const rule = RULES[file.split("/")[0] as string];
      assert.ok(rule !== undefined);
      for (const specifier of imports(text)) {
        if (specifier.startsWith("node:"))
          assert.ok(rule.node, `${file} imports ${specifier}; this folder may not use Node`);
        else if (specifier.startsWith(".")) {
          const target = relative(SRC, join(SRC, dirname(file), specifier));
          const room = target.split("/")[0] as string;
          assert.ok(rule.own.includes(room), `${file} imports ${target}; it may import ${rule.own.join(", ")}`);
        } else
          assert.ok(
            rule.packages.includes(specifier),
            `${file} imports ${specifier}; it may import ${rule.packages.join(", ")}`,
          );
      }
      const lines = text.split("\n").length - 1;
      assert.ok(lines <= LONGEST, `${file} has ${lines} lines; at most ${LONGEST} are allowed, so split it`);
      assert.ok(!/export default/.test(text), `${file} has a default export; name it`);
    });
  }

  it("has no import cycles", () => {
    const graph = new Map(files.map((file) => [file, imports(readFileSync(join(SRC, file), "utf8"))]));
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      assert.ok(!path.includes(file), `import cycle: ${[...path, file].join(" -> ")}`);
      if (done.has(file)) return;
      for (const specifier of graph.get(file) ?? []) {
        if (specifier.startsWith(".")) visit(relative(SRC, join(SRC, dirname(file), specifier)), [...path, file]);
      }
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it("reads the environment in config.ts and where the command line hands it over, and nowhere else", () => {
    const readers = files.filter((file) => /process\.env\b/.test(readFileSync(join(SRC, file), "utf8")));
    assert.deepEqual(readers.sort(), [
      "cli/bridges.ts",
      "cli/credentials.ts",
      "cli/health.ts",
      "cli/hook.ts",
      "cli/key.ts",
      "cli/publish.ts",
      "cli/serve.ts",
      "cli/stdio/embedded-hub.ts",
      "cli/transfer.ts",
    ]);
  });
});

function imports(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"/gm)].map(
    ([, from, bare]) => (from ?? bare) as string,
  );
}

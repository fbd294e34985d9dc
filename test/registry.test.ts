import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { z } from "zod";
import { describe as settingText, settingNames, variable } from "../src/config.ts";

const read = (file: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, "..", file), "utf8"));

const version = z.string().regex(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/);
const setting = {
  description: z.string().optional(),
  isRequired: z.boolean().optional(),
  isSecret: z.boolean().optional(),
  format: z.enum(["string", "number", "boolean", "filepath"]).optional(),
  choices: z.array(z.string()).optional(),
  default: z.string().optional(),
  value: z.string().optional(),
};
const argument = z.union([
  z.strictObject({ ...setting, type: z.literal("named"), name: z.string() }),
  z.strictObject({ ...setting, type: z.literal("positional"), value: z.string() }),
]);
const transport = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("stdio") }),
  z.strictObject({ type: z.literal("streamable-http"), url: z.string().regex(/^https?:\/\/\S+$/) }),
]);

/** As much of the registry's schema of 2025-12-11 as `server.json` uses; fields of its own it has none. */
const serverJson = z.strictObject({
  $schema: z.literal("https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"),
  name: z
    .string()
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().min(1).max(100),
  description: z.string().min(1).max(100),
  repository: z.strictObject({ url: z.url(), source: z.literal("github") }),
  version: version.max(255),
  packages: z.array(
    z.strictObject({
      registryType: z.literal("npm"),
      identifier: z.string(),
      version,
      runtimeHint: z.literal("npx"),
      transport,
      packageArguments: z.array(argument).optional(),
      environmentVariables: z.array(z.strictObject({ ...setting, name: z.string() })).optional(),
    }),
  ),
});

describe("the entry for the MCP registry", () => {
  const entry = serverJson.parse(read("server.json"));
  const manifest = read("package.json") as Record<"name" | "version" | "description" | "mcpName", string> & {
    readonly repository: { readonly url: string };
  };

  it("tells of this package, in this version, and the package claims it", () => {
    const { name, description, repository } = entry;
    assert.deepEqual([name, description], [manifest.mcpName, manifest.description]);
    assert.equal(name, repository.url.replace("https://github.com/", "io.github."));
    assert.equal(manifest.repository.url, `git+${repository.url}.git`);
    for (const told of [entry, ...entry.packages]) assert.equal(told.version, manifest.version);
    for (const { identifier } of entry.packages) assert.equal(identifier, manifest.name);
  });

  it("names settings as they are, with their defaults", () => {
    const known = new Map(settingNames.map((name) => [variable(name), settingText(name).fallback]));
    for (const { environmentVariables = [] } of entry.packages) {
      for (const { name, default: fallback } of environmentVariables) assert.equal(fallback, known.get(name), name);
    }
  });

  it("finds the endpoint where a server with these settings has it, and the bridge finds that", () => {
    const [http, stdio] = entry.packages;
    assert.ok(http?.transport.type === "streamable-http" && stdio?.transport.type === "stdio");
    const { url } = http.transport;
    const values = new Map(http.environmentVariables?.map(({ name, default: fallback }) => [name, fallback]));
    const filled = url.replace(/\{(\w+)\}/g, (_, name: string) => values.get(name) ?? assert.fail(`no ${name}`));
    assert.equal(filled, "http://127.0.0.1:8000/mcp");
    const words = stdio.packageArguments?.map((word) =>
      word.type === "named" ? [word.name, word.default] : word.value,
    );
    assert.deepEqual(words, ["stdio", ["--url", filled]]);
  });
});

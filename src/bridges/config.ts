import { readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "../core/errors.ts";
import { expandAllSecrets, jsonFileFault } from "../setting-secrets.ts";
import type { BusKind } from "./bus.ts";
import { inFields, outFields, OUT_NAMES, type InRule, type OutRule } from "./rules.ts";
import { templateProblem } from "./template.ts";

/** The settings that bridges depend on. */
export interface BridgeSettings {
  /** A list of bridges, not checked yet; empty for none. */
  readonly bridges: readonly unknown[];
  /** The path of a file with more bridges; empty for none. */
  readonly bridgesFile: string;
}

/** The checked configuration of one bridge. */
export interface BridgeConfig {
  readonly name: string;
  readonly kind: string;
  readonly connection: unknown;
  readonly in: readonly InRule[];
  readonly out: readonly OutRule[];
  /** Whether the server is not ready while this bridge is not running. */
  readonly required: boolean;
}

type Kind = BusKind<unknown, InRule, OutRule>;

/** Loads the code of a kind when a bridge names it; the driver is loaded when the bridge connects. */
const KINDS: Readonly<Record<string, () => Promise<Kind>>> = {
  amqp: async () => erased((await import("./kinds/amqp.ts")).amqp),
  kafka: async () => erased((await import("./kinds/kafka.ts")).kafka),
  mqtt: async () => erased((await import("./kinds/mqtt.ts")).mqtt),
  nats: async () => erased((await import("./kinds/nats.ts")).nats),
  redis: async () => erased((await import("./kinds/redis.ts")).redis),
};

const MAX_BRIDGES = 100;
const MAX_RULES = 100;
const head = z.looseObject({
  name: z.string().regex(/^[a-z\d-]{2,32}$/, "use 2 to 32 lower-case letters, digits and hyphens"),
  kind: z.enum(Object.keys(KINDS) as [string, ...string[]]),
});

/** A bridge and the kind of its bus. */
export interface ConfiguredBridge {
  readonly config: BridgeConfig;
  readonly kind: Kind;
}

/**
 * Checks a list of bridges, and fills in its secrets. Rejects with a `ConfigError` that names the wrong field; `field` is
 * the name of the list itself.
 */
export async function bridgesIn(
  list: unknown,
  field: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly ConfiguredBridge[]> {
  const items = checked(z.array(z.unknown()).max(MAX_BRIDGES), list, field);
  const names = new Set<string>();
  const bridges: ConfiguredBridge[] = [];
  for (const [index, item] of items.entries()) {
    const at = `${field}[${index}]`;
    const { name, kind: word } = checked(head, item, at);
    if (names.has(name)) throw new ConfigError(`${at}.name is ${name}, as is that of another bridge; rename one`);
    names.add(name);
    const kind = await (KINDS[word] as () => Promise<Kind>)();
    const config = checked(schemaOf(kind, word), expandAllSecrets(item, at, environment), at) as BridgeConfig;
    if (config.in.length + config.out.length === 0)
      throw new ConfigError(`${at} needs rules; give it in, out, or both`);
    bridges.push({ config, kind });
  }
  return bridges;
}

/** The bridges of both settings. Rejects with a `ConfigError`. */
export async function configuredBridges(
  { bridges, bridgesFile }: BridgeSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly ConfiguredBridge[]> {
  const own = await bridgesIn(bridges, "BRIDGES", environment);
  const fromFile = bridgesFile === "" ? [] : await bridgesIn(readBridges(bridgesFile), bridgesFile, environment);
  const all = [...own, ...fromFile];
  const names = all.map(({ config }) => config.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ConfigError(`${bridgesFile} and BRIDGES both have a bridge ${twice}; rename one`);
  return all;
}

/** The list of bridges in a file, which has the list itself, or an object with it as `bridges`. */
function readBridges(path: string): unknown {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const why = isMissing ? "does not exist" : `cannot be read as JSON: ${jsonFileFault(cause)}`;
    throw new ConfigError(`BRIDGES_FILE ${path} ${why}`, { cause });
  }
  const isWrapped = typeof content === "object" && content !== null && "bridges" in content;
  return isWrapped ? (content as { bridges: unknown }).bridges : content;
}

function schemaOf(kind: Kind, word: string): z.ZodType {
  const rules = (rule: z.ZodType): z.ZodType => z.array(rule).max(MAX_RULES).default([]);
  const out = kind.out
    .safeExtend(outFields)
    .strict()
    .superRefine((rule, context) => {
      for (const field of [kind.destination, ...(kind.outTemplates ?? [])]) {
        const text = rule[field];
        const problem = typeof text === "string" ? templateProblem(text, OUT_NAMES) : undefined;
        if (problem !== undefined) context.addIssue({ code: "custom", path: [field], message: problem });
      }
    });
  return z.strictObject({
    name: z.string(),
    kind: z.literal(word),
    connection: kind.connection,
    in: rules(kind.in.safeExtend(inFields(kind.names)).strict()),
    out: rules(out),
    required: z.boolean().default(false),
  });
}

function checked<T>(schema: z.ZodType<T>, value: unknown, at: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  // An unknown field first: it may be the misspelled name of a missing one.
  const unknown = result.error.issues.find(({ code }) => code === "unrecognized_keys");
  const issue = unknown ?? result.error.issues[0];
  const path = (issue?.path ?? [])
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("");
  throw new ConfigError(`${at}${path}: ${sentenceOf(issue)}`);
}

/** A kind without the types of its own fields, which only the kind itself reads. */
function erased<C, I, O>(kind: BusKind<C, I, O>): Kind {
  return kind as unknown as Kind;
}

/** What is wrong with a field, in words that need no knowledge of the schema. */
function sentenceOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return "it is wrong";
  const { code, message } = issue;
  if (code === "unrecognized_keys") {
    return `${issue.keys.map((key) => JSON.stringify(key)).join(", ")} is not a field here; docs/bridges.md lists the fields`;
  }
  if (code === "invalid_value") return `use ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
  if (code !== "invalid_type") return message;
  return message.endsWith("received undefined")
    ? `it is missing; give ${article(issue.expected)}`
    : `use ${article(issue.expected)}`;
}

function article(type: string): string {
  return type === "string" ? "a text" : `${/^[aeio]/.test(type) ? "an" : "a"} ${type}`;
}

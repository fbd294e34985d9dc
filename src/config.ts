import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ConfigError } from "./core/errors.ts";
import { masked } from "./protocol/address.ts";
import { jsonFileFault } from "./setting-secrets.ts";
import { SETTINGS, type Config } from "./settings.ts";

/** One of these turns the export of traces or metrics on. */
const TELEMETRY_ENDPOINTS = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
];

export { ConfigError };
export type { Config } from "./settings.ts";

/** Where a value came from. */
export type Source = "flag" | "environment" | "file" | "default";

/** A configuration, and for each setting where its value came from. */
export interface Configured {
  readonly config: Config;
  readonly sources: Readonly<Record<keyof Config, Source>>;
}

/** The names of all settings, in the order they are printed. */
export const settingNames: readonly (keyof Config)[] = Object.keys(SETTINGS) as (keyof Config)[];

/** `maxConnections` as it is written in the environment and in the file. */
export function variable(name: keyof Config): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase();
}

/** `maxConnections` as it is written on the command line. */
export function flag(name: keyof Config): string {
  return `--${variable(name).toLowerCase().replaceAll("_", "-")}`;
}

/** What a setting means, with its default, for `--help`. */
export function describe(name: keyof Config): { readonly about: string; readonly fallback: string } {
  return { about: SETTINGS[name].about, fallback: String(SETTINGS[name].fallback) };
}

/** A value as it may be shown: secrets, and passwords in addresses, are masked. */
export function shown(name: keyof Config, config: Config): string {
  const value = [config[name]].flat().join(",");
  if (SETTINGS[name].isSecret === true) return value === "" ? "" : "***";
  return masked(value);
}

/** Every default. */
export function defaults(): Config {
  const values = settingNames.map((name) => [name, SETTINGS[name].fallback]);
  return Object.fromEntries(values);
}

/**
 * Puts a configuration together: flags over environment over file over defaults. The file is JSON with the names of
 * the environment as keys; `--config` or `CONFIG` names it. Throws `ConfigError`.
 */
export function configure(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configured {
  const flags = parsed(words);
  const fromFile = flags["config"] ?? environment["CONFIG"];
  const file = fromFile === undefined ? {} : read(fromFile);
  const values: Partial<Record<keyof Config, unknown>> = {};
  const sources: Partial<Record<keyof Config, Source>> = {};
  for (const name of settingNames) {
    const inEnvironment = environment[variable(name)] ?? (name === "env" ? nodeEnv(environment) : undefined);
    const found: readonly [Source, unknown][] = [
      ["flag", flags[flag(name).slice(2)]],
      ["environment", inEnvironment === "" && name !== "logFile" ? undefined : inEnvironment],
      ["file", file[variable(name)]],
    ];
    const [source, value] = found.find(([, given]) => given !== undefined) ?? ["default", SETTINGS[name].fallback];
    sources[name] = source;
    values[name] = checked(name, source, value);
  }
  return { config: values as Config, sources: sources as Record<keyof Config, Source> };
}

/** Whether variables of OpenTelemetry turn the export on; the SDK then reads the others, so they are not settings. */
export function exportsTelemetry(environment: Readonly<Record<string, string | undefined>>): boolean {
  const isDisabled = environment["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true";
  return !isDisabled && TELEMETRY_ENDPOINTS.some((name) => (environment[name] ?? "").trim() !== "");
}

function parsed(words: readonly string[]): Record<string, string | undefined> {
  const options = Object.fromEntries(settingNames.map((name) => [flag(name).slice(2), { type: "string" as const }]));
  try {
    const { values } = parseArgs({
      args: [...words],
      options: { ...options, config: { type: "string" } },
      strict: true,
    });
    return values;
  } catch (cause) {
    const sentence = cause instanceof Error ? cause.message.split(/\. (?=To specify)/)[0] : String(cause);
    throw new ConfigError(`${sentence}; see --help`, { cause });
  }
}

function read(path: string): Record<string, unknown> {
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`The configuration file ${path} cannot be read as JSON: ${jsonFileFault(cause)}`, {
      cause,
    });
  }
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new ConfigError(`The configuration file ${path} is not a JSON object such as {"PORT": 8100}`);
  }
  const known = new Set(settingNames.map(variable));
  for (const key of Object.keys(file)) {
    if (!known.has(key))
      throw new ConfigError(`The configuration file ${path} sets ${key}, which is not a setting; see --help`);
  }
  return file as Record<string, unknown>;
}

/** Node's own variable counts if its value is one of ours. */
function nodeEnv(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const value = environment["NODE_ENV"];
  return SETTINGS.env.schema.safeParse(value).success ? value : undefined;
}

function checked(name: keyof Config, source: Source, value: unknown): unknown {
  const { schema, allowed, isSecret } = SETTINGS[name];
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const written = source === "flag" ? flag(name) : variable(name);
  const text = typeof value === "string" ? (isSecret === true ? "***" : masked(value)) : value;
  const given = JSON.stringify(text);
  throw new ConfigError(`${written} is ${given}; use ${allowed}`);
}

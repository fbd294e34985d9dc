import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { hostRule, originRule } from "./protocol/address.ts";

/**
 * Every setting. `maxConnections` is `MAX_CONNECTIONS` in the environment and in the configuration file, and
 * `--max-connections` on the command line.
 */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly env: "development" | "production" | "test";
  /** `file:PATH` or `memory:`. */
  readonly data: string;
  readonly durability: "normal" | "full";
  /** Seconds. */
  readonly retentionAge: number;
  readonly retentionMessages: number;
  readonly retentionBytes: number;
  readonly maxChannels: number;
  readonly maxConnections: number;
  /** 0: half of `maxConnections`, and all of them for loopback. */
  readonly maxConnectionsPerAddress: number;
  readonly maxMessageBytes: number;
  readonly maxBodyBytes: number;
  readonly maxChannelsPerReader: number;
  readonly maxPendingBytes: number;
  readonly maxPendingTotalBytes: number;
  readonly maxSessions: number;
  /** Seconds. */
  readonly sessionTimeout: number;
  readonly legacySse: boolean;
  /** Seconds. */
  readonly heartbeat: number;
  /** Seconds. */
  readonly drain: number;
  /** Seconds. */
  readonly requestTimeout: number;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** A path; empty for standard output. */
  readonly logFile: string;
  /** Paths of modules that export tools. */
  readonly tools: readonly string[];
}

/** Where a value came from. */
export type Source = "flag" | "environment" | "file" | "default";

/** A configuration, and for each setting where its value came from. */
export interface Configured {
  readonly config: Config;
  readonly sources: Readonly<Record<keyof Config, Source>>;
}

/** A setting that is wrong; the message names it, its value and what is allowed. */
export class ConfigError extends Error {}

interface Setting<Value> {
  readonly schema: z.ZodType<Value>;
  readonly fallback: Value;
  /** Completes "use …". */
  readonly allowed: string;
  /** One line for `--help`. */
  readonly about: string;
}

const KB = 1024;
const MB = 1024 * KB;
const DAY = 86_400;

const SETTINGS: { readonly [Name in keyof Config]: Setting<Config[Name]> } = {
  host: text(/./, "127.0.0.1", "an address or host name", "address to listen on"),
  port: whole(0, 65_535, 8000, "port to listen on; 0 takes a free one"),
  env: oneOf(["development", "production", "test"], "production allows no loopback origin by default"),
  data: text(/^(?:memory:|file:.+)$/, "file:./data/hub.db", "file:PATH or memory:", "where messages are kept"),
  durability: oneOf(["normal", "full"], "full: each commit reaches the disk before it is confirmed"),
  retentionAge: whole(1, 3650 * DAY, 7 * DAY, "seconds that messages are kept"),
  retentionMessages: whole(1, 1e9, 1_000_000, "messages that are kept"),
  retentionBytes: whole(64 * KB, 1e12, 1024 * MB, "bytes of messages that are kept"),
  maxChannels: whole(1, 1e7, 100_000, "channels the log knows; one without messages makes room for another"),
  maxConnections: whole(1, 1e6, 10_000, "readers at once: SSE, WebSocket, streams of MCP and calls that wait"),
  maxConnectionsPerAddress: whole(0, 1e6, 0, "readers of one address; 0: half of all, and all for loopback"),
  maxMessageBytes: whole(1, 16 * MB, 64 * KB, "bytes of one message"),
  maxBodyBytes: whole(KB, 64 * MB, MB, "bytes of one request body or WebSocket frame"),
  maxChannelsPerReader: whole(1, 10_000, 100, "channels and patterns one reader may name"),
  maxPendingBytes: whole(64 * KB, 1024 * MB, MB, "bytes one reader may lag before it is cut"),
  maxPendingTotalBytes: whole(MB, 1e12, 256 * MB, "bytes all readers together may lag; the slowest are cut"),
  maxSessions: whole(1, 1e6, 1000, "MCP sessions (legacy era) at once; an idle one makes room for another"),
  sessionTimeout: whole(1, 30 * DAY, 1800, "seconds without a request or stream after which a session ends"),
  legacySse: truth("true: MCP over HTTP+SSE (2024-11-05) at /sse and /messages, too"),
  heartbeat: whole(1, 300, 15, "seconds between heartbeats"),
  drain: whole(0, 300, 5, "seconds over which a stopping server ends its readers"),
  requestTimeout: whole(1, 3600, 30, "seconds a request may take to arrive"),
  allowedOrigins: names(
    (item) => originRule(item) !== undefined,
    "origins such as https://app.example, http://localhost:*, tauri://localhost or null, or * for any",
    "other origins that may call, separated by commas; * for any",
  ),
  allowedHosts: names(
    (item) => hostRule(item) !== undefined,
    "host names such as hub.example, hub.example:8000 or *.hub.example, or * for any",
    "other hosts it answers to; * for any; off loopback, empty means any",
  ),
  logLevel: {
    ...oneOf(["trace", "debug", "info", "warn", "error", "silent"], "how much the server logs"),
    fallback: "info",
  },
  logFile: text(/^/, "", "a path", "file that log lines go to instead of standard output"),
  tools: names(() => true, "paths of modules", "modules that export tools of your own, separated by commas"),
};

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
    throw new ConfigError(`The configuration file ${path} cannot be read as JSON: ${(cause as Error).message}`, {
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
  const { schema, allowed } = SETTINGS[name];
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const written = source === "flag" ? flag(name) : variable(name);
  throw new ConfigError(`${written} is ${JSON.stringify(value)}; use ${allowed}`);
}

function text(pattern: RegExp, fallback: string, allowed: string, about: string): Setting<string> {
  return { schema: z.string().regex(pattern), fallback, allowed, about };
}

function whole(min: number, max: number, fallback: number, about: string): Setting<number> {
  const number = z.union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
  ]);
  return {
    schema: number.pipe(z.int().min(min).max(max)),
    fallback,
    allowed: `a whole number from ${min} to ${max}`,
    about,
  };
}

function truth(about: string): Setting<boolean> {
  const written = z.enum(["true", "false"]).transform((word) => word === "true");
  return { schema: z.union([z.boolean(), written]), fallback: false, allowed: "true or false", about };
}

function oneOf<const Word extends string>(words: readonly [Word, ...Word[]], about: string): Setting<Word> {
  return { schema: z.enum(words), fallback: words[0], allowed: words.join(", "), about };
}

function names(isName: (item: string) => boolean, allowed: string, about: string): Setting<readonly string[]> {
  const split = z.string().transform((value) =>
    value
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean),
  );
  const items = z.array(z.string().refine((item) => item === "*" || isName(item)));
  return {
    schema: z.union([split.pipe(items), items]),
    fallback: [],
    allowed: `${allowed}, separated by commas`,
    about,
  };
}

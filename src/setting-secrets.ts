import { readFileSync } from "node:fs";
import { ConfigError } from "./core/errors.ts";

/** `${env:NAME}` or `${file:PATH}`. */
const SECRET = /\$\{(env|file):([^}]*)\}/g;
/** Characters of a file with a secret at most. */
const MAX_LENGTH = 64 * 1024;

/**
 * A text of a configuration with its secrets filled in: `${env:NAME}` is a variable of the environment, `${file:PATH}`
 * the content of a file without the line break at its end. Throws `ConfigError` if there is none; `field` says where.
 */
export function expandSecrets(
  text: string,
  field: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  return text.replaceAll(SECRET, (place, kind: string, name: string) => {
    const value = kind === "env" ? environment[name] : contentOf(name, field, place);
    if (value === undefined || value === "") {
      const what = kind === "env" ? `the environment variable ${name}` : `the file ${name}`;
      throw new ConfigError(`${field} uses ${place}, and ${what} is ${value === "" ? "empty" : "not set"}`);
    }
    return value;
  });
}

/** The same for every text in a value of JSON; `field` is what the value itself is called. */
export function expandAllSecrets(
  value: unknown,
  field: string,
  environment: Readonly<Record<string, string | undefined>>,
): unknown {
  if (typeof value === "string") return expandSecrets(value, field, environment);
  if (Array.isArray(value))
    return value.map((item, index) => expandAllSecrets(item, `${field}[${index}]`, environment));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, expandAllSecrets(item, `${field}.${name}`, environment)]),
  );
}

/** Why a file with secrets cannot be read as JSON. What the parser says quotes the text, which may be one of them. */
export function jsonFileFault(cause: unknown): string {
  const { message } = cause as Error;
  if (!(cause instanceof SyntaxError)) return message;
  const [place = ""] = /\(line \d+ column \d+\)$/.exec(message) ?? [];
  return `it is not valid JSON${place === "" ? "" : ` ${place}`}`;
}

function contentOf(path: string, field: string, place: string): string {
  try {
    return readFileSync(path, "utf8")
      .slice(0, MAX_LENGTH)
      .replace(/\r?\n$/, "");
  } catch (cause) {
    throw new ConfigError(`${field} uses ${place}, which cannot be read: ${(cause as Error).message}`, { cause });
  }
}

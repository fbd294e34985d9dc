import { parseArgs } from "node:util";
import { UsageError } from "../usage.ts";
import { SMALLEST_PAYLOAD } from "./check.ts";

/** What the user asked `bench` for. */
export interface Options {
  readonly url: URL;
  readonly door: "sse" | "ws";
  /** Undefined for a channel of its own. */
  readonly channel: string | undefined;
  readonly readers: number;
  readonly publishers: number;
  readonly rate: number;
  readonly seconds: number;
  readonly size: number;
  readonly json: boolean;
  readonly help: boolean;
}

interface Flag {
  readonly value: string;
  readonly about: string;
}

interface NumberFlag extends Flag {
  readonly least: number;
  readonly most: number;
  readonly preset: number;
}

const NUMBERS = {
  readers: { value: "N", about: "connections that read the channel", least: 1, most: 20_000, preset: 100 },
  publishers: { value: "N", about: "connections that publish", least: 1, most: 1000, preset: 1 },
  rate: {
    value: "N",
    about: "publishes per second in total; 0: each publisher goes on when it is answered",
    least: 0,
    most: 100_000,
    preset: 0,
  },
  seconds: { value: "N", about: "how long to publish", least: 1, most: 3600, preset: 10 },
  size: { value: "BYTES", about: "length of a payload", least: SMALLEST_PAYLOAD, most: 65_000, preset: 100 },
} as const satisfies Record<string, NumberFlag>;

const TEXTS = {
  url: { value: "URL", about: "the server (http://127.0.0.1:8000)" },
  door: { value: "sse|ws", about: "how readers connect (sse)" },
  channel: { value: "NAME", about: "the channel (a new one for each run)" },
} as const satisfies Record<string, Flag>;

const SWITCHES = {
  json: "print the result as JSON, and no progress",
  help: "print this text",
} as const;

const CHANNEL = /^(?=.{1,128}$)[\w-]+(\.[\w-]+)*$/;

/** The text of `bench --help`, from the tables above. */
export const help: string = [
  "Usage: sse-mcp-server bench [flags]",
  "",
  "Loads a running server with readers and publishers, and checks that every reader got every message once, in order.",
  "",
  ...Object.entries(TEXTS).map(([name, { value, about }]) => line(name, value, about)),
  ...Object.entries(NUMBERS).map(([name, flag]) => line(name, flag.value, `${flag.about} (${flag.preset})`)),
  ...Object.entries(SWITCHES).map(([name, about]) => line(name, "", about)),
  "",
  "Exit code: 0 when all readers connected and stayed, all publishes were answered, and nothing was lost, duplicated,",
  "out of order or damaged; 1 otherwise; 2 for a wrong flag.",
  "",
].join("\n");

/** Reads the words after `bench`. */
export function parseOptions(words: readonly string[]): Options {
  const texts = new Map<string, string>();
  const switches = new Set<string>();
  const options = Object.fromEntries(
    [...Object.keys(TEXTS), ...Object.keys(NUMBERS)].map((name) => [name, { type: "string" as const }]),
  );
  for (const token of parseArgs({ args: [...words], options, strict: false, tokens: true }).tokens) {
    if (token.kind === "positional") throw new UsageError(`bench takes flags only, not ${JSON.stringify(token.value)}`);
    if (token.kind === "option-terminator") continue;
    const { name, rawName, value } = token;
    if (Object.hasOwn(options, name) && value !== undefined) texts.set(name, value);
    else if (Object.hasOwn(options, name)) throw new UsageError(`${rawName} needs a value; see bench --help`);
    else if (Object.hasOwn(SWITCHES, name) && value === undefined) switches.add(name);
    else if (Object.hasOwn(SWITCHES, name))
      throw new UsageError(`${rawName} takes no value, not ${JSON.stringify(value)}`);
    else throw new UsageError(`${rawName} is no flag of bench; allowed are ${allFlags()}`);
  }
  return {
    url: parseUrl(texts.get("url") ?? "http://127.0.0.1:8000"),
    door: parseDoor(texts.get("door") ?? "sse"),
    channel: parseChannel(texts.get("channel")),
    readers: parseNumber("readers", texts),
    publishers: parseNumber("publishers", texts),
    rate: parseNumber("rate", texts),
    seconds: parseNumber("seconds", texts),
    size: parseNumber("size", texts),
    json: switches.has("json"),
    help: switches.has("help"),
  };
}

function parseNumber(name: keyof typeof NUMBERS, texts: ReadonlyMap<string, string>): number {
  const { least, most, preset } = NUMBERS[name];
  const text = texts.get(name) ?? String(preset);
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${name} is ${JSON.stringify(text)}; allowed is a whole number from ${least} to ${most}`);
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") {
    url.search = url.hash = "";
    return url;
  }
  throw new UsageError(`--url is ${JSON.stringify(text)}; allowed is an http:// or https:// address`);
}

function parseDoor(text: string): "sse" | "ws" {
  if (text === "sse" || text === "ws") return text;
  throw new UsageError(`--door is ${JSON.stringify(text)}; allowed are "sse" and "ws"`);
}

function parseChannel(text: string | undefined): string | undefined {
  if (text === undefined || CHANNEL.test(text)) return text;
  throw new UsageError(
    `--channel is ${JSON.stringify(text)}; allowed are words of letters, digits, _ and - joined by dots, up to 128 characters`,
  );
}

function allFlags(): string {
  return [TEXTS, NUMBERS, SWITCHES].flatMap((table) => Object.keys(table).map((name) => `--${name}`)).join(", ");
}

function line(name: string, value: string, about: string): string {
  return `  ${`--${name} ${value}`.padEnd(20)} ${about}`;
}

import { isIP } from "node:net";
import { z } from "zod";
import { hostRule } from "./protocol/address.ts";
import { patternProblem } from "./protocol/channel.ts";

/** A setting: what it may be, and what is said about it. */
export interface Setting<Value> {
  readonly schema: z.ZodType<Value>;
  readonly fallback: Value;
  /** Completes "use …". */
  readonly allowed: string;
  /** One line for `--help`. */
  readonly about: string;
  /** Never shown. */
  readonly isSecret?: true;
}

/** A text that a pattern matches. */
export function text(pattern: RegExp, fallback: string, allowed: string, about: string): Setting<string> {
  return { schema: z.string().regex(pattern), fallback, allowed, about };
}

/** A whole number. */
export function whole(min: number, max: number, fallback: number, about: string): Setting<number> {
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

/** True or false; false unless it is set. */
export function truth(about: string): Setting<boolean> {
  const written = z.enum(["true", "false"]).transform((word) => word === "true");
  return { schema: z.union([z.boolean(), written]), fallback: false, allowed: "true or false", about };
}

/** One of these words; the first unless it is set. */
export function oneOf<const Word extends string>(words: readonly [Word, ...Word[]], about: string): Setting<Word> {
  return { schema: z.enum(words), fallback: words[0], allowed: words.join(", "), about };
}

/** A list of words, which are separated by commas where it is written as text. */
export function names(isName: (item: string) => boolean, allowed: string, about: string): Setting<readonly string[]> {
  const split = z.string().transform((value) =>
    value
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean),
  );
  const items = z.array(z.string().refine((item) => isName(item)));
  return {
    schema: z.union([split.pipe(items), items]),
    fallback: [],
    allowed: `${allowed}, separated by commas`,
    about,
  };
}

/** A list of anything, which is JSON where it is written as text. */
export function jsonList(allowed: string, about: string): Setting<readonly unknown[]> {
  const written = z.string().transform((json, context): unknown => {
    try {
      return JSON.parse(json);
    } catch {
      context.addIssue({ code: "custom" });
      return z.NEVER;
    }
  });
  const items = z.array(z.unknown());
  return { schema: z.union([items, written.pipe(items)]), fallback: [], allowed, about };
}

/** A list of channels and patterns. */
export function patterns(about: string, fallback: readonly string[] = []): Setting<readonly string[]> {
  return {
    ...names((item) => patternProblem(item) === undefined, "channels or patterns such as orders.*", about),
    fallback,
  };
}

/** What certificates grant: patterns, each for all of them or for the one that it names. */
export function certificateGrants(about: string): Setting<readonly string[]> {
  const isGrant = (item: string): boolean => patternProblem(item.slice(item.lastIndexOf("=") + 1)) === undefined;
  return names(isGrant, "patterns such as orders.*, or NAME=PATTERN for the certificate with that name", about);
}

/** Issuers of JWTs, each with where its keys are if it does not announce them. */
export function issuers(about: string): Setting<readonly string[]> {
  const isIssuer = (item: string): boolean => {
    const [issuer = "", keys = issuer, ...rest] = item.split("=");
    return rest.length === 0 && [issuer, keys].every((url) => /^https?:/.test(url) && URL.canParse(url));
  };
  return names(isIssuer, "URLs, each with =URL of its key set if it has no discovery", about);
}

/** A registry of services, with where it is; empty for none. */
export function registry(about: string): Setting<string> {
  return {
    schema: z.string().refine((value) => value === "" || isRegistry(value)),
    fallback: "",
    allowed: "consul:http://127.0.0.1:8500 or eureka:http://HOST:8761/eureka, with more Eureka servers after commas",
    about,
  };
}

/** Where others reach this machine; empty if that is not said. */
export function hostAndPort(about: string): Setting<string> {
  return {
    schema: z.string().refine((value) => value === "" || isReachable(value)),
    fallback: "",
    allowed: "HOST:PORT such as 10.0.0.7:8000",
    about,
  };
}

function isRegistry(value: string): boolean {
  const [, kind, list = ""] = /^(consul|eureka):(.+)$/.exec(value) ?? [];
  const urls = list.split(",");
  const isUrl = (url: string): boolean => /^https?:\/\/[^?#\s]+$/.test(url) && URL.canParse(url);
  return urls.every(isUrl) && (kind === "eureka" || urls.length === 1);
}

/** Whether it is a host with a port, and not the address that stands for all of a machine. */
function isReachable(value: string): boolean {
  const { name = "*", port = "" } = hostRule(value) ?? {};
  return Number(port) > 0 && !name.includes("*") && !["0.0.0.0", "[::]"].includes(name);
}

/** Addresses and networks. */
export function networks(about: string): Setting<readonly string[]> {
  return names(isNetwork, "addresses and networks such as 10.0.0.0/8", about);
}

/** The origin of a server, without a path. */
export function origin(about: string): Setting<string> {
  return {
    ...text(/^/, "", "an origin such as https://hub.example; a path is BASE_PATH", about),
    schema: z
      .string()
      .regex(/^(?:https?:\/\/[^/?#\s@]+)?$/)
      .refine((url) => url === "" || URL.canParse(url)),
  };
}

/** The path below which a proxy has a server; a / at its end is left out. */
export function basePath(about: string): Setting<string> {
  return {
    ...text(/^/, "", "a path such as /hub, of letters, digits and - . _ ~", about),
    schema: z
      .string()
      .max(200)
      .regex(/^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+\/?)?$/)
      .transform((path) => path.replace(/\/$/, "")),
  };
}

function isNetwork(item: string): boolean {
  const [address = "", bits = "", ...rest] = item.split("/");
  const version = isIP(address);
  return version !== 0 && rest.length === 0 && /^\d{0,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
}

/** The URL of an identity provider; empty for none. */
export function provider(help: string): Setting<string> {
  return text(/^(?:https?:\/\/\S+)?$/, "", "the URL of an OpenID provider", help);
}

import { HubError } from "../../core/errors.ts";

/** Where a Redis is, and how it is spoken to. */
export interface RedisAddress {
  readonly kind: "single" | "sentinel" | "cluster";
  /** The server; or the Sentinels that know it; or some nodes of the cluster. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** The name of the primary that Sentinels are asked for. */
  readonly name: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly isTls: boolean;
  /** What all keys and channels begin with, in braces, so that a cluster keeps them together. */
  readonly prefix: string;
}

const SHAPE = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^/?#]*)@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const HOST = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i;
const PREFIX = /^[\w.-]{1,64}$/;
const PORT = 6379;
const SENTINEL_PORT = 26_379;
const UNENCODED = "has a user or password that is not percent-encoded";
const USE = "use redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME";

/** Reads the URL of a Redis; throws `LOG_UNAVAILABLE` with a sentence that has no password. */
export function redisAddress(url: string): RedisAddress {
  const [, tls, kind = "single", login, hosts = "", path = "", query] = SHAPE.exec(url) ?? wrong("is not a Redis URL");
  // Before anything of it is named: it is a part of the password.
  if (`${path}${query ?? ""}`.includes("@")) wrong(UNENCODED);
  const options = new URLSearchParams(query);
  for (const option of options.keys()) {
    if (option !== "prefix") wrong(`has the unknown option ${JSON.stringify(option)}; only prefix is allowed`);
  }
  const prefix = options.get("prefix") ?? "hub";
  if (!PREFIX.test(prefix)) wrong(`has the prefix ${JSON.stringify(prefix)}; it may have letters, digits, . _ and -`);
  const isSentinel = kind === "sentinel";
  const [name = "", index = "0", ...rest] = isSentinel ? path.split("/") : ["", path === "" ? "0" : path];
  if (isSentinel && name === "") wrong("does not name a primary; write redis+sentinel://HOST,HOST/NAME");
  if (!/^\d{1,4}$/.test(index) || rest.length > 0)
    wrong(`has ${JSON.stringify(index)} as its database, which is not a number`);
  if (kind === "cluster" && index !== "0") wrong("has a database, but a cluster has only one");
  const listed = hosts.split(",").map((host) => hostOf(host, isSentinel ? SENTINEL_PORT : PORT));
  if (kind === "single" && listed.length > 1)
    wrong("names several hosts; only redis+sentinel:// and redis+cluster:// may");
  const [user, ...secret] = login?.split(":") ?? [];
  return {
    kind: kind as RedisAddress["kind"],
    hosts: listed,
    name,
    username: user === undefined || user === "" ? undefined : decoded(user),
    password: secret.length === 0 ? undefined : decoded(secret.join(":")),
    database: Number(index),
    isTls: tls === "s",
    prefix: `{${prefix}}`,
  };
}

function hostOf(text: string, port: number): { readonly host: string; readonly port: number } {
  const [, host = "", given] =
    HOST.exec(text) ?? wrong(`has ${JSON.stringify(text)}, which is not a host name or address`);
  if (Number(given) > 65_535) wrong(`has port ${given}; ports end at 65535`);
  return { host: host.replace(/^\[|\]$/g, ""), port: given === undefined ? port : Number(given) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return wrong(UNENCODED);
  }
}

function wrong(what: string): never {
  throw new HubError("LOG_UNAVAILABLE", `DATA ${what}; ${USE}`);
}

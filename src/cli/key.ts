import { apiKeyText, isApiKeyId, newApiKey, parsedApiKey, secretHash } from "../auth/api-key.ts";
import { changeKeyFile, readKeyFile } from "../auth/key-file.ts";
import { grantFault, KeyFault, MAX_PATTERNS, nameFault, type KeyRecord } from "../auth/key-record.ts";
import { ConfigError, configure } from "../config.ts";
import { FileFault } from "../private-file.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import { oneLine, oneLineData, oneLineName } from "../protocol/text.ts";
import { duration } from "./since.ts";
import { failed, CommandFailed, parsed, UsageError, type Command } from "./usage.ts";

/** After which `Date` has no time in ISO 8601 of the usual length. */
const LAST = Date.parse("9999-12-31T23:59:59Z");
const DATE = /^\d{4}-\d\d-\d\d(?:T.*)?$/;

/** `sse-mcp-server key`: makes, lists and revokes the API keys of services. */
export const key: Command = {
  name: "key",
  summary: "API keys for services: key create, key list, key revoke ID",
  help: `Usage: sse-mcp-server key create --name NAME [--publish CHANNELS]… [--subscribe CHANNELS]… [OPTIONS]
       sse-mcp-server key list [--json]
       sse-mcp-server key revoke ID

create prints a new key once, on standard output, and writes its hash and what it may do into the file of keys. A server
that runs with that file takes the change within a second; revoke also ends what is open with the key.

Options:
  --file       the file of keys (API_KEYS_FILE); create makes it if it does not exist
  --config     a JSON file of settings, in which API_KEYS_FILE may be
  --name       whose key it is; its messages have this sender
  --publish    channels and patterns it may publish on, such as 'orders.*'; with commas, or more than once
  --subscribe  channels and patterns it may read
  --admin      it may do everything
  --send-as    its messages may name other senders, as those of a bridge do
  --expires    when it expires: after a time such as 12h or 90d, or on a day such as 2027-01-31 (never)
  --json       list: a line of JSON for each key

Give the key to the commands as HUB_TOKEN, and to other programs for Authorization: Bearer or X-API-Key.
`,
  run: (words) => run(words).catch(known).catch(failed),
};

async function run(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const truth = { type: "boolean" } as const;
  const { values, positionals } = parsed(words, {
    file: text,
    config: text,
    name: text,
    publish: { ...text, multiple: true },
    subscribe: { ...text, multiple: true },
    admin: truth,
    "send-as": truth,
    expires: text,
    json: truth,
  });
  const { file: given, config, json, ...about } = values;
  const [action, id, more] = positionals;
  const isKnown = action === "create" || action === "list" || action === "revoke";
  if (!isKnown) throw new UsageError("key is followed by create, list or revoke; see --help");
  if ((action === "revoke" ? more : id) !== undefined)
    throw new UsageError(`key ${action} takes no such word; see --help`);
  const other = Object.keys(about)[0];
  if (action !== "create" && other !== undefined) throw new UsageError(`--${other} is for key create`);
  if (action !== "list" && json === true) throw new UsageError("--json is for key list");
  const path = given ?? settingFile(config);
  try {
    if (action === "create") return create(path, newRecord(about), given !== undefined);
    return action === "list" ? list(path, json === true) : revoke(path, id);
  } catch (error) {
    throw asSentence(error, path);
  }
}

interface About {
  readonly name?: string;
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly admin?: boolean;
  readonly "send-as"?: boolean;
  readonly expires?: string;
}

/** What is kept of a key but its id and hash. Throws `UsageError`. */
function newRecord({
  name,
  publish,
  subscribe,
  admin = false,
  expires,
  ...rest
}: About): Omit<KeyRecord, "id" | "hash"> {
  const fault = name === undefined ? "say whose key it is, such as order-service" : nameFault(name);
  if (name === undefined || fault !== undefined) throw new UsageError(`--name: ${fault}`);
  const grants = { publish: patterns("--publish", publish), subscribe: patterns("--subscribe", subscribe) };
  if (!admin && grants.publish.length + grants.subscribe.length === 0) {
    throw new UsageError("the key could do nothing; give --publish or --subscribe with channels, or --admin");
  }
  const now = Date.now();
  return {
    name,
    ...grants,
    admin,
    sendAs: rest["send-as"] ?? false,
    created: new Date(now).toISOString(),
    ...(expires === undefined ? {} : { expires: expiry(expires, now) }),
  };
}

function create(path: string, record: Omit<KeyRecord, "id" | "hash">, isNamed: boolean): number {
  let created = newApiKey();
  changeKeyFile(path, (keys) => {
    while (keys.some(({ id }) => id === created.id)) created = newApiKey();
    const { id, secret } = created;
    return [...keys, { id, hash: secretHash(secret).toString("hex"), ...record }];
  });
  process.stdout.write(`${apiKeyText(created)}\n`);
  const use = isNamed ? ` Servers with API_KEYS_FILE=${oneLineName(path)} take it.` : "";
  note(`the key ${created.id} of ${oneLineName(record.name)} is on standard output, this once; keep it secret.${use}`);
  return 0;
}

function list(path: string, json: boolean): number {
  const { keys } = readKeyFile(path);
  if (json) {
    process.stdout.write(keys.map((record) => `${oneLineData({ ...record, hash: undefined })}\n`).join(""));
    return 0;
  }
  const rows = keys.map(({ id, name, publish, subscribe, admin, sendAs, created, expires }) => {
    const rights = admin
      ? ["admin"]
      : [`publish ${publish.join(",") || "-"}`, `subscribe ${subscribe.join(",") || "-"}`];
    const end =
      expires === undefined ? [] : [Date.parse(expires) > Date.now() ? `expires ${expires}` : `expired ${expires}`];
    return `${[id, oneLineName(name), ...rights, ...(sendAs ? ["send-as"] : []), `created ${created}`, ...end].join("  ")}\n`;
  });
  process.stdout.write(rows.join(""));
  if (rows.length === 0) note(`${path} has no keys`);
  return 0;
}

function revoke(path: string, word: string | undefined): number {
  // A whole key is taken for its id, and never repeated.
  const id = parsedApiKey(word ?? "")?.id ?? word ?? "";
  if (!isApiKeyId(id))
    throw new UsageError("key revoke takes the id of a key: 8 letters and digits, as key list shows them");
  let revoked: KeyRecord | undefined;
  readKeyFile(path);
  changeKeyFile(path, (keys) => {
    revoked = keys.find((one) => one.id === id);
    if (revoked === undefined) throw new KeyFault(`it has no key ${id}; key list shows those it has`);
    return keys.filter((one) => one !== revoked);
  });
  process.stdout.write(`revoked ${id} of ${oneLineName(revoked?.name ?? "")}\n`);
  return 0;
}

function patterns(option: string, given: readonly string[] = []): readonly ChannelPattern[] {
  const all = [...new Set(given.flatMap((some) => some.split(",").map((one) => one.trim())))];
  if (all.length > MAX_PATTERNS)
    throw new UsageError(`${option} has ${all.length}; at most ${MAX_PATTERNS} are allowed`);
  return all.map((pattern) => {
    const fault = grantFault(pattern);
    if (fault !== undefined) throw new UsageError(`${option} has ${JSON.stringify(pattern)}: ${fault}`);
    return pattern as ChannelPattern;
  });
}

function expiry(text: string, now: number): string {
  const after = duration(text);
  const time = after === undefined ? (DATE.test(text) ? Date.parse(text) : NaN) : now + after;
  if (time > now && time <= LAST) return new Date(time).toISOString();
  const why = time <= now ? "which is over; use" : "use";
  throw new UsageError(
    `--expires is ${JSON.stringify(text)}; ${why} a time from now such as 12h or 90d, or a day to come such as 2027-01-31`,
  );
}

/** The file that the settings name, as for the server. */
function settingFile(config: string | undefined): string {
  const { apiKeysFile } = configure(config === undefined ? [] : ["--config", config], process.env).config;
  if (apiKeysFile !== "") return apiKeysFile;
  throw new UsageError("which file of keys? give --file PATH, or set API_KEYS_FILE as for the server");
}

function asSentence(error: unknown, path: string): unknown {
  const where = `The file of keys ${path}`;
  if (error instanceof FileFault) return new CommandFailed(`${where} cannot be used: ${error.message}`);
  if (!(error instanceof Error) || !("code" in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return new CommandFailed(`${where} does not exist; key create makes it, in a folder that exists`);
  if (code === "EBUSY")
    return new CommandFailed(`${where} is mounted by itself and cannot be replaced; mount its folder`);
  return new CommandFailed(`${where} cannot be changed or read (${String(code)})`);
}

function known(error: unknown): never {
  throw error instanceof ConfigError ? new CommandFailed(error.message) : error;
}

function note(sentence: string): void {
  process.stderr.write(`${oneLine(`sse-mcp-server key: ${sentence}`)}\n`);
}

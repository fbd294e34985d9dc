import { randomBytes } from "node:crypto";
import { ConfigError, configure } from "../config.ts";
import { changePrivateFile, FileFault, readPrivateFile } from "../private-file.ts";
import { oneLine, oneLineName } from "../protocol/text.ts";
import { HookFault, hookEntries, hookRecords, hooksFileText } from "../webhooks/in/hook-file.ts";
import type { HookRecord } from "../webhooks/in/hook-record.ts";
import { openHook, secretsOf } from "../webhooks/in/hook.ts";
import { PROVIDER_NAMES, PROVIDERS } from "../webhooks/in/providers.ts";
import { sampleFor } from "../webhooks/in/sample.ts";
import { CommandFailed, failed, hubUrl, parsed, post, routeUrl, textOf, UsageError, type Command } from "./usage.ts";

/** Bytes of a secret that is made here. */
const SECRET_BYTES = 32;
const FROM_INPUT = "-";

/** `sse-mcp-server hook`: makes, lists, tries and removes the webhooks that a hub takes. */
export const hook: Command = {
  name: "hook",
  summary: "webhooks to take: hook new PROVIDER, hook list, hook test NAME, hook remove NAME",
  help: `Usage: sse-mcp-server hook new PROVIDER --channel CHANNEL [--name NAME] [OPTIONS]
       sse-mcp-server hook list
       sse-mcp-server hook test NAME [--url URL]
       sse-mcp-server hook remove NAME

new writes a hook into the file of hooks, and prints the address to enter at the provider, with the secret, once. A
server that runs with that file takes the change within a second. test signs a sample with the secret of the hook, posts
it to a running hub, and says what became of it; it becomes a message as any other.

Providers: ${PROVIDER_NAMES.join(", ")
    .replace(/(.{1,95})(?: |$)/g, "$1\n           ")
    .trimEnd()}

Options:
  --file       the file of hooks (HOOKS_FILE); new makes it if it does not exist
  --config     a JSON file of settings, in which HOOKS_FILE and PUBLIC_URL may be
  --channel    new: where its messages are published
  --name       new: its name in the address; that of the provider by default
  --secret     new: the secret, if the provider makes it: '\${env:NAME}' or '\${file:PATH}' keep it elsewhere, - reads it
               from standard input
  --wakes      new: its messages end the wait of an agent (wait_for_messages)
  --header     new generic: the header with the HMAC-SHA256 of the body
  --prefix     new generic: what comes before it there, such as sha256=
  --topic      new sns: the ARN of the topic
  --audience   new pubsub: the audience of the push subscription
  --email      new pubsub: the service account of the push subscription
  --url        test: the address of the hub; on this machine at PORT by default
`,
  run: (words) => run(words).catch(known).catch(failed),
};

async function run(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    file: text,
    config: text,
    url: text,
    channel: text,
    name: text,
    secret: text,
    wakes: { type: "boolean" },
    header: text,
    prefix: text,
    topic: text,
    audience: text,
    email: text,
  });
  const { file, config, url, ...about } = values;
  const [action = "", subject, more] = positionals;
  if (!["new", "list", "test", "remove"].includes(action)) {
    throw new UsageError("hook is followed by new, list, test or remove; see --help");
  }
  if (more !== undefined || (action === "list") !== (subject === undefined)) {
    throw new UsageError(`hook ${action} takes ${action === "list" ? "no word" : "one word"}; see --help`);
  }
  const other = Object.keys(about)[0];
  if (action !== "new" && other !== undefined) throw new UsageError(`--${other} is for hook new`);
  if (action !== "test" && url !== undefined) throw new UsageError("--url is for hook test");
  const settings = configure(config === undefined ? [] : ["--config", config], process.env).config;
  const path = file ?? settings.hooksFile;
  if (path === "") throw new UsageError("which file of hooks? give --file PATH, or set HOOKS_FILE as for the server");
  const { publicUrl, basePath, port } = settings;
  const base = `${publicUrl === "" ? `http://localhost:${port}` : publicUrl}${basePath}`;
  try {
    if (action === "new") return await create(path, subject ?? "", about, base);
    if (action === "list") return list(path);
    return action === "test"
      ? await test(
          path,
          subject ?? "",
          url ?? `http://127.0.0.1:${port}${basePath}`,
          publicUrl === "" ? undefined : base,
        )
      : remove(path, subject ?? "");
  } catch (error) {
    throw asSentence(error, path);
  }
}

interface About {
  readonly channel?: string;
  readonly name?: string;
  readonly secret?: string;
  readonly wakes?: boolean;
  readonly header?: string;
  readonly prefix?: string;
  readonly topic?: string;
  readonly audience?: string;
  readonly email?: string;
}

async function create(path: string, provider: string, about: About, base: string): Promise<number> {
  const facts = Object.hasOwn(PROVIDERS, provider) ? PROVIDERS[provider] : undefined;
  if (facts === undefined) {
    throw new UsageError(`${JSON.stringify(provider)} is not a provider; use one of ${PROVIDER_NAMES.join(", ")}`);
  }
  const { channel, name = provider, wakes } = about;
  if (channel === undefined) throw new UsageError("--channel: say where its messages are published, such as builds");
  const verify = verifyOf(provider, about);
  const { secret, isMade } = await secretFor(facts.secret, provider, about.secret);
  const entry = {
    name,
    provider,
    channel,
    ...(secret === undefined ? {} : { secrets: [secret] }),
    ...(verify === undefined ? {} : { verify }),
    ...(facts.pick === undefined ? {} : { pick: facts.pick }),
    ...(wakes === true ? { wakes } : {}),
  };
  changePrivateFile(path, (text) => {
    const entries = text === undefined ? [] : hookEntries(text);
    const taken = entries.some((one) => (one as { name?: unknown } | null)?.name === name);
    if (taken) {
      throw new CommandFailed(`${oneLineName(path)} has a hook ${name} already; give this one another --name`);
    }
    const changed = hooksFileText([...entries, entry]);
    const record = hookRecords(changed).at(-1) as HookRecord;
    // A secret that is elsewhere need not be there yet.
    if (secret?.includes("${") !== true) open(record);
    return changed;
  });
  const unsigned = provider === "unsigned" ? `/${secret ?? ""}` : "";
  process.stdout.write(`URL: ${base}/hooks/${name}${unsigned}\n`);
  if (isMade && unsigned === "") process.stdout.write(`Secret: ${secret}\n`);
  const file = oneLineName(path);
  note(`enter this at ${provider}${isMade ? "; the secret is shown only now" : ""}`);
  note(`start the server with HOOKS_FILE=${file}; one that runs with it accepts the hook already`);
  note(`try it with: sse-mcp-server hook test ${name} --file ${file}`);
  if (wakes !== true) note("its messages do not wake agents that wait for one; --wakes changes that");
  return 0;
}

/** What is verified, beyond what the provider settles. */
function verifyOf(provider: string, { header, prefix, topic, audience, email }: About): object | undefined {
  const needed = (option: string, value: string | undefined): string => {
    if (value === undefined) throw new UsageError(`hook new ${provider} needs --${option}; see --help`);
    return value;
  };
  if (provider === "generic") {
    return { scheme: "hmac", header: needed("header", header), ...(prefix === undefined ? {} : { prefix }) };
  }
  if (provider === "sns") return { topics: [needed("topic", topic)] };
  if (provider !== "pubsub") return undefined;
  return { audience: needed("audience", audience), claims: { email: needed("email", email), email_verified: true } };
}

/** The secret of a new hook, and whether it was made here. `theirs` is what it is called if the provider makes it. */
async function secretFor(
  theirs: string | undefined,
  provider: string,
  given: string | undefined,
): Promise<{ readonly secret: string | undefined; readonly isMade: boolean }> {
  if (theirs === "") return { secret: undefined, isMade: false };
  if (given === FROM_INPUT) {
    const secret = (await textOf(process.stdin)).trim();
    if (secret === "") throw new UsageError("--secret is -, but standard input is empty");
    return { secret, isMade: false };
  }
  if (given !== undefined) return { secret: given, isMade: false };
  if (theirs !== undefined) {
    throw new UsageError(
      `${provider} makes the secret: give ${theirs} with --secret '\${env:NAME}', or - for standard input`,
    );
  }
  const bytes = randomBytes(SECRET_BYTES);
  if (provider === "basic") return { secret: `hub:${bytes.toString("base64url")}`, isMade: true };
  return {
    secret: provider === "standard" ? `whsec_${bytes.toString("base64")}` : bytes.toString("base64url"),
    isMade: true,
  };
}

function list(path: string): number {
  const records = hookRecords(readPrivateFile(path).text);
  const rows = records.map(({ name, provider, channel, secrets, wakes }) => {
    const waking = wakes === true ? ["wakes"] : wakes === false ? [] : ["wakes some"];
    return `${[name, provider, channel, `${secrets.length} ${secrets.length === 1 ? "secret" : "secrets"}`, ...waking].join("  ")}\n`;
  });
  process.stdout.write(rows.join(""));
  if (rows.length === 0) note(`${path} has no hooks`);
  return 0;
}

async function test(path: string, name: string, hub: string, base: string | undefined): Promise<number> {
  const record = hookRecords(readPrivateFile(path).text).find((one) => one.name === name);
  if (record === undefined) throw new HookFault(`it has no hook ${name}; hook list shows those it has`);
  open(record);
  const secrets = secretsOf(record, process.env, "secrets");
  const url = routeUrl(hubUrl(hub), `hooks/${name}`);
  const signedUrl = record.url ?? (base === undefined ? url.href : `${base}/hooks/${name}`);
  const sample = sampleFor(record, secrets, signedUrl, Date.now());
  if (sample === undefined) {
    throw new CommandFailed(
      `Only ${record.provider} can sign for this hook; send a test from there, and look at /dashboard`,
    );
  }
  if (record.verify.scheme === "token" && record.verify.in === "path") url.pathname += `/${secrets[0]?.text ?? ""}`;
  const { id } = await post(url, sample).catch((error: unknown) => {
    if (!(error instanceof CommandFailed) || !error.message.startsWith("NOT_FOUND")) throw error;
    const sentence = `The hub at ${url.origin} has no hook ${name}; start it with HOOKS_FILE=${oneLineName(path)}`;
    throw new CommandFailed(sentence, { cause: error });
  });
  const became =
    typeof id === "string"
      ? `accepted, and published on ${record.channel} as ${id}`
      : "accepted; the filters of the hook keep it from being published";
  process.stdout.write(`${name}: ${id === undefined ? `accepted, and published on ${record.channel}` : became}\n`);
  return 0;
}

function remove(path: string, name: string): number {
  changePrivateFile(path, (text) => {
    const entries = hookEntries(text ?? hooksFileText([]));
    const left = entries.filter((one) => (one as { name?: unknown } | null)?.name !== name);
    if (left.length === entries.length) throw new HookFault(`it has no hook ${name}; hook list shows those it has`);
    return hooksFileText(left);
  });
  process.stdout.write(`removed ${name}\n`);
  return 0;
}

/** Throws `HookFault` if a secret or a setting of the hook cannot be used. */
function open(record: HookRecord): void {
  const fetchText = (): Promise<string> => Promise.reject(new Error("nothing is fetched"));
  openHook(record, `the hook ${record.name}`, { fetchText, report: () => {}, environment: process.env });
}

function asSentence(error: unknown, path: string): unknown {
  const where = `The file of hooks ${path}`;
  if (error instanceof HookFault || error instanceof FileFault) {
    return new CommandFailed(`${where} cannot be used: ${error.message}`);
  }
  if (!(error instanceof Error) || error instanceof CommandFailed || !("code" in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return new CommandFailed(`${where} does not exist; hook new makes it, in a folder that exists`);
  return new CommandFailed(`${where} cannot be changed or read (${String(code)})`);
}

function known(error: unknown): never {
  throw error instanceof ConfigError ? new CommandFailed(error.message) : error;
}

function note(sentence: string): void {
  process.stderr.write(`${oneLine(`sse-mcp-server hook: ${sentence}`)}\n`);
}

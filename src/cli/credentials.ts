import { readFileSync } from "node:fs";
import { CommandFailed, UsageError } from "./usage.ts";

/** Options of every command that speaks to a hub. */
export const CREDENTIAL_OPTIONS = {
  token: { type: "string" },
  "token-file": { type: "string" },
  header: { type: "string", multiple: true },
} as const;

/** What they mean, for `--help`; `align` is the column in which that begins. */
export function credentialHelp(align: number): string {
  const rows = [
    ["--token", "an API key or a token for the hub; HUB_TOKEN in the environment shows it to fewer"],
    ["--token-file", "a file with one, read again when the hub refuses it (HUB_TOKEN_FILE)"],
    ["--header", 'a header for every request, such as "X-API-Key: …"; may be given more than once'],
  ] as const;
  return rows.map(([name, about]) => `  ${name.padEnd(align - 2)}${about}\n`).join("");
}

interface CredentialWords {
  readonly token?: string | undefined;
  readonly "token-file"?: string | undefined;
  readonly header?: readonly string[] | undefined;
}

type Headers = Readonly<Record<string, string>>;

/** What a command shows a hub to be let in. */
export interface Credentials {
  /** For every request, as they are now. */
  readonly headers: () => Headers;
  /** Whether they may be others when they are asked for again. */
  readonly isRenewable: boolean;
}

/** Characters of a token. */
const MAX_TOKEN = 16 * 1024;
/** RFC 6750 section 2.1. */
const TOKEN = /^[\w~+/.-]+=*$/;
const HEADER = /^([!#$%&'*+.^_`|~\w-]+):[\t ]*([\x20-\x7e\t]*)$/;
/** Headers that are a command's own to set. */
const OWN =
  /^(?:mcp-.*|accept|connection|content-length|content-type|expect|host|idempotency-key|last-event-id|te|trailer|transfer-encoding|upgrade)$/i;
const CREDENTIAL = /^(?:authorization|x-api-key)$/;

/** The credentials in the words of a command, or else in its environment. Throws `UsageError` or `CommandFailed`. */
export function credentialsOf(
  { token, "token-file": file, header = [] }: CredentialWords,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Credentials {
  // Others on this machine can list the words of a command, but not its environment.
  if (token !== undefined || header.length > 0) process.title = "sse-mcp-server";
  const fixed = Object.fromEntries(header.map(headerOf));
  const inHeader = Object.keys(fixed).some((name) => CREDENTIAL.test(name));
  const asked = [token, file, inHeader || undefined].filter((given) => given !== undefined).length;
  if (asked > 1) throw new UsageError("give one of --token, --token-file and a --header with a credential");
  if (asked === 1) return credentials(fixed, { token, tokenName: "--token", file, fileName: "--token-file" });
  const { HUB_TOKEN, HUB_TOKEN_FILE } = environment;
  if (HUB_TOKEN && HUB_TOKEN_FILE)
    throw new UsageError("HUB_TOKEN and HUB_TOKEN_FILE are both set; leave one of them out");
  return credentials(fixed, {
    token: HUB_TOKEN || undefined,
    tokenName: "HUB_TOKEN",
    file: HUB_TOKEN_FILE || undefined,
    fileName: "HUB_TOKEN_FILE",
  });
}

interface Place {
  readonly token: string | undefined;
  readonly tokenName: string;
  readonly file: string | undefined;
  readonly fileName: string;
}

function credentials(fixed: Headers, { token, tokenName, file, fileName }: Place): Credentials {
  if (file === undefined) {
    const headers = token === undefined ? fixed : { ...fixed, ...bearer(token, tokenName) };
    return { headers: () => headers, isRenewable: false };
  }
  const current = (): Headers => ({ ...fixed, ...bearer(read(file, fileName), `${fileName} ${file}`) });
  let last = current();
  const headers = (): Headers => {
    try {
      last = current();
    } catch {
      // It is being written; what was in it is good until the hub says otherwise.
    }
    return last;
  };
  return { headers, isRenewable: true };
}

function bearer(text: string, place: string): Headers {
  const token = text.trim();
  // Not repeated here: it may be a secret all the same.
  if (token.length > MAX_TOKEN || !TOKEN.test(token)) {
    throw new UsageError(`${place} holds no token; give an API key as key create prints it, or a token of an issuer`);
  }
  return { authorization: `Bearer ${token}` };
}

function read(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new CommandFailed(`${name} is ${JSON.stringify(path)}, which cannot be read (${code ?? message})`, {
      cause,
    });
  }
}

function headerOf(text: string, index: number): [string, string] {
  const [, name, value] = HEADER.exec(text.trim()) ?? [];
  if (name === undefined || value === undefined) {
    throw new UsageError(`--header number ${index + 1} is not of the form "Name: value" in ASCII`);
  }
  if (OWN.test(name)) throw new UsageError(`--header may not set ${name}, which the command does`);
  return [name.toLowerCase(), value];
}

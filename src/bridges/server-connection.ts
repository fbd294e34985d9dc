import { z } from "zod";
import { CONNECT_TIMEOUT } from "./bus.ts";

/** How to reach a bus that has a URL: `connection` of a bridge is the URL alone, or an object with more. */
export interface ServerConnection {
  /** One or several nodes of a cluster: the first one that answers is used. */
  readonly url: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Texts in PEM. */
  readonly tls?: TlsTexts | undefined;
}

interface TlsTexts {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
  readonly servername?: string | undefined;
}

/** Nodes of one cluster at most. */
const MAX_URLS = 16;
const pem = z.string().refine((text) => text.includes("-----BEGIN "), "use a text in PEM, such as ${file:ca.pem}");

/** The schema of `connection` for a bus whose URLs have one of these schemes. */
export function serverConnection(schemes: readonly string[], example: string): z.ZodType<ServerConnection> {
  const url = z.string().refine((text) => schemes.includes(schemeOf(text)), `use a URL such as ${example}`);
  return z.preprocess(
    (value) => (typeof value === "string" ? { url: value } : value),
    z.strictObject({
      url: z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(url).min(1).max(MAX_URLS)),
      username: z.string().min(1).optional(),
      password: z.string().optional(),
      tls: z
        .strictObject({
          ca: pem.optional(),
          cert: pem.optional(),
          key: pem.optional(),
          passphrase: z.string().optional(),
          servername: z.string().min(1).optional(),
        })
        .optional(),
    }),
  );
}

/**
 * Connects to the first server that answers, within `CONNECT_TIMEOUT`. Rejects with an `Error` for the operator, which
 * names no credentials.
 */
export async function openFirst<T>(
  urls: readonly string[],
  open: (url: string, timeout: number) => Promise<T>,
): Promise<T> {
  const problems: string[] = [];
  let cause: unknown;
  for (const url of urls) {
    try {
      return await open(url, CONNECT_TIMEOUT / urls.length);
    } catch (error) {
      cause = error;
      problems.push(`cannot connect to ${addressOf(url)}: ${reasonOf(error)}`);
    }
  }
  throw new Error(problems.join("; "), { cause });
}

/** The options of TLS for Node. */
export function tlsOptions({ tls = {} }: ServerConnection): Partial<Record<keyof TlsTexts, string>> {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}

/** A URL without credentials, path and query. */
function addressOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** The message of an error; an attempt at several addresses of a host has one for each address. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join(", ");
  return error instanceof Error ? error.message || error.name : String(error);
}

function schemeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol.slice(0, -1) : "";
}

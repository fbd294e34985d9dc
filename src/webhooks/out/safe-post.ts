import { lookup as systemLookup } from "node:dns/promises";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { AddressRules } from "./address-rules.ts";
import { hostOf } from "./address-rules.ts";
import { Lookups, type NameAddress } from "./lookups.ts";

/** What a destination answered: its status, and when it wants to be asked again. */
export interface PostAnswer {
  readonly status: number;
  /** What of it was read. */
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/** Why there was no answer; the sentence is for whoever owns the webhook, and says nothing of our network. */
export class PostFault extends Error {
  readonly kind: "address" | "name" | "connection" | "tls" | "timeout";

  constructor(kind: PostFault["kind"], sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.kind = kind;
  }
}

/** Milliseconds. */
export interface PostTimeouts {
  /** Until the connection is there: the name, TCP and TLS. */
  readonly connect: number;
  /** Until the head of the answer is there. */
  readonly head: number;
  /** Until the answer is read. */
  readonly whole: number;
}

export interface SafePosterOptions {
  readonly rules: AddressRules;
  /** All addresses of a name, by the system unless given. */
  readonly lookup?: ((name: string) => Promise<readonly NameAddress[]>) | undefined;
  readonly timeouts?: PostTimeouts | undefined;
  /** PEM of authorities to trust besides those of Node. */
  readonly ca?: string | undefined;
}

const TIMEOUTS: PostTimeouts = { connect: 5000, head: 10_000, whole: 15_000 };
/** Bytes of an answer that are read before the connection is closed. */
const MAX_READ = 16 * 1024;
const MAX_HEAD = 16 * 1024;

/**
 * Sends POSTs to URLs that strangers gave, and to nowhere that the rules do not allow: each time, it resolves the name
 * once, checks every address, and connects to one of those very addresses, so that a name that resolves to something
 * else a moment later changes nothing. It follows no redirects, and uses no proxy and no connection twice.
 */
export class SafePoster {
  readonly #options: SafePosterOptions;
  readonly #timeouts: PostTimeouts;
  // Without the variables of the environment that name proxies, whatever the agent of the process does.
  readonly #http = new HttpAgent({ keepAlive: false });
  readonly #https = new HttpsAgent({ keepAlive: false, maxCachedSessions: 0 });
  readonly #lookups: Lookups;

  constructor(options: SafePosterOptions) {
    this.#options = options;
    this.#timeouts = options.timeouts ?? TIMEOUTS;
    this.#lookups = new Lookups(options.lookup ?? bySystem);
  }

  /** Resolves with the answer, whatever its status. Rejects with a `PostFault`, or when the signal is aborted. */
  async post(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string | Uint8Array,
    signal: AbortSignal,
  ): Promise<PostAnswer> {
    const end = new AbortController();
    const timeout = (milliseconds: number, what: string): ReturnType<typeof setTimeout> =>
      setTimeout(() => end.abort(new PostFault("timeout", `${what} within ${milliseconds / 1000} s`)), milliseconds);
    const { connect, head, whole } = this.#timeouts;
    const timers = {
      connect: timeout(connect, "no connection"),
      head: timeout(head, "no answer"),
      whole: timeout(whole, "the answer did not end"),
    };
    const stop = (): void => end.abort(signal.reason);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      const addresses = await this.#addressesOf(url, end.signal);
      const answer = await this.#send(url, addresses, headers, body, end.signal, () => clearTimeout(timers.connect));
      clearTimeout(timers.head);
      const { statusCode: status = 0, headers: fields } = answer;
      // Read to its end, so that closing the connection does not reset it for the other end.
      const text = await textOf(answer, end.signal);
      return { status, text, retryAfter: fields["retry-after"] };
    } catch (error) {
      if (end.signal.aborted) throw end.signal.reason;
      throw error instanceof PostFault ? error : faultOf(error);
    } finally {
      for (const timer of Object.values(timers)) clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      end.abort();
    }
  }

  async #addressesOf(url: URL, signal: AbortSignal): Promise<readonly NameAddress[]> {
    const name = hostOf(url);
    const addresses =
      isIP(name) === 0
        ? await orAborted(this.#addressesOfName(name), signal)
        : ([{ address: name, family: isIP(name) }] satisfies readonly NameAddress[]);
    const { rules } = this.#options;
    const isHttps = url.protocol === "https:";
    const may = ({ address }: NameAddress): boolean => (isHttps ? rules.mayReach(address) : rules.isAllowed(address));
    if (addresses.length > 0 && addresses.every(may)) return addresses;
    throw new PostFault(
      "address",
      isHttps
        ? "its address is not on the public internet, nor in a network that WEBHOOK_ALLOW lists"
        : "plain HTTP goes only to networks that WEBHOOK_ALLOW lists",
    );
  }

  async #addressesOfName(name: string): Promise<readonly NameAddress[]> {
    try {
      return await this.#lookups.of(name);
    } catch (cause) {
      throw new PostFault("name", "its name cannot be resolved", { cause });
    }
  }

  #send(
    url: URL,
    addresses: readonly NameAddress[],
    headers: Readonly<Record<string, string>>,
    body: string | Uint8Array,
    signal: AbortSignal,
    onConnected: () => void,
  ): Promise<IncomingMessage> {
    const isHttps = url.protocol === "https:";
    const only: LookupFunction = (_name, options, done) => {
      const [first] = addresses as readonly [NameAddress];
      if (options.all === true) done(null, [...addresses]);
      else done(null, first.address, first.family);
    };
    const options: RequestOptions & { readonly ca?: string } = {
      method: "POST",
      protocol: url.protocol,
      hostname: hostOf(url),
      port: url.port,
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, "content-length": Buffer.byteLength(body) },
      agent: isHttps ? this.#https : this.#http,
      lookup: only,
      maxHeaderSize: MAX_HEAD,
      signal,
      ...(isHttps && this.#options.ca !== undefined ? { ca: this.#options.ca } : {}),
    };
    return new Promise((resolve, reject) => {
      const request = isHttps ? httpsRequest(options) : httpRequest(options);
      request.once("socket", (socket) => socket.once(isHttps ? "secureConnect" : "connect", onConnected));
      request.once("response", resolve);
      request.on("error", reject);
      request.end(body);
    });
  }
}

function bySystem(name: string): Promise<readonly NameAddress[]> {
  return systemLookup(name, { all: true, verbatim: true });
}

/** Resolves with an answer when it is read, or its connection is closed; more than the bound of it closes the connection. */
function textOf(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let read = 0;
    const done = (): void => resolve(Buffer.concat(chunks).toString());
    answer.on("data", (chunk: Buffer) => {
      read += chunk.length;
      if (read > MAX_READ) answer.destroy();
      else chunks.push(chunk);
    });
    answer.on("error", () => {});
    answer.once("close", done);
    // The status is known: that it did not end in time makes no difference.
    signal.addEventListener("abort", done);
  });
}

/** Gives up waiting, though not what is waited for, when the signal is aborted. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error));
    promise.then(resolve, reject);
  });
}

/** What went wrong on a connection. Texts of the other end, such as those in certificates, are left out. */
function faultOf(error: unknown): PostFault {
  const { code = "" } = error as NodeJS.ErrnoException;
  const isTls = /^(?:CERT|ERR_TLS|ERR_SSL|EPROTO|DEPTH|UNABLE|SELF_SIGNED|HOSTNAME|INVALID)/.test(code);
  if (isTls) return new PostFault("tls", `TLS failed (${code})`, { cause: error });
  return new PostFault("connection", `the connection failed${code === "" ? "" : ` (${code})`}`, { cause: error });
}

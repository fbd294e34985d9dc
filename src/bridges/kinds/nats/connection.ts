import type * as CoreDriver from "@nats-io/transport-node";
import type { NodeConnectionOptions } from "@nats-io/transport-node";
import { z } from "zod";
import { CONNECT_TIMEOUT, type BusClient } from "../../bus.ts";

/** Servers of one cluster at most. */
const MAX_URLS = 16;
const DEFAULT_PORT = 4222;
/** Milliseconds between pings, and how many may go unanswered: a dead connection is noticed within 15 seconds. */
const PING_INTERVAL = 5000;
const MAX_PINGS = 2;

/** How to reach NATS, and as whom. */
export interface Connection {
  /** One or several servers of a cluster: the first one that answers is used. */
  readonly url: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** The content of a credentials file, which has a JWT and the seed of its key. */
  readonly creds?: string | undefined;
  /** The seed of a key. */
  readonly nkey?: string | undefined;
  /** Options of TLS, which is required if they are given. */
  readonly tls?: Readonly<Record<string, string | boolean | undefined>> | undefined;
}

const text = z.string().min(1);
const server = text.refine(
  (value) => addressOf(value) !== undefined,
  "use an address such as nats://host:4222 or tls://host:4222",
);

/** An address, or an object with one or several, a credential and TLS. */
export const connection: z.ZodType<Connection> = z.preprocess(
  (value) => (typeof value === "string" ? { url: value } : value),
  z
    .strictObject({
      url: z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(server).min(1).max(MAX_URLS)),
      username: text.optional(),
      password: text.optional(),
      token: text.optional(),
      creds: text.optional(),
      nkey: text.optional(),
      tls: z
        .strictObject({
          /** Texts in PEM. */
          ca: text.optional(),
          cert: text.optional(),
          key: text.optional(),
          passphrase: text.optional(),
          servername: text.optional(),
          /** Whether the server expects TLS before it says anything. */
          handshakeFirst: z.boolean().optional(),
        })
        .optional(),
    })
    .refine(
      ({ username, token, creds, nkey }) =>
        [username, token, creds, nkey].filter((each) => each !== undefined).length <= 1,
      "use one of username, token, creds and nkey",
    )
    .refine(({ username, password }) => password === undefined || username !== undefined, "password needs username"),
);

/** What the driver connects with. */
export function connectOptions(
  asked: Connection,
  { bridge, node }: BusClient,
  core: typeof CoreDriver,
): NodeConnectionOptions {
  const addresses = asked.url.map((each) => addressOf(each) as Address);
  const named = addresses.find(hasCredential);
  const { username, password, token } = named === undefined || hasCredential(asked) ? asked : named;
  const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
  const authenticators = [
    ...(asked.creds === undefined ? [] : [core.credsAuthenticator(bytes(asked.creds))]),
    ...(asked.nkey === undefined ? [] : [core.nkeyAuthenticator(bytes(asked.nkey.trim()))]),
  ];
  const tls = asked.tls ?? (addresses.some(({ isSecure }) => isSecure) ? {} : undefined);
  return {
    servers: addresses.map(({ host }) => host),
    name: `bridge ${bridge} of ${node}`,
    ...(username === undefined ? {} : { user: username }),
    ...(password === undefined ? {} : { pass: password }),
    ...(token === undefined ? {} : { token }),
    ...(authenticators.length === 0 ? {} : { authenticator: authenticators }),
    ...(tls === undefined ? {} : { tls: given(tls) }),
    reconnect: false,
    timeout: CONNECT_TIMEOUT,
    pingInterval: PING_INTERVAL,
    maxPingOut: MAX_PINGS,
    noAsyncTraces: true,
  };
}

function hasCredential({ username, token, creds, nkey }: Partial<Connection>): boolean {
  return [username, token, creds, nkey].some((each) => each !== undefined);
}

/** An object without its undefined fields. */
function given(fields: Readonly<Record<string, string | boolean | undefined>>): Record<string, string | boolean> {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string | boolean] => field[1] !== undefined),
  );
}

interface Address {
  readonly host: string;
  readonly isSecure: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
}

/** An address as the driver takes it; undefined if the text is not one. */
export function addressOf(value: string): Address | undefined {
  const url = URL.parse(/^[a-z]+:\/\//i.test(value) ? value : `nats://${value}`);
  if (url === null || !["nats:", "tls:"].includes(url.protocol) || url.hostname === "") return undefined;
  if ((url.pathname !== "" && url.pathname !== "/") || url.search !== "" || url.hash !== "") return undefined;
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  return {
    host: `${url.hostname}:${url.port === "" ? DEFAULT_PORT : url.port}`,
    isSecure: url.protocol === "tls:",
    username: user === "" || password === "" ? undefined : user,
    password: password === "" ? undefined : password,
    // Without a password, it is a token.
    token: user !== "" && password === "" ? user : undefined,
  };
}

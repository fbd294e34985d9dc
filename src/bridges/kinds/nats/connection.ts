import type * as JetStreamDriver from "@nats-io/jetstream";
import type * as CoreDriver from "@nats-io/transport-node";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { z } from "zod";
import { CONNECT_TIMEOUT, type BusClient } from "../../bus.ts";
import { loadDriver } from "../../driver.ts";

/** Milliseconds between pings, and how many may go unanswered: a dead link is noticed within 15 seconds. */
const PING_INTERVAL = 5000;
const MAX_PINGS = 2;
/** Milliseconds that closing waits for a server that does not answer. */
const CLOSE_TIMEOUT = 2000;
const DEFAULT_PORT = 4222;

/** Servers of one cluster at most. */
const MAX_URLS = 16;

/** How to reach NATS, and as whom. */
export interface Connection {
  /** Several are the servers of one cluster: one that answers is taken. */
  readonly url: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** The content of a file with a JWT and the seed that goes with it. */
  readonly creds?: string | undefined;
  /** The seed of a key. */
  readonly nkey?: string | undefined;
  /** What a TLS connection, which is required then, is made with. */
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

/** The packages that speak to NATS. */
export interface Driver {
  readonly core: typeof CoreDriver;
  readonly jetstream: typeof JetStreamDriver;
}

/** A connection to a server of NATS, which does not come back by itself. */
export class Link {
  readonly driver: Driver;
  readonly connection: NatsConnection;
  /** Rejects once the connection is lost; stays pending if it is closed. */
  readonly lost: Promise<never>;
  /** Subjects that the server did not let this connection publish on, and what it said. */
  readonly refused: Map<string, Error> = new Map();
  #isClosed = false;

  private constructor(driver: Driver, connected: NatsConnection) {
    this.driver = driver;
    this.connection = connected;
    const { promise, reject } = Promise.withResolvers<never>();
    this.lost = promise;
    // Whoever awaits it is told; no one has to.
    promise.catch(() => {});
    const fail = (cause: Error | undefined): void => {
      const reason = cause?.message ?? "the server closed it";
      if (!this.#isClosed) reject(new Error(`The connection to NATS was lost: ${reason}`, { cause }));
    };
    void connected.closed().then((error) => fail(error ?? undefined));
    void this.#watch(fail);
  }

  /** Loads the driver, and connects within `CONNECT_TIMEOUT`. Rejects with a sentence. */
  static async open(asked: Connection, client: BusClient): Promise<Link> {
    const [core, jetstream] = await loadDriver(
      () => Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]),
      "@nats-io/transport-node @nats-io/jetstream",
    );
    const connecting = core.connect(optionsFor(asked, client, core));
    try {
      return new Link({ core, jetstream }, await within(connecting, CONNECT_TIMEOUT, "it does not answer"));
    } catch (cause) {
      connecting.then((late) => late.close()).catch(() => {});
      const shown = asked.url.map((each) => addressOf(each)?.host).join(", ");
      throw new Error(`No connection to NATS at ${shown}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Closes it once what was written has arrived, or cannot. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.connection.isClosed()) return;
    await within(this.connection.flush(), CLOSE_TIMEOUT, "it does not answer").catch(() => {});
    await within(this.connection.close(), CLOSE_TIMEOUT, "it does not answer").catch(() => {});
  }

  async #watch(fail: (cause: Error) => void): Promise<void> {
    const { PermissionViolationError } = this.driver.core;
    for await (const status of this.connection.status()) {
      // The driver closes a dead link only after it wrote to it, which may take for ever.
      if (status.type === "staleConnection") fail(new Error("the server does not answer"));
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      if (status.error.operation === "publish") this.refused.set(status.error.subject, status.error);
    }
  }
}

function optionsFor(asked: Connection, { bridge, node }: BusClient, core: Driver["core"]): NodeConnectionOptions {
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

function addressOf(value: string): Address | undefined {
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

async function within<T>(promise: Promise<T>, milliseconds: number, sentence: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(sentence)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { HubError } from "../../core/errors.ts";
import type { RedisAddress } from "./address.ts";
import type { Script } from "./scripts.ts";

export interface RedisConnectionOptions {
  readonly address: RedisAddress;
  /** Paths of PEM files; empty for none. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Called with a sentence for the operator of the server. */
  readonly report: (sentence: string) => void;
}

/** Milliseconds that a command may take. */
const COMMAND_TIMEOUT = 2000;
/** Milliseconds without a byte after which a connection counts as dead; something is asked every second. */
const SILENCE = 4000;
/** Milliseconds that a start waits for an engine that does not answer. */
const CONNECT_TIMEOUT = 10_000;
const RETRY = 20;
/** Milliseconds before a connection that the driver has given up is made again. */
const RECONNECT = 200;
/** Errors that retrying cannot fix. */
const PERMANENT_ERRORS =
  /WRONGPASS|NOAUTH|NOPERM|ERR AUTH|invalid DB|out of range|certificate|SSL|wrong version number/i;

/** Two connections to a Redis: one for commands, and one on which announcements come. They come back by themselves. */
export class RedisConnection {
  readonly commands: Redis | Cluster;
  /** The name of a key or channel of this hub. */
  readonly key: (word: string) => string;
  readonly #subscriber: Redis | Cluster;
  readonly #report: (sentence: string) => void;
  readonly #listeners = new Map<string, (bytes: Buffer) => void>();
  /** Called when one of the connections is there again. */
  onReconnect: () => void = () => {};
  #isListening = false;
  #isClosed = false;
  #problem = "it does not answer";
  #isReported = false;

  private constructor({ address, report, ...files }: RedisConnectionOptions) {
    this.#report = report;
    this.key = (word) => `${address.prefix}:${word}`;
    const tls = address.isTls ? tlsOf(files) : undefined;
    this.commands = clientOf(address, tls, { commandTimeout: COMMAND_TIMEOUT, socketTimeout: SILENCE });
    this.#subscriber = clientOf(address, tls, {});
    for (const client of [this.commands, this.#subscriber]) {
      client.on("error", (error: Error) => this.#failed(error));
      client.on("ready", () => void this.#onReady());
      // The driver gives up for good if it hears of a failover while it is connecting.
      client.on("end", () => this.#connectAgain(client));
    }
    this.#subscriber.on("close", () => (this.#isListening = false));
    this.#subscriber.on("messageBuffer", (channel: Buffer, bytes: Buffer) =>
      this.#listeners.get(channel.toString())?.(bytes),
    );
  }

  /** Rejects with `LOG_UNAVAILABLE` and a sentence for the operator if it cannot be reached within some seconds. */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(options);
    try {
      await connection.#connect();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Whether commands can be sent. */
  get isReady(): boolean {
    return this.commands.status === "ready";
  }

  /** Whether the engine has confirmed the subscription on the connection that there is. */
  get isListening(): boolean {
    return this.#isListening;
  }

  /** Runs a script. Rejects with `LOG_UNAVAILABLE`; then it may have run or not. */
  async runScript({ lua, sha }: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const words = [...keys, ...args];
    return this.run(async (redis) => {
      try {
        return await redis.evalsha(sha, keys.length, ...words);
      } catch (error) {
        if (!String(error).includes("NOSCRIPT")) throw error;
        return redis.eval(lua, keys.length, ...words);
      }
    });
  }

  /** Runs commands. Rejects with `LOG_UNAVAILABLE`; then they may have run or not. */
  async run<T>(work: (redis: Redis | Cluster) => Promise<T>): Promise<T> {
    try {
      return await work(this.commands);
    } catch (cause) {
      // What a half-open connection was sent would get no answer either.
      if (String(cause).includes("timed out")) drop(this.commands);
      throw this.unavailable(cause);
    }
  }

  /** The error for what cannot be done while the engine is away. */
  unavailable(cause?: unknown): HubError {
    const reason = publicReason(cause instanceof Error ? cause.message : this.#problem);
    const sentence = isRefusal(cause)
      ? `Redis refused this (${reason}); try again in a few seconds`
      : `Redis cannot be reached (${reason}); try again in a few seconds`;
    return new HubError("LOG_UNAVAILABLE", sentence, { cause });
  }

  /** Calls back with what is published on a channel of this hub. */
  async listen(word: string, listener: (bytes: Buffer) => void): Promise<void> {
    this.#listeners.set(this.key(word), listener);
    for (const start = performance.now(); !(await this.#subscribe());) {
      if (performance.now() - start > CONNECT_TIMEOUT) throw this.unavailable();
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  /** Reconnects the subscriber: it may still be connected to an engine to which no one publishes any more. */
  resubscribe(): void {
    if (this.#subscriber instanceof Redis) drop(this.#subscriber);
    else void this.#subscribe();
  }

  close(): void {
    this.#isClosed = true;
    for (const client of [this.commands, this.#subscriber]) {
      // ioredis removes its listener when it gives up a connection; an error after that would end the process.
      if (client instanceof Redis) (client.stream as Socket | undefined)?.on("error", () => {});
      client.disconnect();
    }
  }

  #connectAgain(client: Redis | Cluster): void {
    setTimeout(() => {
      if (!this.#isClosed && client.status === "end") client.connect().catch((error: Error) => this.#failed(error));
    }, RECONNECT);
  }

  async #connect(): Promise<void> {
    const clients = [this.commands, this.#subscriber];
    for (const client of clients) client.connect().catch((error: Error) => this.#failed(error));
    const start = performance.now();
    for (let isReady = false; ;) {
      // If the database number does not exist, ioredis continues in database 0.
      const isLate = !isReady && performance.now() - start > CONNECT_TIMEOUT;
      if (isLate || PERMANENT_ERRORS.test(this.#problem)) {
        throw new HubError("LOG_UNAVAILABLE", `The Redis that DATA names cannot be used: ${this.#problem}`);
      }
      if (isReady) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY));
      isReady = clients.every(({ status }) => status === "ready");
    }
  }

  #failed(error: Error & { code?: string; lastNodeError?: Error }): void {
    const { code, message, lastNodeError } = error;
    this.#problem = lastNodeError?.message ?? (message === "" ? (code ?? "it does not answer") : message);
    if (this.#isReported) return;
    this.#isReported = true;
    this.#report(`Redis cannot be reached: ${this.#problem}`);
  }

  async #onReady(): Promise<void> {
    if (this.#isReported && this.isReady) {
      this.#isReported = false;
      this.#report("Redis can be reached again");
    }
    // A subscriber that has just come back is not subscribed to anything.
    if (this.#subscriber.status === "ready") await this.#subscribe();
    this.onReconnect();
  }

  /** Whether the subscriber is subscribed to all that is listened to. */
  async #subscribe(): Promise<boolean> {
    if (this.#listeners.size === 0) return true;
    return this.#subscriber.subscribe(...this.#listeners.keys()).then(
      () => (this.#isListening = true),
      () => false,
    );
  }
}

/** Ends a connection without waiting for the other side, which may be gone; ioredis then reconnects. */
function drop(client: Redis | Cluster): void {
  if (client instanceof Redis) (client.stream as Socket | undefined)?.destroy();
}

/** Without the address that could not be reached, since anyone may ask `/health`; the log has it. */
function publicReason(message: string): string {
  return message.replace(/\b(connect|getaddrinfo|read|write) (E[A-Z]+)\b.*$/s, "$1 $2").slice(0, 200);
}

/** Whether an engine answered that it would not do what it was asked to. */
export function isRefusal(cause: unknown): boolean {
  return cause instanceof Error && cause.name === "ReplyError";
}

function clientOf(
  { kind, hosts, name, username, password, database, isTls }: RedisAddress,
  tls: RedisOptions["tls"],
  more: RedisOptions,
): Redis | Cluster {
  const options: RedisOptions = {
    ...more,
    username,
    password,
    ...(tls === undefined ? {} : { tls }),
    connectionName: "sse-mcp-server",
    // What waited for a connection would be published late, and out of turn.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // The driver's own resubscription ends the process if the connection breaks again meanwhile.
    autoResubscribe: kind === "cluster",
    connectTimeout: COMMAND_TIMEOUT,
    // A replica was a primary before: Sentinel knows the new one.
    reconnectOnError: ({ message }) => /^(?:READONLY|MASTERDOWN|LOADING)/.test(message),
  };
  const retry = (times: number): number => Math.min(100 * 2 ** times, 2000) * (0.5 + Math.random() / 2);
  if (kind === "cluster") {
    return new Cluster([...hosts], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retry,
      slotsRefreshInterval: 2000,
      slotsRefreshTimeout: COMMAND_TIMEOUT,
      retryDelayOnFailover: 100,
      redisOptions: options,
    });
  }
  const common: RedisOptions = { ...options, db: database, lazyConnect: true, retryStrategy: retry };
  const [first] = hosts;
  if (kind === "single") return new Redis({ ...common, ...first });
  return new Redis({
    ...common,
    sentinels: [...hosts],
    name,
    sentinelRetryStrategy: retry,
    failoverDetector: true,
    enableTLSForSentinelMode: isTls,
    ...(tls === undefined ? {} : { sentinelTLS: tls }),
  });
}

function tlsOf({ ca, cert, key }: { readonly ca: string; readonly cert: string; readonly key: string }): object {
  return {
    ...(ca === "" ? {} : { ca: pem("REDIS_CA", ca) }),
    ...(cert === "" ? {} : { cert: pem("REDIS_CERT", cert) }),
    ...(key === "" ? {} : { key: pem("REDIS_KEY", key) }),
  };
}

function pem(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new HubError(
      "LOG_UNAVAILABLE",
      `${setting} is ${JSON.stringify(path)}, which cannot be read (${code ?? message})`,
    );
  }
}

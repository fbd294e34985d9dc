import { readFileSync, unwatchFile, watchFile } from "node:fs";
import type { Server } from "node:https";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { ConfigError } from "../core/errors.ts";

/** The settings that name the files; see `Config`. */
export interface TlsSettings {
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tlsClientCa: string;
}

interface Trust extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

type Log = Pick<FastifyBaseLogger, "info" | "warn">;

/** Milliseconds between looks at the files. They are polled: mounted secrets are replaced by links that move. */
const CHECK_INTERVAL = 1000;

/** The certificate that the server shows, and who may sign those of clients: as its files say now. */
export class Tls {
  readonly #settings: TlsSettings;
  readonly #log: Log;
  #current: Trust;

  private constructor(settings: TlsSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#current = read(settings);
  }

  /** Undefined if no certificate is set. Throws `ConfigError` if the files are not there or do not fit. */
  static open(settings: TlsSettings, log: Log): Tls | undefined {
    const { tlsCert, tlsKey, tlsClientCa } = settings;
    if (tlsCert !== "" && tlsKey !== "") return new Tls(settings, log);
    if (tlsCert !== "") throw new ConfigError("TLS_CERT is set and TLS_KEY is not; name the file of its key, too");
    if (tlsKey !== "")
      throw new ConfigError("TLS_KEY is set and TLS_CERT is not; name the file of its certificate, too");
    if (tlsClientCa === "") return undefined;
    throw new ConfigError("TLS_CLIENT_CA is set without TLS; name a certificate and its key with TLS_CERT and TLS_KEY");
  }

  get options(): Trust {
    return this.#current;
  }

  /** Shows the certificate of this server as the files change, until it closes: what is connected stays so. */
  serve(app: FastifyInstance): void {
    const server = app.server as unknown as Server;
    const look = (): void => this.#look(server);
    const paths = Object.values(files(this.#settings));
    for (const path of paths) watchFile(path, { interval: CHECK_INTERVAL, persistent: false }, look);
    app.addHook("preClose", async () => {
      for (const path of paths) unwatchFile(path, look);
    });
  }

  #look(server: Server): void {
    try {
      const found = read(this.#settings);
      if (isSame(found, this.#current)) return;
      server.setSecureContext(found);
      this.#current = found;
      this.#log.info("the TLS certificate was loaded again");
    } catch (error) {
      // Files are replaced one after the other: the next look may find a pair.
      this.#log.warn(`the TLS certificate in use is kept: ${(error as Error).message}`);
    }
  }
}

function files({ tlsCert, tlsKey, tlsClientCa }: TlsSettings): Record<string, string> {
  return { TLS_CERT: tlsCert, TLS_KEY: tlsKey, ...(tlsClientCa === "" ? {} : { TLS_CLIENT_CA: tlsClientCa }) };
}

/** Throws `ConfigError`, naming the setting, if a file cannot be used. */
function read(settings: TlsSettings): Trust {
  const {
    TLS_CERT: cert,
    TLS_KEY: key,
    TLS_CLIENT_CA: ca,
  } = Object.fromEntries(Object.entries(files(settings)).map(([name, path]) => [name, contentOf(name, path)]));
  check("TLS_CERT", settings.tlsCert, "a certificate in PEM", { cert });
  check("TLS_KEY", settings.tlsKey, "a key in PEM without a passphrase", { key });
  if (ca !== undefined) check("TLS_CLIENT_CA", settings.tlsClientCa, "certificates in PEM", { ca });
  check("TLS_KEY", settings.tlsKey, "the key of the certificate in TLS_CERT", { cert, key });
  return {
    cert,
    key,
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca }),
    requestCert: ca !== undefined,
    // Who has another credential needs no certificate; one that is not good is refused as such.
    rejectUnauthorized: false,
  };
}

function contentOf(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw new ConfigError(`${name} is ${JSON.stringify(path)}, which cannot be read (${code}); use a PEM file`, {
      cause,
    });
  }
}

function check(name: string, path: string, what: string, options: SecureContextOptions): void {
  const wrong = new ConfigError(`${name} is ${JSON.stringify(path)}, which is not ${what}`);
  // OpenSSL takes a file without any for a list of none.
  if (options.ca !== undefined && !/^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/m.test(String(options.ca)))
    throw wrong;
  try {
    createSecureContext(options);
  } catch (cause) {
    wrong.cause = cause;
    throw wrong;
  }
}

function isSame(one: Trust, other: Trust): boolean {
  return one.cert === other.cert && one.key === other.key && one.ca === other.ca;
}

import type * as JetStreamDriver from "@nats-io/jetstream";
import type * as CoreDriver from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { CONNECT_TIMEOUT, type BusClient } from "../../bus.ts";
import { ConnectionLoss } from "../../connection-loss.ts";
import { loadDriver } from "../../driver.ts";
import { withTimeOut } from "../../time-out.ts";
import { addressOf, connectOptions, type Connection } from "./connection.ts";

/** Milliseconds that closing waits for a server that does not answer. */
const CLOSE_TIMEOUT = 2000;

/** Subjects that are remembered as refused. */
const MAX_REFUSED = 1000;

/** The two packages of the driver. */
export interface Driver {
  readonly core: typeof CoreDriver;
  readonly jetstream: typeof JetStreamDriver;
}

/** A connection to a server of NATS, which does not reconnect by itself. */
export class NatsClient {
  readonly driver: Driver;
  readonly connection: NatsConnection;
  readonly #loss = new ConnectionLoss();
  readonly lost: Promise<never> = this.#loss.promise;
  /** The last subjects on which the server did not let this connection publish, with its errors. */
  readonly refused: Map<string, Error> = new Map();

  private constructor(driver: Driver, connected: NatsConnection) {
    this.driver = driver;
    this.connection = connected;
    const fail = (cause: Error | undefined): void => {
      const reason = cause?.message ?? "the server closed it";
      this.#loss.fail(new Error(`The connection to NATS was lost: ${reason}`, { cause }));
    };
    void connected.closed().then((error) => fail(error ?? undefined));
    void this.#watch(fail);
  }

  /** Loads the driver, and connects within `CONNECT_TIMEOUT`. Rejects with an `Error` for the operator. */
  static async open(asked: Connection, client: BusClient): Promise<NatsClient> {
    const [core, jetstream] = await loadDriver(
      () => Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]),
      "@nats-io/transport-node @nats-io/jetstream",
    );
    const connecting = core.connect(connectOptions(asked, client, core));
    try {
      return new NatsClient({ core, jetstream }, await withTimeOut(connecting, CONNECT_TIMEOUT, "it does not answer"));
    } catch (cause) {
      connecting.then((late) => late.close()).catch(() => {});
      const shown = asked.url.map((each) => addressOf(each)?.host).join(", ");
      throw new Error(`No connection to NATS at ${shown}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Closes it after what was written has arrived, unless the server does not answer. */
  async close(): Promise<void> {
    this.#loss.expect();
    if (this.connection.isClosed()) return;
    await withTimeOut(this.connection.flush(), CLOSE_TIMEOUT, "it does not answer").catch(() => {});
    await withTimeOut(this.connection.close(), CLOSE_TIMEOUT, "it does not answer").catch(() => {});
  }

  #refuse(subject: string, error: Error): void {
    const [oldest] = this.refused.keys();
    if (this.refused.size >= MAX_REFUSED && oldest !== undefined) this.refused.delete(oldest);
    this.refused.set(subject, error);
  }

  async #watch(fail: (cause: Error) => void): Promise<void> {
    const { PermissionViolationError } = this.driver.core;
    for await (const status of this.connection.status()) {
      // The driver closes a dead connection only after a write fails, which may never happen.
      if (status.type === "staleConnection") fail(new Error("the server does not answer"));
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      if (status.error.operation === "publish") this.#refuse(status.error.subject, status.error);
    }
  }
}

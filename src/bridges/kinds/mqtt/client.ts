import type { IClientOptions, IConnackPacket, MqttClient } from "mqtt";
import type * as Mqtt from "mqtt";
import { openFirst, tlsOptions, type ServerConnection } from "../../server-connection.ts";

export type Driver = Pick<typeof Mqtt, "connect" | "ReasonCodes">;

/** Seconds between pings; a connection is lost if one is not answered. */
const KEEPALIVE = 15;
/** Milliseconds that the broker has to answer a disconnect. */
const CLOSE_TIMEOUT = 2000;
/** Clients that we disconnect: their connections are not lost. */
const closing = new WeakSet<MqttClient>();

/**
 * Connects with MQTT 5. `prepare` is called before anything can be received, since the broker sends what waits in a
 * session at once. `fail` is called if the connection is lost later.
 */
export async function openClient(
  driver: Driver,
  connection: ServerConnection,
  options: IClientOptions,
  fail: (error: Error) => void,
  prepare: (client: MqttClient) => void = () => {},
): Promise<MqttClient> {
  const { url, username, password } = connection;
  return openFirst(url, async (address, timeout) => {
    const client = driver.connect(address, {
      ...tlsOptions(connection),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      protocolVersion: 5,
      keepalive: KEEPALIVE,
      connectTimeout: timeout,
      // The bridge reconnects, and decides what to send again.
      reconnectPeriod: 0,
      resubscribe: false,
      ...options,
    });
    prepare(client);
    const { promise, resolve, reject } = Promise.withResolvers<IConnackPacket>();
    const ended = (error: Error): void => {
      reject(error);
      if (!closing.has(client)) fail(error);
    };
    client.on("connect", resolve);
    client.on("error", (error) => ended(withReason(error)));
    client.on("disconnect", ({ reasonCode = 0 }) => ended(new Error(disconnection(driver, reasonCode))));
    client.on("close", () => ended(new Error("the connection ended")));
    try {
      await promise;
      return client;
    } catch (error) {
      client.end(true);
      throw error;
    }
  });
}

/** Disconnects; if the broker does not answer, destroys the socket. */
export async function closeClient(client: MqttClient): Promise<void> {
  closing.add(client);
  const timer = setTimeout(() => client.end(true), CLOSE_TIMEOUT);
  const { promise, resolve } = Promise.withResolvers<void>();
  client.once("close", () => resolve());
  // Otherwise the client would wait until all it published is confirmed.
  for (const id of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(id));
  if (client.connected) client.end(false);
  else {
    client.end(true);
    resolve();
  }
  await promise;
  clearTimeout(timer);
}

function disconnection(driver: Driver, code: number): string {
  const taken = code === 142 ? "; another client has the same client id" : "";
  return `the broker ended the connection: ${driver.ReasonCodes[code as 0] || "no reason given"}${taken}`;
}

/** The errors of mqtt.js can be shown as they are, but for this one. */
function withReason(error: Error): Error {
  return error.message === "connack timeout" ? new Error("no answer in time", { cause: error }) : error;
}

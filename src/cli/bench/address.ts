import { connect } from "node:net";
import type { Address } from "./plan.ts";

const WAIT = 5000;

/** Finds where a URL's server answers, so that the load need not resolve its name for each connection. */
export function findAddress(url: URL): Promise<Address> {
  const secure = url.protocol === "https:";
  const port = Number(url.port || (secure ? 443 : 80));
  const name = url.hostname;
  const { promise, resolve, reject } = Promise.withResolvers<Address>();
  const socket = connect({ host: name.replace(/^\[|\]$/g, ""), port, timeout: WAIT });
  socket.once("connect", () => {
    resolve({ secure, host: socket.remoteAddress ?? name, port, name });
    socket.destroy();
  });
  socket.once("timeout", () => socket.destroy(new Error(`no answer within ${WAIT / 1000} s`)));
  // A name with several addresses fails with an error whose own message is empty.
  socket.once("error", (cause: NodeJS.ErrnoException) => {
    reject(new Error(`Nothing listens at ${url.origin}: ${cause.message || cause.code}`, { cause }));
  });
  return promise;
}

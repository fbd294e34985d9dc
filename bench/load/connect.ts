import { connect as connectTcp, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Address } from "./plan.ts";

// All sockets read into the same bytes: what a callback does not copy is gone with the next read.
const buffer = Buffer.allocUnsafeSlow(1 << 16);

/** Opens a connection that hands over `length` bytes at a time, valid during the call. */
export function connect(address: Address, take: (bytes: Buffer, length: number) => void): Socket {
  const onread = {
    buffer,
    callback(length: number): boolean {
      take(buffer, length);
      return true;
    },
  };
  const { host, port, name, secure } = address;
  const options = { host, port, onread, noDelay: true };
  return secure ? connectTls({ ...options, servername: isIP(name) === 0 ? name : "" }) : connectTcp(options);
}

/** Why a connection failed, in words. */
export function failure(error: NodeJS.ErrnoException): string {
  return error.code === "EMFILE" ? "this machine allows a process no more open files (ulimit -n)" : error.message;
}

/** The lines every request starts with. */
export function requestHead(method: string, path: string, { name, port }: Address, fields: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, `Host: ${name}:${port}`, ...fields, "", ""].join("\r\n");
}

import type { IncomingMessage } from "node:http";
import { HubError } from "../core/errors.ts";
import { hostAddress, isSameHost, originAddress } from "../protocol/address.ts";

/** Methods that change nothing (RFC 9110 section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a request could do something if a page of another origin had made it: any but those that only read. */
export function isUnsafe({ method = "GET", headers }: IncomingMessage): boolean {
  return !SAFE.has(method) || headers.upgrade !== undefined;
}

/** Whether a page of this server's own origin made a request, by what only browsers can say. */
function isSameOrigin({ headers }: IncomingMessage, publicUrl: string): boolean {
  const { origin, host = "", "sec-fetch-site": site } = headers;
  if (site !== undefined) return site === "same-origin";
  // A proxy may have put another host in place of the one that the browser asked.
  if (origin !== undefined && origin === publicUrl) return true;
  const page = originAddress(origin ?? "");
  const own = hostAddress(host);
  return page !== undefined && own !== undefined && isSameHost(page, own);
}

/** Throws `ORIGIN_NOT_ALLOWED` unless a page of this server's own origin made the request; `publicUrl` may be empty. */
export function checkSameOrigin(request: IncomingMessage, publicUrl: string): void {
  if (isSameOrigin(request, publicUrl)) return;
  const sentence = "A browser's session counts only for pages of this server; send Origin, or a token in its place";
  throw new HubError("ORIGIN_NOT_ALLOWED", sentence);
}

import { routeUrl } from "../usage.ts";
import { StreamReader, type Target } from "./exchange.ts";

const MODERN_VERSION = "2026-07-28";
/** Seconds. */
const LONG_WAIT = 3600;

/** Opens a stream of `subscriptions/listen`, as clients of the modern era do. */
export function openListen(
  { url, headers }: Target,
  more: Readonly<Record<string, string>> = {},
): Promise<StreamReader> {
  const method = "subscriptions/listen";
  return StreamReader.open(routeUrl(url, "mcp"), {
    method: "POST",
    headers: { ...headers, ...modernHeaders(method), ...more },
    body: modernBody(method, { notifications: { resourcesListChanged: true } }),
  });
}

/** Calls `wait_for_messages` for longer than a caller may who is not told of progress. */
export function openWait({ url, headers }: Target): Promise<StreamReader> {
  const [method, name] = ["tools/call", "wait_for_messages"];
  const input = { channels: ["doctor"], timeoutSeconds: LONG_WAIT };
  return StreamReader.open(routeUrl(url, "mcp"), {
    method: "POST",
    headers: { ...headers, ...modernHeaders(method), "mcp-name": name },
    body: modernBody(method, { name, arguments: input }, { progressToken: 1 }),
  });
}

/** The headers of a request of the modern era. */
export function modernHeaders(method: string): Readonly<Record<string, string>> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": MODERN_VERSION,
    "mcp-method": method,
  };
}

/** Its body. */
export function modernBody(method: string, params: object = {}, more: object = {}): string {
  const meta = {
    ...more,
    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } });
}

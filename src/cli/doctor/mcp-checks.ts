import { jsonObject, routeUrl } from "../usage.ts";
import { ask, HeldBack, ANSWER_TIMEOUT, type Answer, type Target } from "./exchange.ts";
import { modernBody, modernHeaders, openListen, openWait } from "./mcp-requests.ts";
import type { Report } from "./report.ts";

const LEGACY_VERSION = "2025-11-25";
/** Requests of one session: enough that each of a few nodes is asked. */
const CALLS = 6;

/** Whether clients of the revision without sessions are answered, and listen. */
export async function checkModern(target: Target, report: Report): Promise<void> {
  const method = "server/discover";
  const headers = { ...target.headers, ...modernHeaders(method) };
  const answer = await ask(routeUrl(target.url, "mcp"), { method: "POST", headers, body: modernBody(method) });
  if (isRefused("mcp", answer, report)) return;
  if (jsonObject(answer.text)["result"] === undefined) {
    const sentence = `server/discover is answered ${answer.status}${answer.text === "" ? "" : `: ${answer.text.slice(0, 200)}`}`;
    return report.bad("mcp", "fail", `${sentence}; the proxy may drop the headers MCP-Protocol-Version and Mcp-Method`);
  }
  using listen = await openListen(target).catch((error: unknown) => {
    if (error instanceof HeldBack) return undefined;
    throw error;
  });
  const said = await listen?.find(
    ({ data }) => data.includes("notifications/subscriptions/acknowledged"),
    ANSWER_TIMEOUT,
  );
  if (said === undefined) {
    const sentence =
      "MCP clients are answered, but the stream of subscriptions/listen does not begin: the proxy holds back answers to POST";
    return report.bad("mcp", "fail", sentence, "buffering");
  }
  report.ok("mcp", "MCP 2026-07-28, without sessions, is answered and listens");
}

/** Whether an agent can wait for hours in one call, which wakes those whose clients put it into the background. */
export async function checkWaking(target: Target, report: Report): Promise<void> {
  using wait = await openWait(target).catch((error: unknown) => {
    if (error instanceof HeldBack) return undefined;
    throw error;
  });
  if (wait !== undefined && wait.status !== 200)
    return report.skipped("waking", `wait_for_messages is answered ${wait.status}; see --token`);
  const said = await wait?.find(({ data }) => /notifications\/progress|"isError":true/.test(data), ANSWER_TIMEOUT);
  if (said === undefined) {
    const sentence = "A wait for messages of an hour does not begin: the proxy holds back answers to POST";
    return report.bad("waking", "fail", sentence, "buffering");
  }
  if (said.data.includes('"isError":true'))
    return report.bad(
      "waking",
      "warn",
      "This hub ends each wait for messages after 50 s; a newer one lets agents wait for hours",
    );
  report.ok("waking", "An agent can wait for hours in one call; docs/waking.md says which clients that wakes");
}

/** Whether sessions of older clients go on, whatever node is asked. */
export async function checkSessions({ url, headers }: Target, report: Report): Promise<void> {
  const mcp = routeUrl(url, "mcp");
  const common = { ...headers, "content-type": "application/json", accept: "application/json, text/event-stream" };
  const post = (body: object, more: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    ask(mcp, { method: "POST", headers: { ...common, ...more }, body: JSON.stringify({ jsonrpc: "2.0", ...body }) });
  const clientInfo = { name: "sse-mcp-server doctor", version: "1" };
  const params = { protocolVersion: LEGACY_VERSION, capabilities: {}, clientInfo };
  const begun = await post({ id: 0, method: "initialize", params });
  if (isRefused("mcp sessions", begun, report)) return;
  const id = begun.headers["mcp-session-id"];
  if (begun.status !== 200 || typeof id !== "string") {
    const sentence =
      begun.status === 200
        ? "The answer to initialize has no Mcp-Session-Id: the proxy drops it"
        : `initialize is answered ${begun.status}`;
    return report.bad("mcp sessions", "fail", sentence);
  }
  const session = { "mcp-session-id": id, "mcp-protocol-version": LEGACY_VERSION };
  const statuses = [(await post({ method: "notifications/initialized" }, session)).status];
  for (let call = 1; call <= CALLS; call++) statuses.push((await post({ id: call, method: "ping" }, session)).status);
  await ask(mcp, { method: "DELETE", headers: { ...common, ...session } });
  if (statuses.every((status) => status === 200 || status === 202)) {
    return report.ok("mcp sessions", `MCP ${LEGACY_VERSION}, with sessions, is answered ${CALLS} times in a row`);
  }
  const sentence = `A session is answered ${statuses.join(", ")}: not every request comes to a node that knows it`;
  report.bad(
    "mcp sessions",
    "fail",
    `${sentence}; let the nodes share a Redis (DATA=redis://…), or keep a session on one node`,
    "sessions",
  );
}

function isRefused(check: string, { status, text }: Answer, report: Report): boolean {
  if (status !== 401 && status !== 403) return false;
  const { detail } = jsonObject(text);
  const why = typeof detail === "string" ? detail : text;
  report.skipped(check, `The hub refuses this caller (${status}), see --token: ${why.slice(0, 200)}`);
  return true;
}

import { connect } from "node:tls";
import { jsonObject, routeUrl } from "../usage.ts";
import { ask, ANSWER_TIMEOUT, whyFailed, type Answer, type Target } from "./exchange.ts";
import type { Report } from "./report.ts";

/** Errors of TLS that are about the certificate of a server that does answer. */
const CERTIFICATE_FAULT = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;

/** Whether a hub answers there at all; nothing else can be tested if not. */
export async function checkHub({ url }: Target, report: Report): Promise<boolean> {
  let answer: Answer;
  try {
    answer = await ask(routeUrl(url, "health"));
  } catch (error) {
    const why = whyFailed(error);
    const sentence = CERTIFICATE_FAULT.test(why)
      ? `The certificate of ${url.origin} is not trusted (${why}); name its authority in NODE_EXTRA_CA_CERTS`
      : `Nothing answers at ${url.origin} (${why}); check the address, and that the hub runs`;
    report.bad("hub", "fail", sentence);
    return false;
  }
  report.detectProxy(answer.headers);
  const { status, version, checks } = jsonObject(answer.text);
  if (answer.status === 200 && status === "healthy") {
    report.ok("hub", `sse-mcp-server ${String(version)} answers and is healthy`);
    return true;
  }
  if (status === "unhealthy") {
    report.bad("hub", "fail", `The hub answers, but is not healthy: ${JSON.stringify(checks)}`);
    return true;
  }
  const sentence = `/health is answered ${answer.status}, and not by a hub: the proxy does not reach it, or has it under another path`;
  report.bad("hub", "fail", sentence);
  return false;
}

/** Whether the hub is told the name and the protocol that clients use. */
export async function checkHost({ url, headers }: Target, report: Report): Promise<void> {
  const own = await ask(routeUrl(url, "channels"), { headers: { ...headers, origin: url.origin } });
  if (own.code === "HOST_NOT_ALLOWED") {
    const isOurs = own.detail.includes(JSON.stringify(url.host));
    const remedy = isOurs ? { hub: `ALLOWED_HOSTS=${url.hostname}` } : "host";
    return report.bad("host", "fail", `Requests are refused by their Host. The hub says: ${own.detail}`, remedy);
  }
  if (own.code === "ORIGIN_NOT_ALLOWED") {
    const sentence = `The hub refuses its own pages, because it is told another Host than ${url.host}: ${own.detail}`;
    return report.bad("host", "fail", sentence, "host");
  }
  const page = await ask(routeUrl(url, ""), { headers: { accept: "text/html" } });
  const [, shown = ""] = /curl -N (https?:\/\/[^\s<&]+)\/events/.exec(page.text) ?? [];
  const known = URL.canParse(shown) ? new URL(shown) : undefined;
  if (known === undefined) return report.ok("host", `The hub takes requests for ${url.host}`);
  if (known.host !== url.host) {
    const sentence = `The hub is told the Host ${known.host} instead of ${url.host}: in production it would refuse its own pages`;
    return report.bad("host", "warn", sentence, "host");
  }
  const path = url.pathname.replace(/\/+$/, "");
  if (known.pathname.replace(/\/+$/, "") !== path) {
    const sentence = `The hub does not know that it is below ${path}: logins, OAuth, /docs and the commands on its page do not work`;
    return report.bad("host", "fail", sentence, { hub: `BASE_PATH=${path}` });
  }
  if (known.protocol !== url.protocol)
    return report.bad(
      "host",
      "warn",
      `The hub is not told that clients speak ${url.protocol.slice(0, -1)}: its page shows wrong addresses`,
      "scheme",
    );
  report.ok("host", `The hub is told ${known.href.replace(/\/$/, "")}, as clients know it`);
}

/** Whether pages of another origin may call, and read what they are answered. */
export async function checkCors({ url, headers }: Target, origin: string | undefined, report: Report): Promise<void> {
  if (origin === undefined)
    return report.skipped("cors", "Give --origin to test whether pages of another origin may call");
  const wanted = ["authorization", "content-type", "mcp-protocol-version"];
  const preflight = await ask(routeUrl(url, "mcp"), {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": wanted.join(","),
    },
  });
  const events = await ask(routeUrl(url, "channels"), { headers: { ...headers, origin } });
  for (const { code, detail } of [preflight, events]) {
    if (code === "ORIGIN_NOT_ALLOWED")
      return report.bad("cors", "fail", `Pages of ${origin} may not call: ${detail}`, {
        hub: `ALLOWED_ORIGINS=${origin}`,
      });
  }
  for (const [what, answer] of [
    ["A preflight request", preflight],
    ["An answer", events],
  ] as const) {
    const allowed = answer.headers["access-control-allow-origin"] ?? "";
    if (allowed === origin) continue;
    const sentence =
      allowed === ""
        ? `has no Access-Control-Allow-Origin (status ${answer.status})`
        : `has Access-Control-Allow-Origin: ${allowed}, which browsers refuse`;
    return report.bad("cors", "fail", `${what} ${sentence}: the proxy changes what the hub says`, "cors");
  }
  const granted = (preflight.headers["access-control-allow-headers"] ?? "").toLowerCase();
  const missing = wanted.filter((name) => !granted.includes(name));
  if (missing.length > 0)
    return report.bad("cors", "fail", `A preflight request is not granted ${missing.join(", ")}`, "cors");
  report.ok("cors", `Pages of ${origin} may call and read the answers`);
}

/** Whether browsers can have more than six streams at once. */
export async function checkHttp2({ url }: Target, report: Report): Promise<void> {
  if (url.protocol !== "https:") {
    return report.skipped(
      "http2",
      "Browsers speak HTTP/2 over TLS only; over HTTP/1.1 they open six connections to an origin",
    );
  }
  const { promise, resolve, reject } = Promise.withResolvers<string | false | null>();
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const socket = connect({ host, port: Number(url.port || 443), servername: host, ALPNProtocols: ["h2", "http/1.1"] });
  socket.setTimeout(ANSWER_TIMEOUT, () => socket.destroy(new Error("no answer")));
  socket.once("secureConnect", () => resolve(socket.alpnProtocol)).on("error", reject);
  const protocol = await promise.finally(() => socket.destroy());
  if (protocol === "h2") return report.ok("http2", "HTTP/2 is offered, so a browser is not limited to six streams");
  report.bad(
    "http2",
    "warn",
    "HTTP/2 is not offered: a browser opens six connections to this origin, over all its tabs",
    "http2",
  );
}
